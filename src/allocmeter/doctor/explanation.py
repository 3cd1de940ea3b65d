"""Why figures are not what they have to be, and what to do about it."""

from __future__ import annotations

import sys

REPORT = "please report this, with the output of `allocmeter doctor --json`"


def explain(difference: str) -> tuple[str, str]:
    """Return a reason and advice for a self-test whose figures differ by `difference`."""
    from allocmeter.backend import backend_info

    info = backend_info()
    by = f" ({info.displaced_by} is called in their place)" if info.displaced_by else ""
    if info.hook_position == "wrapped":
        cause = "another tool has hooked the allocators since, and its own blocks are counted too"
        return f"{difference}; {cause}{by}", "start that tool before the first scope"
    if info.hook_position == "removed":
        cause = "another tool has removed the allocator hooks"
        return f"{difference}; {cause}{by}", "leave that tool running"
    if sys.gettrace() is not None or sys.getprofile() is not None:
        cause = "the trace function of a debugger or of coverage allocates inside the scopes"
        return f"{difference}; {cause}", "run without it"
    return difference, REPORT
