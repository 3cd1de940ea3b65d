"""Having each measured call start from the same state of the interpreter."""

from __future__ import annotations

import gc
import warnings
from typing import Final

from allocmeter._core.own import OWN

# Python 3.12 has set some hundred objects aside when it starts.
_OF_THE_INTERPRETER: Final = 1_000


def collect_between_tests() -> None:
    """Let go of what earlier tests left behind in cycles.

    Otherwise it stays in the tables of event loops until some collection looks at it, which those
    below do not, and whether a table has to grow in a test depends on what ran before. Done where
    pytest takes nothing for the fault of a test; what those before did not close is not said.
    """
    with OWN, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def empty_free_lists() -> None:
    """Give back the blocks that the interpreter keeps for floats, tuples, dictionaries and others.

    What a test takes from these lists is no allocation, so without this its figures would depend on
    the tests before it. A full collection empties them, and starts the collector's counters anew;
    it looks at nothing, because everything there is stands aside meanwhile: it takes microseconds,
    and no finalizer runs.
    """
    if gc.get_freeze_count() > _OF_THE_INTERPRETER:
        gc.collect()  # the program has set objects aside by itself, and expects to find them there
        return
    gc.freeze()
    gc.collect()
    gc.unfreeze()
