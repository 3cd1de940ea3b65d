"""A check inside the core that fails ends counting, says so, and ends nothing else."""

from __future__ import annotations

import json
import sys

import pytest

from allocmeter import backend_info
from allocmeter.reports import Report
from broken_cores import DAMAGES, damaged, symbols, with_damage
from run_helpers import UNTRACED, measured

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="looks for the core in /proc/self/maps"
)

GOES_ON = """
async def work(n):
    with measure("after"):
        kept = [bytes(size) for size in range(2000)]
        await asyncio.sleep(0)
        return len({str(size): size for size in kept})

async def all_of_it():
    return await asyncio.gather(*[work(n) for n in range(50)])

def in_threads():
    threads = [threading.Thread(target=lambda: asyncio.run(work(0))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

results = asyncio.run(all_of_it())
child = os.fork()
if child == 0:
    asyncio.run(all_of_it())
    os._exit(backend_info().assertion_failures and len(said))
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
in_threads()
kept_of_before = None
gc.collect()
with measure("later") as later:
    kept = bytes(1000)
info = backend_info()
print(json.dumps({
    "results": results, "child": status, "said": said, "info": info.to_dict(),
    "before": [before.stats == stats_before, before.stats == ONE],
    "refused": [refused(lambda: later.stats), refused(lambda: before.retained_bytes),
                refused(LeakDetector), refused(AllocationStats.capture)],
    "names": [row.name for row in Report.from_json(report().to_json()).rows],
    "text": str(report()),
}))
"""


def answered(child):
    assert (child.returncode, child.stderr) == (0, ""), child.stderr
    return json.loads(child.stdout.splitlines()[-1])


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_program_goes_on_uncounted_and_is_told_so_once(damage):
    answer = answered(with_damage(damage, GOES_ON))
    assert answer["results"] == [2000] * 50
    assert answer["child"] == 1
    assert len(answer["said"]) == 1
    assert damage in answer["said"][0]
    assert answer["before"] == [True, True]
    assert all(damage in text for text in answer["refused"]), answer["refused"]
    assert "before" in answer["names"]
    assert not {"after", "later"} & set(answer["names"])
    assert "an internal check of allocmeter failed" in answer["text"]
    info = answer["info"]
    assert (info["available"], info["reason"]) == (False, answer["said"][0])
    assert info["assertion_failures"] >= 1
    assert info["hook_position"] == "on top"
    assert (info["gaps"], info["open_scopes"]) == (0, 0)


HOOKS = """
positions = []

def note():
    info = backend_info()
    positions.append([info.hook_position, info.displaced_by, is_installed()])

note()
tracemalloc.start()
note()
with measure("in between"):
    kept = bytes(1000)
tracemalloc.stop()
note()
start_tracking()
install()
note()
uninstall()
note()
install()
with measure("at the end"):
    kept = bytes(1000)
note()
print(json.dumps([positions, said]))
"""


@pytest.mark.parametrize("damage", ["freed more blocks", "without a beginning"])
def test_the_hooks_of_a_broken_core_can_be_covered_and_taken_away(damage):
    positions, said = answered(with_damage(damage, HOOKS))
    assert positions == [
        ["on top", None, True],
        ["wrapped", "tracemalloc", True],
        ["on top", None, True],
        ["on top", None, True],
        ["not installed", None, False],
        ["not installed", None, False],
    ]
    assert len(said) == 1


@pytest.mark.parametrize("native", ["--native", "--no-native"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_program_that_is_run_ends_as_it_would_and_its_report_is_whole(tmp_path, damage, native):
    program, file = tmp_path / "program.py", tmp_path / "report.json"
    code = "print(asyncio.run(asyncio.sleep(0, 'at the end')))\nsys.exit(7)"
    text = damaged(damage, code).replace("handlers[:] = [Listener()]", "handlers[:] = []")
    program.write_text(text)
    ended = measured("-o", file, native, program, json.dumps(symbols()), **UNTRACED)
    assert (ended.status, ended.stdout) == (7, "at the end\n")
    assert ended.stderr.count("so counting is switched off in this process") == 1
    assert "Traceback" not in ended.stderr
    report = Report.from_json(file.read_text())
    assert "before" in [row.name for row in report.rows]
    assert report.backend["assertion_failures"] >= 1
    assert damage in report.backend["reason"]


def test_no_check_has_failed_in_this_process():
    assert backend_info().assertion_failures == 0
