"""Random programs in a process of their own: blocks of others would move its figures."""

from __future__ import annotations

import gc
import random

from allocmeter import install, start_tracking, stop_tracking
from allocmeter._core.own import own_context
from fuzz_programs import Program
from fuzz_steps import own_threads


def run_all(seeds, **options):
    """Check a program for each seed; what this thread does is the library's as well meanwhile."""
    install()
    gc.disable()
    with own_context():
        threads = own_threads(2)
        try:
            for seed in seeds:
                run_one(seed, threads, **options)
        finally:
            for thread in threads:
                thread.shutdown()


def run_one(seed, threads, **options):
    """Check one program, and return how many steps it had."""
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
