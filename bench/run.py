#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the benchmarks with several allocators, interleaved, and compares them.

    run.py quick          a few minutes: a first impression
    run.py full           the standard protocol
    run.py list           what there is

Every run is a fresh process with the allocator preloaded, and each process first proves which
library serves malloc.  Allocators take turns, and the order changes from round to round, so that a
slow phase of the machine meets all of them.  The benchmarks are in rows.py, what becomes
of the results is in figures.py.
"""

import argparse
import csv
import os
import pathlib
import platform
import re
import shlex
import subprocess
import sys
import time

import figures
from rows import ROWS

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
TIMEOUT_SECONDS = 600

# Peers are looked up by name, so that any distribution's will do.
PEERS = (
    ("mimalloc", r"libmimalloc\.so[.\d]*"),
    ("jemalloc", r"libjemalloc\.so[.\d]*"),
    ("tcmalloc", r"libtcmalloc_minimal\.so[.\d]*"),
    ("tbbmalloc", r"libtbbmalloc_proxy\.so[.\d]*"),
)


# ---- Allocators --------------------------------------------------------------------------------


def installed_libraries():
    for ldconfig in ("ldconfig", "/sbin/ldconfig"):
        try:
            output = subprocess.run(
                [ldconfig, "-p"], capture_output=True, text=True, check=True
            ).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        return dict(re.findall(r"^\s+(\S+) \([^)]*\) => (\S+)$", output, re.MULTILINE))
    return {}


def find_allocators(build, extra):
    """name -> path of the library to preload; '' for the one the program has anyway."""
    allocators = {"glibc": ""}
    ours = build / "libhakmem.so"
    if ours.exists():
        allocators["hakmem"] = str(ours)
    libraries = installed_libraries()
    for name, pattern in PEERS:
        found = sorted(
            path for library, path in libraries.items() if re.fullmatch(pattern, library)
        )
        if found:
            allocators[name] = found[-1]
    for item in extra:
        name, equals, path = item.partition("=")
        if not equals or (path and not os.path.exists(path)):
            sys.exit(f"run.py: --alloc {item}: expected NAME=LIBRARY.so")
        allocators[name] = os.path.abspath(path) if path else ""
    return allocators


# ---- Running -----------------------------------------------------------------------------------


def command_of(build, program, words, library):
    """A benchmark that refuses to run unless the library serves malloc."""
    expect = os.path.basename(library) if library else "libc.so"
    return [str(build / "bench" / f"bench_{program}"), *words, "--expect", expect]


def environment_of(library):
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    if library:
        environment["LD_PRELOAD"] = library
    return environment


def run_once(build, row, arguments, library):
    """The metrics that one process printed, or a message."""
    try:
        done = subprocess.run(
            command_of(build, row.program, shlex.split(arguments), library),
            env=environment_of(library),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None, f"no end after {TIMEOUT_SECONDS} s"
    except OSError as error:
        return None, f"{error} (run `make` first)"
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return None, f"exit status {done.returncode}: {lines[-1]}"
    return dict(re.findall(r"(\w+)=(\S+)", done.stdout)), None


def run_row(build, row, allocators, quick, runs):
    """allocator -> list of what each run printed; failures are told on stderr and kept out."""
    results = {name: [] for name in allocators}
    arguments = row.quick if quick else row.full
    names = list(allocators)
    for turn in range(runs):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            if name == "floor" and not row.floor:
                continue
            values, problem = run_once(build, row, arguments, allocators[name])
            if problem:
                print(f"  {name}: {problem}", file=sys.stderr)
            else:
                results[name].append(values)
    return {name: found for name, found in results.items() if found}


# ---- Records ------------------------------------------------------------------------------------


def describe_machine(build):
    def first_line(path, pattern="(.*)"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                found = re.search(pattern, file.read())
        except OSError:
            return "?"
        return found.group(1).strip() if found else "?"

    cache = re.search(
        r"CMAKE_BUILD_TYPE:\w+=(\S*)",
        (build / "CMakeCache.txt").read_text() if (build / "CMakeCache.txt").exists() else "",
    )
    return {
        "processor": first_line("/proc/cpuinfo", r"model name\s*: (.*)"),
        "processors": str(len(os.sched_getaffinity(0))),
        "memory_kib": first_line("/proc/meminfo", r"MemTotal:\s*(\d+)"),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "system": first_line("/etc/os-release", r'PRETTY_NAME="?([^"\n]*)'),
        "huge_pages": first_line("/sys/kernel/mm/transparent_hugepage/enabled"),
        "virtual": "yes"
        if re.search(r"\bhypervisor\b", first_line("/proc/cpuinfo", r"flags\s*: (.*)"))
        else "no",
        "build_type": cache.group(1) if cache else "?",
    }


class Record:
    """Every figure of every run, one a line, below the machine's description."""

    def __init__(self, path, machine, allocators):
        self.file = open(path, "w", newline="", encoding="utf-8")
        for key, value in machine.items():
            self.file.write(f"# {key}: {value}\n")
        for name, library in allocators.items():
            self.file.write(f"# allocator {name}: {library or 'the system'}\n")
        self.writer = csv.writer(self.file, lineterminator="\n")
        self.writer.writerow(("benchmark", "arguments", "allocator", "run", "key", "value"))

    def add(self, row, arguments, results):
        for name, found in results.items():
            for run, values in enumerate(found):
                for key, value in values.items():
                    self.writer.writerow((row.name, arguments, name, run, key, value))
        self.file.flush()


