"""Random programs against the reference model, as in `test_fuzz`, for a while."""

from __future__ import annotations

import gc
import time

from allocmeter import install, stop_tracking
from allocmeter._core.own import own_context
from fuzz_run import run_one
from fuzz_steps import own_threads


def run(seed, seconds):
    install()
    gc.disable()
    done, until = 0, time.monotonic() + seconds
    with own_context():
        threads = own_threads(2)
        while time.monotonic() < until:
            done += run_one(f"{seed}/{done}", threads, released=done % 5 == 0)
        stop_tracking()
        for thread in threads:
            thread.shutdown()
    return done
