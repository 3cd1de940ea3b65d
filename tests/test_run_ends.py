"""However a program ends, it ends under `allocmeter run` as it does without."""

from __future__ import annotations

import textwrap

import pytest

from run_helpers import compare

ENDS = {
    "the end of the file": "print('out'); import sys; print('err', file=sys.stderr)",
    "an exception": "def f(): 1 / 0\nf()",
    "a chained exception": """
        def f():
            try:
                {}["key"]
            except KeyError as error:
                raise ValueError("second") from error
        try:
            f()
        except ValueError:
            raise RuntimeError("third")
    """,
    "an exception group": """
        raise ExceptionGroup("many", [ValueError(1), OSError("two")])
    """,
    "an exception of our own": """
        from allocmeter import AllocmeterError
        raise AllocmeterError("the program's")
    """,
    "a broken pipe that it raises itself": "raise BrokenPipeError(32, 'Broken pipe')",
    "no memory": "raise MemoryError",
    "endless recursion": "def f(): f()\nf()",
    "a syntax error": "def (:\n",
    "an indentation error": "if True:\nprint()",
    "an exception without frames": "raise SystemError('x') from None",
    "a generator exit": "raise GeneratorExit",
    "exit status 0": "import sys; sys.exit()",
    "exit status 3": "import sys; sys.exit(3)",
    "exit status -1": "import sys; sys.exit(-1)",
    "exit with a message": "import sys; sys.exit('bye')",
    "exit with an object": "import sys; sys.exit({'a': 1})",
    "exit in a class of its own": "class Leave(SystemExit): pass\nraise Leave(4)",
    "quit()": "quit()",
    "no goodbye": "import os; print('lost'); os._exit(5)",
    "an interrupt": "raise KeyboardInterrupt",
    "an interrupt after scopes": """
        from allocmeter import measure
        for n in range(200):
            with measure("work"):
                kept = [bytes(n)]
        raise KeyboardInterrupt
    """,
    "an interrupt of its own class": "class Stop(KeyboardInterrupt): pass\nraise Stop",
    "an interrupt that it sends": "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    "a termination that it sends": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "a kill": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "an abort": "import os; os.abort()",
    "its own hook": """
        import sys
        def hook(kind, value, traceback):
            print(kind, value, sys.last_value is value, traceback is value.__traceback__)
        sys.excepthook = hook
        raise ValueError(1)
    """,
    "a hook that fails": """
        import sys
        def hook(kind, value, traceback):
            raise OSError("hook")
        sys.excepthook = hook
        raise ValueError(1)
    """,
    "a hook that exits": """
        import sys
        sys.excepthook = lambda kind, value, traceback: sys.exit(9)
        raise ValueError(1)
    """,
    "threads": """
        import threading, time
        def fail():
            raise ValueError(threading.current_thread().name)
        def late():
            threading.main_thread().join()
            print("late")
        threading.Thread(target=fail, name="failing").start()
        threading.Thread(target=late).start()
        print(threading.active_count() <= 3, threading.current_thread().name)
    """,
    "exit handlers": """
        import atexit, sys
        @atexit.register
        def first():
            print("first")
        @atexit.register
        def second():
            print("second")
            1 / 0
        print("end")
        1 / 0
    """,
    "an exit handler that exits": "import atexit, sys\natexit.register(sys.exit, 7)",
    "finalizers": """
        class Cycle:
            def __init__(self, name): self.me, self.name = self, name
            def __del__(self): print("finalized", self.name, name)
        name = "module alive"
        Cycle("garbage")
        kept = Cycle("kept")
        class Plain:
            def __del__(self): print("plain")
        plain = Plain()
    """,
    "a finalizer that fails": """
        class Bad:
            def __del__(self): raise ValueError("finalizer")
        Bad()
        bad = Bad()
    """,
    "standard output closed": "import sys; sys.stdout.close()",
    "no standard output": "import sys; sys.stdout = None",
    "standard error closed": "import sys, os; os.close(2)",
    "text without a line end": "import sys; sys.stdout.write('no end')",
    "a warning": "import warnings; warnings.warn('careful', stacklevel=1)",
    "execution of another program": """
        import os, sys
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-c", "print('other'); raise SystemExit(6)"])
    """,
    "daemon threads at work": """
        import threading
        def work():
            while True:
                [str(n) for n in range(100)]
        threading.Thread(target=work, daemon=True).start()
    """,
    "pickling from an exit handler": """
        import atexit, pickle
        class Point:
            pass
        @atexit.register
        def save():
            print(type(pickle.loads(pickle.dumps(Point()))))
    """,
}
# The kernel or the program itself leaves no room for a report.
SILENT = ("no goodbye", "a kill", "an abort", "execution of another program")


@pytest.mark.parametrize("native", ["--native", "--no-native"])
@pytest.mark.parametrize("end", ENDS)
def test_a_script_ends_as_without_us_by(end, native, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(ENDS[end]))
    _, report = compare(tmp_path, script, options=[native])
    assert (report is None) == (end in SILENT)


@pytest.mark.parametrize("kind", ["-c", "-m", "-"])
@pytest.mark.parametrize(
    "end", ["an exception", "exit status 3", "an interrupt", "a syntax error", "its own hook"]
)
def test_modules_code_and_input_end_as_without_us_by(end, kind, tmp_path):
    source = textwrap.dedent(ENDS[end])
    (tmp_path / "module.py").write_text(source)
    program = {"-c": ["-c", source], "-m": ["-m", "module"], "-": ["-"]}[kind]
    _, report = compare(
        tmp_path, *program, options=["--no-native"], cwd=tmp_path, text_in=source * (kind == "-")
    )
    assert report is not None
