"""Random programs: whatever they do, every figure is that of the reference model.

A run takes new programs. To repeat a failure, set `ALLOCMETER_FUZZ_SEED` to what it says; a seed
without a number after the slash stands for all programs of that run. `ALLOCMETER_FUZZ_PROGRAMS` is
how many there are.
"""

from __future__ import annotations

import gc
import os
import random
import secrets

import pytest

from allocmeter import install, is_tracking, start_tracking, stop_tracking
from allocmeter._core.own import own_context
from fuzz_programs import Program
from fuzz_steps import own_threads

pytestmark = pytest.mark.exact

SEED = os.environ.get("ALLOCMETER_FUZZ_SEED") or secrets.token_hex(4)
PROGRAMS = int(os.environ.get("ALLOCMETER_FUZZ_PROGRAMS", "2500"))


@pytest.fixture
def threads():
    """Threads to perform steps on; what this one does is the library's as well meanwhile."""
    install()
    tracked = is_tracking()
    gc.disable()
    with own_context():
        threads = own_threads(2)
        try:
            yield threads
        finally:
            for thread in threads:
                thread.shutdown()
            (start_tracking if tracked else stop_tracking)()
            gc.enable()


def seeds(share):
    if "/" in SEED:
        return [SEED]
    return [f"{SEED}/{number}" for number in range(int(PROGRAMS * share))]


def run(seed, threads, **options):
    rng = random.Random(seed)
    tracked = rng.random() < 0.5
    (start_tracking if tracked else stop_tracking)()
    program = Program(rng, threads, tracked=tracked, **options)
    try:
        return program.go(rng.randrange(1, 25))
    except BaseException as error:
        steps = "\n".join(" ".join(map(str, words)).rstrip() for words in program.log)
        error.add_note(f"{steps}\nALLOCMETER_FUZZ_SEED={seed} repeats this, {tracked = }")
        raise


def test_every_figure_is_that_of_the_model(threads):
    for seed in seeds(0.8):
        run(seed, threads)


def test_without_the_lock_counts_are_those_of_the_model_and_peaks_are_no_less(threads):
    for seed in seeds(0.2):
        run(seed, threads, released=True)
