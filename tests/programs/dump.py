"""Prints all that a program can see of how it was started."""

import os
import re
import sys


def show(value):
    return re.sub(r"0x[0-9a-f]+", "0x", repr(value))


for name, value in sorted(globals().items()):
    if name not in ("os", "re", "sys", "show", "name", "value"):
        print(name, show(type(value) if name == "__builtins__" else value))
print(sys.argv)
print(sys.path)
print(sys.flags)
print(sys.executable, sys.prefix, sys.warnoptions, sys._xoptions)
print(sys.modules["__main__"].__dict__ is globals())
print(sorted(os.environ.items()))
print(__debug__, sys.stdin.read() if sys.argv[-1] == "read" else "")
os.system("env | sort | grep -v ^_=")  # without COMMAND's own variable of the shell
