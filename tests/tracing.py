"""Having coverage measure children as well.

A trace function allocates inside the scopes it observes, so a child is measured only where it is
asked for: where no figure is asserted exactly.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

VARIABLE = "COVERAGE_PROCESS_CONFIG"


def coverage_variables():
    """Return the variables that have coverage measure a child too, if it measures this process."""
    coverage = sys.modules.get("coverage")
    measuring = coverage.Coverage.current() if coverage is not None else None
    if measuring is None:
        return {}
    # A child may have another working directory.
    measuring.config.data_file = str(Path(measuring.config.data_file).resolve())
    return {VARIABLE: measuring.config.serialize()}


def traced(environment=None):
    """Return an environment in which coverage measures a child too, if it measures this process.

    Args:
        environment: what the child's would be otherwise, by default that of this process.
    """
    return {**(os.environ if environment is None else environment), **coverage_variables()}
