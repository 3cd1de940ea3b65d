"""Other interpreters of the process: the hooks see their work, and it belongs to no scope."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from children import measuring

MODULES = ("_interpreters", "_xxsubinterpreters")

pytestmark = pytest.mark.skipif(
    not any(map(importlib.util.find_spec, MODULES)), reason="no module to make interpreters with"
)

INTERPRETERS = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
other = interpreters.create()
work = "kept = [bytes(100_000) for _ in range(1000)]"
interpreters.run_string(other, "pass")
"""


def test_their_work_is_not_charged_to_the_scope_around_the_call():
    allocated, exact = measuring(
        INTERPRETERS
        + """
block = scope = None
with measure() as scope:
    block = bytes(1000)
    interpreters.run_string(other, work)
allocated = scope.stats.bytes_allocated
interpreters.destroy(other)
print(json.dumps([allocated, one_block() == ONE]))
"""
    )
    assert allocated < 1_000_000
    assert exact


@pytest.mark.skipif(
    sys.version_info < (3, 12),
    reason="3.11 gets stuck when interpreters that share its lock compete for it",
)
def test_they_run_in_threads_beside_scopes_without_a_crash():
    exact, scopes = measuring(
        INTERPRETERS
        + """
more = [interpreters.create() for _ in range(3)]
source = work + "; import json; text = json.dumps([str(n) for n in range(20_000)])"

def run(interpreter):
    for _ in range(3):
        interpreters.run_string(interpreter, source)

start_tracking()
threads = [threading.Thread(target=run, args=(each,)) for each in [other, *more]]
for thread in threads:
    thread.start()
exact = []
while any(thread.is_alive() for thread in threads):
    exact.append(one_block() == ONE)
for each in [other, *more]:
    interpreters.destroy(each)
exact.append(one_block() == ONE)
print(json.dumps([all(exact), len(exact)]))
"""
    )
    assert exact
    assert scopes > 10


def test_the_package_can_be_imported_there_and_says_that_it_cannot_measure():
    exact = measuring(
        INTERPRETERS
        + """
interpreters.run_string(other, '''
import allocmeter
reason = allocmeter.backend_info().reason
assert "main interpreter" in reason or "ctypes" in reason
try:
    allocmeter.measure()
except allocmeter.BackendUnavailableError as error:
    assert str(error) == reason
else:
    raise AssertionError
''')
exact = one_block() == ONE
interpreters.destroy(other)
print(json.dumps(exact))
"""
    )
    assert exact
