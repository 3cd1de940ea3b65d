"""Makes `python -m allocmeter` the `allocmeter` command."""

from __future__ import annotations

import sys

from allocmeter.cli import main

if __name__ == "__main__":
    sys.exit(main())
