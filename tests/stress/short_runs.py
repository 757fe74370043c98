#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a stress test many times for a short time each, with a new seed every time.

    short_runs.py RUNS PROGRAM [name=value ...]

What goes wrong once in a thousand runs is mostly at their beginning and their end.  Any failure, a
crash or a hang included, is printed with its seed and makes the status 1.
"""

import signal
import subprocess
import sys

TIMEOUT_SECONDS = 60
SHOWN = 5


def run_once(command):
    """None, or what went wrong."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"no end after {TIMEOUT_SECONDS} s"
    if done.returncode == 0:
        return None
    reason = done.stderr.strip() or "no message"
    if done.returncode < 0:
        return f"{signal.Signals(-done.returncode).name}: {reason}"
    return f"exit status {done.returncode}: {reason}"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    runs = int(sys.argv[1])
    failures = 0
    for seed in range(1, runs + 1):
        command = [*sys.argv[2:], f"seed={seed}"]
        problem = run_once(command)
        if problem:
            failures += 1
            if failures <= SHOWN:
                print(f"{' '.join(command)}: {problem}", file=sys.stderr)
    print(f"{runs} runs, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
