"""Running somebody's program under measurement, as faithfully as if we were not there.

What the program can tell from a plain run, and nothing else:

- `sys.modules` holds allocmeter and what it imports, so a module of the program's that has the
  name of one of those from the standard library does not take its place.
- `sys.orig_argv` and `/proc/self/cmdline` are those of the `allocmeter run` command. `sys.argv`,
  `sys.path`, `sys.flags`, `os.environ` and `__main__` are those of a plain run; only
  `/proc/self/environ` still names the preload library.
- The stack has some frames below the program's. Tracebacks of exceptions do not show them.
- While SIGTERM has its default disposition a handler of ours stands in for it. It needs the
  interpreter to run: a main thread that stays inside C code ends when it comes back from there.
- With a timeline, a second thread takes samples. `threading` does not list it, and it is gone
  while the process forks.
"""
