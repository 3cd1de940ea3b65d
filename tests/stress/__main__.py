"""Load the core with everything at once and at random, for as long as asked.

    python tests/stress [--minutes 3] [--seed N] [--only PART]

Each part runs again and again in processes of its own, with one of the interpreter's allocators
chosen at random. Prints the seed and how many operations were done; a finding is a crash, a hang or
a figure that is wrong. It ends the run with exit status 1 and the command that repeats it.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import os
import random
import secrets
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
PARTS = ("flows", "programs", "hooks", "forks", "dicts", "greenlets", "load")
ALLOCATORS = ("pymalloc", "malloc", "debug")
GRACE = 240  # seconds that a part may take beyond its time, on a busy machine


def main():
    options = arguments()
    if options.seconds is not None:
        return one(options)
    seed = options.seed or secrets.token_hex(4)
    print(f"seed {seed}, {options.minutes:g} minutes", flush=True)
    deadline = time.monotonic() + options.minutes * 60
    rng, done, rounds = random.Random(seed), dict.fromkeys(PARTS, 0), 0
    parts = [options.only] if options.only else list(PARTS)
    while (left := deadline - time.monotonic()) > 1:
        part = parts[rounds % len(parts)]
        seconds = min(left, options.slice, rng.uniform(5, 20))
        allocator = rng.choice(ALLOCATORS)
        found = child(part, f"{seed}-{rounds}", seconds, allocator)
        if found is None:
            return 1
        done[part] += found
        rounds += 1
    each = ", ".join(f"{name} {count:,}" for name, count in done.items() if name in parts)
    print(f"seed {seed}: {sum(done.values()):,} operations in {rounds} processes, no finding")
    print(f"  {each}")
    return 0


def child(part, seed, seconds, allocator):
    """Run one part, and return how many operations it did, or `None` after a finding."""
    command = [sys.executable, str(HERE), "--only", part, "--seed", seed]
    command += ["--seconds", f"{seconds:.1f}"]
    print(f"{part:10} {seed:14} {allocator:9} {seconds:4.0f} s", end=" ", flush=True)
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONMALLOC": allocator},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output, _ = process.communicate()
    last = output.strip().splitlines()[-1:] or [""]
    if process.returncode == 0 and last[0].startswith("operations "):
        print(f"{int(last[0].split()[1]):11,}", *last[0].split()[2:], flush=True)
        return int(last[0].split()[1])
    print(f"\n{output}\nFINDING, exit status {process.returncode}. To repeat it:")
    print(f"  PYTHONMALLOC={allocator}", *command, flush=True)
    return None


def one(options):
    faulthandler.enable()
    faulthandler.dump_traceback_later(options.seconds + GRACE, exit=True)
    sys.path.insert(0, str(HERE.parent))
    part = importlib.import_module(options.only)
    random.seed(options.seed)
    done = part.run(options.seed, options.seconds)
    print("operations", *(done if isinstance(done, tuple) else (done,)), flush=True)
    return 0


def arguments():
    parser = argparse.ArgumentParser(prog="stress", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", help="to repeat a run; a new one by default")
    parser.add_argument("--only", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--slice", type=float, default=60, help="longest time of one process")
    parser.add_argument("--seconds", type=float, help="run the one part in this process")
    options = parser.parse_args()
    if options.seconds is not None and options.only is None:
        parser.error("--seconds needs --only")
    return options


if __name__ == "__main__":
    sys.exit(main())
