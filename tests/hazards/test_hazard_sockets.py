"""Nothing listens, connects or runs beside the program unless somebody asks for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from children import measuring
from run_helpers import measured

LOOKING = """
import os, threading

def listening():
    if not os.path.isdir("/proc/self/fd"):
        return []
    links = []
    for number in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            pass  # that of the directory itself
    return [link for link in links if link.startswith("socket:")]
"""


def test_importing_everything_measuring_and_reporting_opens_no_socket_and_starts_no_thread():
    imported, events, sockets, threads = measuring(
        LOOKING
        + """
import importlib, pkgutil
events = []
sys.addaudithook(lambda event, _: events.append(event) if event.startswith("socket.") else None)
import allocmeter

imported = 0
for module in pkgutil.walk_packages(allocmeter.__path__, "allocmeter."):
    if module.name == "allocmeter.__main__" or module.name.startswith("allocmeter._native."):
        continue
    try:
        importlib.import_module(module.name)
        imported += 1
    except ImportError as error:
        assert not (error.name or "").startswith("allocmeter"), error

@allocmeter.measured
def work():
    return bytes(1000)

registry = allocmeter.Registry()
with measure("sync"), registry.measure("own"):
    work()
start_tracking()
allocmeter.process_memory()
found = report()
str(found), found.to_json(), backend_info()
from allocmeter.renderers import html
html.render(found)
from allocmeter.integrations.dashboard import DashboardApp
from allocmeter.integrations.prometheus import AllocmeterCollector
DashboardApp(registry=registry)
try:
    list(AllocmeterCollector(registry).collect())
except ImportError:
    pass
print(json.dumps([imported, sorted(set(events)), listening(), threading.active_count()]))
"""
    )
    assert imported > 100
    # A library of somebody else's may look up what this computer is called.
    assert set(events) <= {"socket.gethostname"}
    assert sockets == []
    assert threads == 1


def test_a_measured_program_has_no_socket_and_no_thread_that_it_did_not_make(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        LOOKING
        + """
import json, sys
events = []
sys.addaudithook(lambda event, _: events.append(event) if event.startswith("socket.") else None)
import atexit
atexit.register(lambda: print(json.dumps([events, listening()])))
print(json.dumps([[], listening()]))
"""
    )
    end = measured("-q", "-o", tmp_path / "report.json", "--timeline", program)
    assert end.status == 0, end.stderr
    assert [json.loads(line) for line in end.stdout.splitlines()] == [[[], []]] * 2


@pytest.mark.skipif(not Path("/proc/self/net").is_dir(), reason="needs /proc")
def test_a_process_that_measures_has_no_port_of_its_own():
    before, after = measuring("""
import os

def ports():
    own = {os.stat(f"/proc/self/fd/{number}").st_ino for number in os.listdir("/proc/self/fd")
           if os.path.exists(f"/proc/self/fd/{number}")}
    found = []
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        try:
            lines = open(f"/proc/self/net/{kind}").readlines()[1:]
        except FileNotFoundError:
            continue
        found += [line for line in lines if int(line.split()[9]) in own]
    return len(found)

before = ports()
async def main():
    async with measure("async"):
        await asyncio.sleep(0)
import asyncio
from allocmeter.integrations.tasks import instrument_tasks
instrument_tasks()
asyncio.run(main())
print(json.dumps([before, ports()]))
""")
    assert (before, after) == (0, 0)
