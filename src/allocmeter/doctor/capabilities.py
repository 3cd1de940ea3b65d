"""What can be asked for by name, and what it means that it works."""

from __future__ import annotations

CAPABILITIES = {
    "python": "what the interpreter's allocators hand out is counted exactly",
    "native": "what C code asks of malloc itself is counted exactly, under `allocmeter run`",
    "tasks": "concurrent asyncio tasks are told apart exactly",
    "uvloop": "the same on uvloop's event loop",
    "trio": "the same for trio's tasks",
    "finalizers": "what the garbage collector's finalizers allocate is charged to no task",
}
