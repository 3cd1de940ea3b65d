"""Every function of the malloc family, called by C code that is linked with nothing of ours.

Not built with AddressSanitizer: that replaces malloc itself, and refuses to run behind a preloaded
library.
"""

from __future__ import annotations

import pytest

from preloading import library, linux_only, natively, preloaded, program, run_program

pytestmark = [linux_only, pytest.mark.exact]

FAMILY = """
class Account(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in (
        "allocations", "deallocations", "reallocations", "bytes_allocated", "bytes_deallocated",
        "failed_checks",
    )]

    def check(self):
        assert self.failed_checks == 0, family.family_first_failure().decode()
        return AllocationStats.from_figures(self)

family = loaded(sys.argv[1])
family_held = loaded(sys.argv[1], ctypes.PyDLL)
family.family_first_failure.restype = ctypes.c_char_p
"""


def family(code, **options):
    return natively(FAMILY + code, library("family"), **options)


@pytest.mark.parametrize("binding", ["lazy", "now"])
def test_a_program_without_python_gets_the_same_from_every_function(binding):
    now = {"LD_BIND_NOW": "1"} if binding == "now" else {}
    alone = run_program([program("family")], **now)
    under = run_program([program("family")], **now, **preloaded())
    assert (alone.returncode, alone.stderr) == (0, "")
    assert (under.returncode, under.stderr, under.stdout) == (0, "", alone.stdout)


@pytest.mark.parametrize("allocator", ["pymalloc", "malloc", "malloc_debug"])
def test_threads_that_never_saw_python_are_charged_to_the_process_block_by_block(allocator):
    expected, counted, everything = family(
        """
def run(mixed):
    first = process()
    family.family_threads_run(ctypes.byref(account), mixed)
    return process() - first

def captured(mixed):
    first = AllocationStats.capture()
    family.family_threads_run(ctypes.byref(account), mixed)
    return AllocationStats.capture() - first

account = Account()
start_tracking()
assert family.family_threads_start(8) == 0
run(100)
counted = run(20_000)
expected = account.check()
for _ in range(3):
    captured(1)
large = captured(10_000)
large_account = account.check()
small = captured(1)
small_account = account.check()
family.family_threads_stop()
print(json.dumps([
    expected.to_dict(), counted.to_dict(), large - small == large_account - small_account
]))
""",
        PYTHONMALLOC=allocator,
    )
    assert expected["allocations"] > 100_000
    assert counted == expected
    assert everything


@pytest.mark.parametrize("calls", ["family", "family_held"])
def test_a_scope_is_charged_with_what_c_code_does_on_its_thread(calls):
    expected, counted, python = family(
        f"""
account = Account()
argument = ctypes.byref(account)
{calls}.family_exercise(argument, 1, 100)
account = Account()
argument = ctypes.byref(account)
with measure() as scope:
    {calls}.family_exercise(argument, 2, 50_000)
print(json.dumps([
    account.check().to_dict(), native(scope).to_dict(), scope.by_domain()["python"].to_dict()
]))
"""
    )
    assert expected["allocations"] > 10_000
    assert counted == expected
    assert python["bytes_allocated"] < 1000


@pytest.mark.parametrize("maker", ["held", "released"])
@pytest.mark.parametrize("freer", ["held", "released"])
def test_a_block_is_credited_to_its_owner_whoever_frees_it(maker, freer):
    inside, retained, late, others = natively(
        f"""
from blocks import Enclosure

def run_in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()

def free_some():
    freeing = Enclosure()
    for block in blocks[::2]:
        freeing({freer}.free, block)
    others.append(native(freeing.scope).to_dict())

SIZES = [1, 510, 511, 600, 70_000, 3 * MIB] * 50
others = []
owner = Enclosure()
blocks = [owner({maker}.malloc, size) for size in SIZES]
inside = native(owner.scope)
owner.leave()
blocks = [ctypes.c_void_p(block) for block in blocks]  # the numbers were the scope's as well
retained = native(owner.scope).net_bytes  # final
before = owner.scope.late_stats
run_in_thread(free_some)
middle = owner.scope.late_stats - before
for block in blocks[1::2]:
    {freer}.free(block)
late = owner.scope.late_stats - before
print(json.dumps([
    [inside.to_dict(), sum(SIZES), len(SIZES)],
    retained,
    [[middle.deallocations, middle.bytes_deallocated, sum(SIZES[::2])],
     [late.deallocations, late.bytes_deallocated]],
    others,
]))
"""
    )
    figures, total, count = inside
    assert figures == {
        "allocations": count,
        "deallocations": 0,
        "reallocations": 0,
        "bytes_allocated": total,
        "bytes_deallocated": 0,
    }
    assert retained == total
    half, all_of_them = late
    assert half[0] == count // 2
    assert half[1] == half[2]
    assert all_of_them == [count, total]
    assert others == [dict.fromkeys(figures, 0)]


def test_a_realloc_moves_a_block_from_the_scope_that_had_it_to_the_one_that_asks():
    first, second, late = natively(
        """
from blocks import Enclosure
giving, taking = Enclosure(), Enclosure()
block = giving(released.malloc, 1000)
block = taking(released.realloc, block, 5000)
block = taking(held.realloc, block, 100)
assert taking(released.realloc, block, 1 << 62) is None
figures = [native(giving.scope).to_dict(), native(taking.scope).to_dict()]
released.free(block)
print(json.dumps([*figures, native(taking.scope).net_bytes]))
"""
    )
    assert (first["allocations"], first["deallocations"], first["reallocations"]) == (1, 1, 0)
    assert (first["bytes_allocated"], first["bytes_deallocated"]) == (1000, 1000)
    assert (second["allocations"], second["deallocations"], second["reallocations"]) == (2, 1, 2)
    assert (second["bytes_allocated"], second["bytes_deallocated"]) == (5100, 5000)
    assert late == 0
