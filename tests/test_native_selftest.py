"""The parts of the native core that need no interpreter, tested by a C program without one."""

from __future__ import annotations

import subprocess

import pytest

from compiling import CORE, NATIVE, compile_c, skip_unless_the_toolchain_has

# The sources that include no Python.h.
PARTS = (
    "account",
    "aggregate",
    "assertion",
    "histogram",
    "ledger",
    "node",
    "platform",
    "retention",
)


def compiled(directory, *flags):
    return compile_c(
        directory / "selftest",
        *sorted(NATIVE.glob("selftest*.c")),
        *(CORE / f"{part}.c" for part in PARTS),
        f"-I{CORE}",
        "-pthread",
        *flags,
    )


def run(program, *arguments):
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.slow
def test_the_core_keeps_its_promises_without_python(tmp_path):
    program = compiled(tmp_path, "-O2")
    for seed in (1, 2, 20240229):
        said = run(program, "-s", str(seed))
        parts = "ledger histogram peaks recycling aggregates foreign lifetimes"
        assert said == f"ok seed {seed}: {parts}\n"


@pytest.mark.slow
def test_no_address_or_undefined_behaviour_is_reported(tmp_path):
    flags = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    skip_unless_the_toolchain_has(tmp_path, *flags)
    assert run(compiled(tmp_path, *flags)).startswith("ok ")


@pytest.mark.slow
def test_no_data_race_is_reported(tmp_path):
    skip_unless_the_toolchain_has(tmp_path, "-fsanitize=thread")
    said = run(compiled(tmp_path, "-fsanitize=thread"), "foreign", "lifetimes")
    assert said.endswith(": foreign lifetimes\n")
