"""Where things are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
BUILT: Final = ROOT / "build" / "benchmarks"
DOCS: Final = ROOT / "docs"
