"""The table of what is taken away to show that each hazard's tests can fail (red.py)."""

from __future__ import annotations

from pathlib import Path

import mutations_of_hooks
import mutations_of_mechanisms
import mutations_of_uses

ROOT = Path(__file__).parents[2]


def test_each_mitigation_that_can_be_taken_away_still_stands_where_it_did():
    gone = [
        (name, old)
        for module in (mutations_of_hooks, mutations_of_uses, mutations_of_mechanisms)
        for mutation in module.MUTATIONS
        for name, old, _ in mutation.edits
        if (ROOT / name).read_text().count(old) != 1
    ]
    assert not gone
