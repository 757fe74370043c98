#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lets each memory call of a program fail in turn: once at each position, and from each on.

usage: run_fault.py INJECT WORKLOAD once|from|short|few
HAKMEM_LIB is the library; without it: glibc

short does both at a sample of the positions, the first sixty densely, with half of the work; few at
a third of those, with a fourth: for builds that make many more calls.  Status 0: no crash or abort,
contents intact, ENOMEM for every refused request, and all well after the failures ended.
"""

import concurrent.futures
import os
import re
import subprocess
import sys

SKIPPED = 77


def run(inject, workload, position, mode, share):
    """One run; returns (exit status, calls made, calls failed, requests refused, what was said)."""
    environment = dict(os.environ, HAKMEM_PURGE_DELAY_MS="0")
    if "HAKMEM_LIB" in environment:
        environment["LD_PRELOAD"] = environment["HAKMEM_LIB"]
    done = subprocess.run([inject, str(position), mode, workload, share], env=environment,
                          timeout=300, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, text=True, errors="replace")
    calls = re.search(r"calls (\d+) failed (\d+)", done.stdout)
    refused = re.search(r"refused (\d+)", done.stdout)
    return (done.returncode, int(calls[1]) if calls else 0, int(calls[2]) if calls else 0,
            int(refused[1]) if refused else 0, done.stderr.strip())


def positions(count, mode):
    if mode not in ("short", "few"):
        return [(position, mode) for position in range(1, count + 1)]
    sample = sorted({*range(1, min(count, 60) + 1, 4), *range(1, count + 1, max(1, count // 20))})
    if mode == "few":
        sample = sample[::3]
    return [(position, how) for position in sample for how in ("once", "from")]


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    inject, workload, mode = sys.argv[1:]
    share = {"few": "4", "short": "2"}.get(mode, "1")
    status, count, _, refused, said = run(inject, workload, 0, "once", share)
    if status == SKIPPED:
        print(said)
        sys.exit(SKIPPED)
    if status != 0 or count == 0 or refused != 0:
        sys.exit(f"without failures: status {status}, {count} calls, {refused} refused: {said}")

    places = positions(count, mode)
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(lambda place: run(inject, workload, *place, share), places))
    wrong = 0
    for (position, how), (status, _, _, _, said) in zip(places, results):
        if status != 0:
            wrong += 1
            if wrong <= 20:
                print(f"{how} {position}: status {status}: {said}")
    hit = sum(1 for result in results if result[2])
    refusals = sum(result[3] for result in results)
    print(f"{count} memory calls; {len(places)} runs, {hit} with failures, {refusals} refusals: "
          f"{wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
