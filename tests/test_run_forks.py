"""Forked children of a program under `allocmeter run` report on their own, once each."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from run_helpers import UNTRACED, allocmeter, compare, finish, measured, names, start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")

FORKS = """
import os, sys, warnings
from allocmeter import measure
warnings.simplefilter("ignore", DeprecationWarning)

def fork(function):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        function()
        return sys.exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def reports(directory):
    """Return the reports in a directory, by the part of the name that tells the process."""
    return {
        path.name.removeprefix("r").removesuffix(".json").strip(".-"): json.loads(path.read_text())
        for path in directory.glob("r*.json")
    }


def of_children(directory):
    found = reports(directory)
    found.pop("", None)
    return found


@pytest.mark.parametrize(
    ("end", "reported"),
    [
        ("sys.exit(3)", True),
        ("raise ValueError('in the child')", True),
        ("os.kill(os.getpid(), __import__('signal').SIGTERM)", True),
        ("os.kill(os.getpid(), __import__('signal').SIGINT)", True),
        ("os._exit(4)", False),
        ("os.execlp('true', 'true')", False),
    ],
)
def test_a_child_reports_what_it_did_itself(tmp_path, end, reported):
    code = FORKS + (
        "def child():\n"
        "    with measure('in the child'): pass\n"
        f"    {end}\n"
        "with measure('before'): pass\n"
        "print(fork(child))\n"
        "with measure('after'): pass\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    compare(tmp_path, script)
    measured("-q", "-o", tmp_path / "r.json", script)
    found = reports(tmp_path)
    del found["eport-of-comparison"]
    found = {name: report for name, report in found.items() if "comparison" not in name}
    assert sorted(names(found.pop(""))) == ["after", "before"]
    assert [names(report) for report in found.values()] == [["in the child"]] * reported


def test_the_file_of_a_child_has_its_process_id_in_the_name(tmp_path):
    code = FORKS + "fork(lambda: print(os.getpid()))\nprint(os.getpid())"
    ended = measured("-q", "-o", "r.json", "-c", code, cwd=tmp_path)
    child, parent = ended.stdout.split()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"r.{child}.json", "r.json"]
    for path in tmp_path.iterdir():
        path.unlink()
    ended = measured("-q", "-o", "r-%p.json", "-c", code, cwd=tmp_path)
    child, parent = ended.stdout.split()
    expected = sorted([f"r-{child}.json", f"r-{parent}.json"])
    assert sorted(path.name for path in tmp_path.iterdir()) == expected


def test_the_table_of_a_child_says_which_process_it_is(tmp_path):
    ended = measured("-c", FORKS + "fork(lambda: print(os.getpid()))\nprint(os.getpid())")
    child, parent = ended.stdout.split()
    assert ended.stderr.count("allocmeter 0") == 2
    assert f"process {child}, forked by {parent}\n" in ended.stderr


WORKERS = """
import multiprocessing, os, sys
from allocmeter import measure

class Box:
    def __init__(self, value):
        self.value = value

def work(n):
    with measure("work"):
        return Box(n * n)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
{body}
"""
BODIES = {
    "a pool that is closed": """
    pool = context.Pool(2)
    print([box.value for box in pool.map(work, range(20))])
    pool.close()
    pool.join()
""",
    "a pool that is terminated": """
    with context.Pool(2) as pool:
        print([box.value for box in pool.map(work, range(20))])
""",
    "processes": """
    processes = [context.Process(target=work, args=(n,)) for n in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        print(process.exitcode)
""",
    "processes that fail": """
    processes = [context.Process(target=sys.exit, args=(5,)) for n in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        print(process.exitcode)
""",
    "an executor": """
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        print([box.value for box in executor.map(work, range(20))])
""",
    "a manager": """
    with context.Manager() as manager:
        shared = manager.list([1])
        process = context.Process(target=shared.append, args=(2,))
        process.start()
        process.join()
        print(list(shared))
""",
}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("body", BODIES)
def test_multiprocessing_works_and_forked_workers_report(tmp_path, method, body):
    script = tmp_path / "script.py"
    script.write_text(WORKERS.format(body=BODIES[body]))
    ended, _ = compare(tmp_path, script, method, **UNTRACED)
    assert ended.status == 0, ended.stderr
    ended = measured("-q", "-o", tmp_path / "r.json", script, method, **UNTRACED)
    found = reports(tmp_path)
    assert "" in found
    found = [report for name, report in found.items() if name and "comparison" not in name]
    if method != "fork":
        assert found == []
        return
    assert len(found) == 2
    if body not in ("processes that fail", "a manager"):
        done = [row["count"] for report in found for row in report["scopes"]]
        assert sum(done) == (2 if body == "processes" else 20)


def test_workers_of_a_module_are_started_with_that_module(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tool.py").write_text(WORKERS.format(body=BODIES["a pool that is closed"]))
    ended, _ = compare(tmp_path, "-m", "package.tool", "spawn", cwd=tmp_path, **UNTRACED)
    assert ended.status == 0, ended.stderr


def test_children_of_subprocess_and_the_shell_are_not_measured(tmp_path):
    code = (
        "import os, subprocess, sys\n"
        "show = 'import sys; print(sorted(name for name in sys.modules if \"alloc\" in name))'\n"
        "subprocess.run([sys.executable, '-c', show], check=True)\n"
        "subprocess.run([sys.executable, '-c', show], check=True, preexec_fn=os.getpid)\n"
        "print(os.system('echo shell'))\n"
        "print(subprocess.run('kill -TERM $$', shell=True).returncode)\n"
    )
    ended, _ = compare(tmp_path, "-c", code, options=["--timeline"])
    assert ended.status == 0, ended.stderr
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_a_signal_to_parent_and_children_reports_each_once(tmp_path, number):
    code = FORKS + (
        "import asyncio\n"
        "def child():\n"
        "    print('ready', flush=True)\n"
        "    asyncio.run(asyncio.sleep(60))\n"
        "pids = [os.fork() for _ in range(1)]\n"
        "child()\n"
    )
    command = allocmeter("-q", "-o", tmp_path / "r.json", "-c", code)
    with start(command, start_new_session=True) as process:
        for _ in range(2):
            process.stdout.readline()
        os.killpg(process.pid, number)
        assert finish(process).status == -number
    assert len(of_children(tmp_path)) == 1
    assert len(reports(tmp_path)) == 2
