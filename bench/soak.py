#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Soaks allocators, and says whether anything drifted.

    soak.py run [--seconds N] [--each] [--alloc NAME=LIBRARY.so]...   runs, then analyses
    soak.py show FILE.csv...                                          analyses

A run writes soak-NAME.csv for each allocator, one after the other, each for the whole time: a line
a step of 20 million cycles of random mixed (bench/soak.c), in one process.  With --each, every step
is a process of its own, and the allocators take turns.

    drift   the mean of the last five steps against that of the first five
    CV      standard deviation over mean
    tail    the slowest step of each tenth of the time, against the median of all
"""

import argparse
import csv
import pathlib
import statistics
import subprocess
import sys
import time

import run as bench

COLUMNS = ("epoch_s", "elapsed_s", "iter", "throughput_ops_s", "peak_rss_mb", "rss_mb")
ENDS = 5  # steps at the start and at the end that are compared
EPOCHS = 10


# ---- Analysis ----------------------------------------------------------------------------------


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def drift(values):
    """Of the last steps against the first, as a share; None: too few steps."""
    if len(values) < 2 * ENDS:
        return None
    return statistics.fmean(values[-ENDS:]) / statistics.fmean(values[:ENDS]) - 1


def variation(values):
    return statistics.stdev(values) / statistics.fmean(values) if len(values) > 1 else 0.0


def tails(values):
    """The slowest step of each epoch as a share of the median step."""
    middle = statistics.median(values)
    edges = [len(values) * i // EPOCHS for i in range(EPOCHS + 1)]
    epochs = [values[first:last] for first, last in zip(edges, edges[1:])]
    return [min(epoch) / middle for epoch in epochs if epoch]


def percent(share):
    return "too short" if share is None else f"{100 * share:+.2f} %"


def show(name, steps):
    if not steps:
        print(f"{name}: no step was finished")
        return
    speed = [step["throughput_ops_s"] for step in steps]
    memory = [step["rss_mb"] for step in steps]
    print(
        f"{name}: {len(steps)} steps, {statistics.median(speed) / 1e6:.1f} M ops/s, "
        f"drift {percent(drift(speed))}, CV {100 * variation(speed):.2f} %"
    )
    print(
        f"    memory {memory[-1]:.2f} MiB, drift {percent(drift(memory))}, "
        f"peak {max(step['peak_rss_mb'] for step in steps):.2f} MiB"
    )
    print("    tail by epochs " + " ".join(f"{share:.2f}" for share in tails(speed)))


# ---- Runs --------------------------------------------------------------------------------------


def command_of(options, library, seconds):
    words = map(str, (seconds, options.cycles, options.ws))
    return bench.command_of(options.build, "soak", words, library)


def soak_whole(options, library, path):
    with open(path, "w", encoding="utf-8") as file:
        subprocess.run(
            command_of(options, library, options.seconds),
            env=bench.environment_of(library),
            stdout=file,
            check=True,
        )


def soak_each(options, allocators, paths):
    """The allocators in turns, a process a step; elapsed is that of all of them."""
    start = time.monotonic()
    files = {name: open(path, "w", encoding="utf-8") for name, path in paths.items()}
    for file in files.values():
        file.write(",".join(COLUMNS) + "\n")
    step = 0
    while time.monotonic() - start < options.seconds:
        for name, library in allocators.items():
            done = subprocess.run(
                command_of(options, library, 1),
                env=bench.environment_of(library),
                capture_output=True,
                text=True,
                check=True,
            )
            last = dict(zip(COLUMNS, done.stdout.splitlines()[-1].split(",")))
            last |= {"elapsed_s": f"{time.monotonic() - start:.3f}", "iter": str(step)}
            files[name].write(",".join(last[column] for column in COLUMNS) + "\n")
            files[name].flush()
        step += 1
    for file in files.values():
        file.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("run", "show"))
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--each", action="store_true", help="a process for each step, in turns")
    parser.add_argument("--cycles", type=int, default=20000000, help="of a step")
    parser.add_argument("--ws", type=int, default=400, help="slots")
    parser.add_argument("--alloc", action="append", default=[], metavar="NAME=LIBRARY.so")
    parser.add_argument("--allocators", metavar="NAME,NAME", help="only these")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--build", type=pathlib.Path,
                        default=bench.REPOSITORY / "build" / "release")
    options = parser.parse_args()
    if options.command == "run":
        allocators = bench.choose_allocators(options)
        allocators.pop("floor", None)
        options.files = [options.folder / f"soak-{name}.csv" for name in allocators]
        if options.each:
            soak_each(options, allocators, dict(zip(allocators, options.files)))
        else:
            for library, path in zip(allocators.values(), options.files):
                soak_whole(options, library, path)
    for path in options.files:
        show(path.stem, read(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
