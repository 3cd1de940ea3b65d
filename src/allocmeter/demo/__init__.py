"""A measured asyncio server under real load: what `allocmeter demo` runs."""

from __future__ import annotations
