"""Having coverage measure children as well.

A trace function allocates inside the scopes it observes, so a child is measured only where it is
asked for: where no figure is asserted exactly.
"""

from __future__ import annotations

import os
import sys


def traced(environment=None):
    """Return an environment in which coverage measures a child too, if it measures this process.

    Args:
        environment: what the child's would be otherwise, by default that of this process.
    """
    environment = dict(os.environ if environment is None else environment)
    coverage = sys.modules.get("coverage")
    measuring = coverage.Coverage.current() if coverage is not None else None
    if measuring is not None:
        environment["COVERAGE_PROCESS_CONFIG"] = measuring.config.serialize()
    return environment
