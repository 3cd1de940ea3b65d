"""Random programs: whatever they do, every figure is that of the reference model.

A run takes new programs. To repeat a failure, set `ALLOCMETER_FUZZ_SEED` to what it says; a seed
without a number after the slash stands for all programs of that run. `ALLOCMETER_FUZZ_PROGRAMS` is
how many there are.
"""

from __future__ import annotations

import os
import secrets

import pytest

from children import output_of

pytestmark = pytest.mark.exact

SEED = os.environ.get("ALLOCMETER_FUZZ_SEED") or secrets.token_hex(4)
PROGRAMS = int(os.environ.get("ALLOCMETER_FUZZ_PROGRAMS", "2500"))

RUN = """
import json, sys
from fuzz_run import run_all

run_all(json.loads(sys.argv[1]), **json.loads(sys.argv[2]))
print("all equal")
"""


def seeds(share):
    if "/" in SEED:
        return f'["{SEED}"]'
    numbers = range(int(PROGRAMS * share))
    return "[" + ", ".join(f'"{SEED}/{number}"' for number in numbers) + "]"


@pytest.mark.slow
def test_every_figure_is_that_of_the_model():
    assert output_of(RUN, seeds(0.8), "{}", timeout=600) == "all equal\n"


def test_without_the_lock_counts_are_those_of_the_model_and_peaks_are_no_less():
    assert output_of(RUN, seeds(0.2), '{"released": true}', timeout=600) == "all equal\n"
