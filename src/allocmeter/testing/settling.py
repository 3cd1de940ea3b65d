"""Having each measured call start from the same state of the interpreter."""

from __future__ import annotations

import gc


def empty_free_lists() -> None:
    """Give back the blocks that the interpreter keeps for floats, tuples, dictionaries and others.

    What a test takes from these lists is no allocation, so without this its figures would depend on
    the tests before it. A full collection empties them, and starts the collector's counters anew;
    it looks at nothing, because everything there is stands aside meanwhile: it takes microseconds,
    and no finalizer runs.
    """
    if gc.get_freeze_count():
        gc.collect()  # the program has set objects aside by itself, and expects to find them there
        return
    gc.freeze()
    gc.collect()
    gc.unfreeze()
