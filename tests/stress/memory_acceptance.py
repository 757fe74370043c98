#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much memory two benchmarks may take, and must give back.

    memory_acceptance.py mixed|battle BENCH_FOLDER LIBRARY [BLOCKS]

mixed   resident memory of `random_mixed 20000000 400 1`, with the working set live, after it was
        freed, and at its maximum, is at most glibc's of the same run + 360 KiB: 190 of blocks and
        tables, 110 of the library's own code and constants (which glibc's malloc shares with the
        rest of libc), and what kernels map of libc's code around what it calls, 0 to 60.
battle  the peak of BLOCKS blocks of 16 bytes is at most BLOCKS x 24 bytes x 1.03 + the empty
        process; after free and flush the process is at most 1 MiB larger than the empty one, and
        stays so.

Prints every figure.  A figure of several processes is the mean: where the kernel puts the libraries
moves how much of libc one of them maps by up to 180 KiB, and not in a curve that has a middle.
What they map of files does not depend on how long they run, so that comes from many short runs.
The library may be another allocator, to see how that one does.
"""

import os
import pathlib
import re
import statistics
import subprocess
import sys

MIXED_PROCESSES = 20
MIXED_SHORT_PROCESSES = 800
BATTLE_PROCESSES = 8
MIXED_SLACK_KIB = 360
FLUSHED_SLACK_KIB = 1024
PEAK_FACTOR = 1.03


def run(program, arguments, library):
    """The key=value pairs that one process printed."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    if library:
        environment["LD_PRELOAD"] = library
    expect = os.path.basename(library) if library else "libc.so"
    done = subprocess.run(
        [program, *arguments, "--expect", expect],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        sys.exit(f"{program} with {expect}: status {done.returncode}: {done.stderr.strip()}")
    return dict(re.findall(r"(\w+)=(\S+)", done.stdout))


class Checks:
    """Compares figures with their limits, prints all, remembers failures."""

    def __init__(self):
        self.failed = False

    def at_most(self, what, kib, limit_kib, reason):
        good = kib <= limit_kib
        self.failed |= not good
        print(
            f"{'ok  ' if good else 'FAIL'} {what}: {kib:,.0f} KiB, "
            f"limit {limit_kib:,.0f} KiB ({reason})"
        )


def of_files(values):
    """What is resident of the program and its libraries."""
    return int(values["resident_kib"]) - int(values["anonymous_kib"])


def check_mixed(checks, folder, library):
    program = str(folder / "bench_random_mixed")

    def several(cycles, processes):
        runs = {"glibc": [], "ours": []}
        for _ in range(processes):
            for name, path in (("glibc", ""), ("ours", library)):
                runs[name].append(run(program, (cycles, "400", "1"), path))
        return runs

    short, full = several("2000", MIXED_SHORT_PROCESSES), several("20000000", MIXED_PROCESSES)
    for key, what in (
        ("live_kib", "working set live"),
        ("resident_kib", "all freed"),
        ("peak_kib", "maximum"),
    ):
        kib = {
            name: statistics.fmean(map(of_files, short[name]))
            + statistics.fmean(int(values[key]) - of_files(values) for values in full[name])
            for name in full
        }
        checks.at_most(
            f"random mixed, {what}",
            kib["ours"],
            kib["glibc"] + MIXED_SLACK_KIB,
            f"glibc {kib['glibc']:,.0f} + {MIXED_SLACK_KIB}",
        )


def check_battle(checks, folder, library, blocks):
    program = str(folder / "bench_battle")
    runs = [run(program, (str(blocks),), library) for _ in range(BATTLE_PROCESSES)]
    kib = {
        key: statistics.fmean(int(values[key]) for values in runs)
        for key in ("before_kib", "peak_kib", "freed_kib", "flushed_kib", "idle_kib")
    }
    print(
        f"     battle, {blocks:,} blocks: empty process {kib['before_kib']:,.0f} KiB, freed "
        f"{kib['freed_kib']:,.0f} KiB, flush by {runs[0]['flush']}"
    )
    checks.at_most(
        f"battle, {blocks:,} blocks, peak",
        kib["peak_kib"],
        blocks * 24 / 1024 * PEAK_FACTOR + kib["before_kib"],
        f"blocks x 24 bytes x {PEAK_FACTOR} + the empty process",
    )
    for key, what in (
        ("flushed_kib", "after free and flush"),
        ("idle_kib", "after an idle second"),
    ):
        checks.at_most(
            f"battle, {blocks:,} blocks, {what}",
            kib[key],
            kib["before_kib"] + FLUSHED_SLACK_KIB,
            f"the empty process + {FLUSHED_SLACK_KIB}",
        )


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in ("mixed", "battle"):
        sys.exit(__doc__)
    folder, library = pathlib.Path(sys.argv[2]), sys.argv[3]
    checks = Checks()
    if sys.argv[1] == "mixed":
        check_mixed(checks, folder, library)
    else:
        for blocks in sys.argv[4:]:
            check_battle(checks, folder, library, int(blocks))
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