# ---- Command line ------------------------------------------------------------------------------


def parse_arguments():
    parser = argparse.ArgumentParser(description="Compares allocators on the benchmarks.")
    parser.add_argument("command", choices=("quick", "full", "list"))
    parser.add_argument(
        "--build",
        type=pathlib.Path,
        default=REPOSITORY / "build" / "release",
        help="the build folder, with bench/ and libhakmem.so (default: %(default)s)",
    )
    parser.add_argument(
        "--alloc",
        action="append",
        default=[],
        metavar="NAME=LIBRARY.so",
        help="one more allocator, or another library for a known one",
    )
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="benchmarks whose name contains it"
    )
    parser.add_argument("--allocators", metavar="NAME,NAME", help="only these")
    parser.add_argument("--runs", type=int, help="processes for each benchmark and allocator")
    parser.add_argument("--csv", type=pathlib.Path, help="(default: BUILD/bench-COMMAND.csv)")
    return parser.parse_args()


def choose_allocators(options):
    allocators = find_allocators(options.build, options.alloc)
    if options.allocators:
        wanted = options.allocators.split(",")
        missing = [name for name in wanted if name not in allocators]
        if missing:
            sys.exit(
                f"run.py: no allocator {', '.join(missing)}; there are {', '.join(allocators)}"
            )
        allocators = {name: allocators[name] for name in wanted}
    floor = options.build / "bench" / "libhakmem_floor.so"
    if floor.exists():
        allocators["floor"] = str(floor)
    return allocators


def time_left(start, done, rows):
    """What the rows to come take if they take as long as those before."""
    if not done:
        return ""
    seconds = (time.monotonic() - start) / done * (rows - done)
    left = f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
    return f", about {left} left"


def main():
    options = parse_arguments()
    quick = options.command == "quick"
    options.build = options.build.resolve()
    rows = [row for row in ROWS if options.only.lower() in row.name.lower()]
    if options.command == "list":
        for row in rows:
            print(f"{row.name:28} bench_{row.program} {row.full}")
        for name, library in choose_allocators(options).items():
            print(f"{name:28} {library or 'the system'}")
        return 0
    allocators = choose_allocators(options)
    machine = describe_machine(options.build)
    path = options.csv or options.build / f"bench-{options.command}.csv"
    record = Record(path, machine, allocators)
    print("; ".join(f"{key}: {value}" for key, value in machine.items()))
    summary, complete, start = [], True, time.monotonic()
    for done, row in enumerate(rows):
        runs = options.runs or (row.quick_runs if quick else row.runs)
        arguments = row.quick if quick else row.full
        print(
            f"\n[{done + 1} of {len(rows)}{time_left(start, done, len(rows))}] "
            f"{row.name}: bench_{row.program} {arguments}, {runs} runs",
            flush=True,
        )
        results = run_row(options.build, row, allocators, quick, runs)
        expected = {name for name in allocators if name != "floor" or row.floor}
        complete &= all(len(results.get(name, [])) == runs for name in expected)
        record.add(row, arguments, results)
        for metric in row.metrics:
            found = figures.print_metric(results, metric)
            if found:
                summary.append((row.name, metric, found))
        figures.print_above_floor(results)
    print()
    figures.print_summary(summary)
    print(f"every run: {path}")
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
