#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the benchmarks with several allocators, interleaved, and compares them.

    run.py quick          a few minutes: a first impression
    run.py full           the standard protocol
    run.py list           what there is

Every run is a fresh process with the allocator preloaded, and each process first proves which
library serves malloc.  Allocators take turns, and the order changes from round to round, so that a
slow phase of the machine meets all of them.  One more process for each benchmark and allocator runs
under strace, and with `full` another under callgrind (counting.py).

All figures go to a CSV file, and tables and plots to a folder beside it (report.py).  The
benchmarks are in rows.py, what is printed of the results is in figures.py.
"""

import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import counting
import figures
from progress import Progress
from record import Record, describe_machine
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


def run_process(command, environment):
    """What a process printed as key=value, or a message."""
    try:
        done = subprocess.run(
            command,
            env=environment,
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


def run_once(build, program, arguments, library, tool=None):
    """The metrics of one process, or a message.  Under a tool they are the tool's alone."""
    command = command_of(build, program, shlex.split(arguments), library)
    environment = environment_of(library)
    if not tool:
        return run_process(command, environment)
    with tempfile.TemporaryDirectory() as folder:
        printed, problem = run_process(*tool.wrap(command, environment, folder))
        return (None, f"{tool.name}: {problem}") if problem else (tool.read(folder, printed), None)


def turns_of(row, allocators, arguments, runs, tools):
    """(allocator, arguments, number of the run, tool) of each process, in order."""
    names = [name for name in allocators if name != "floor" or row.floor]
    for turn in range(runs):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            yield name, arguments, turn, None
    for tool in tools:
        counted = tool.arguments(row, arguments)
        for name in names if counted else ():
            yield name, counted, tool.name, tool


def run_row(build, row, allocators, turns, record, progress):
    """(allocator -> metrics of each process, whether all ended well); failures go to stderr."""
    results, complete = {}, True
    for name, arguments, run, tool in turns:
        progress.begin_process(f"{name}, {tool.name}" if tool else name)
        values, problem = run_once(build, row.program, arguments, allocators[name], tool)
        progress.end_process()
        if problem:
            progress.clear()
            print(f"  {name}: {problem}", file=sys.stderr)
            complete = False
        elif not tool or name in results:  # counts alone are compared with nothing
            results.setdefault(name, []).append(values)
            record.add(row, arguments, name, run, values)
    progress.clear()
    return results, complete


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


def print_row(row, results):
    """Returns lines for the summary."""
    summary = []
    for metric in row.metrics:
        found = figures.print_metric(results, metric)
        if found:
            summary.append((row.name, metric, found))
    figures.print_others(results, row.others)
    figures.print_above_floor(results)
    return summary


def write_page(path):
    """Tables and plots of the record, by a python3 that can: the first may lack the modules."""
    page = path.with_suffix("") if path.suffix else path.with_name(path.name + "-page")
    for python in (sys.executable, "/usr/bin/python3"):
        if not counting.problem_of([python, "-c", "import matplotlib, pandas"]):
            report = [python, REPOSITORY / "bench" / "report.py", path, page]
            if subprocess.run(report, check=False).returncode == 0:
                print(f"tables and plots: {page / 'benchmarks.md'}")
            return
    print("no tables and plots: python3 has no pandas or no matplotlib")


def run_rows(options, rows):
    """Whether all went well."""
    quick = options.command == "quick"
    allocators = choose_allocators(options)
    tools, notes = counting.tools(full=not quick)
    machine = describe_machine(options.build)
    machine["command"] = shlex.join(["bench/run.py", *sys.argv[1:]])
    path = options.csv or options.build / f"bench-{options.command}.csv"
    record = Record(path, machine, allocators, notes)
    print("; ".join(f"{key}: {value}" for key, value in machine.items()))
    print("".join(f"note: {note}\n" for note in notes), end="")
    summary, complete, progress = [], True, Progress(len(rows))
    for number, row in enumerate(rows, 1):
        runs = options.runs or (row.quick_runs if quick else row.runs)
        arguments = row.quick if quick else row.full
        print(
            f"\n[{number} of {len(rows)}{progress.left()}] "
            f"{row.name}: bench_{row.program} {arguments}, {runs} runs",
            flush=True,
        )
        turns = list(turns_of(row, allocators, arguments, runs, tools))
        progress.begin_row(row.name, len(turns))
        results, well = run_row(options.build, row, allocators, turns, record, progress)
        complete &= well
        summary += print_row(row, results)
    record.close()
    print()
    figures.print_summary(summary)
    print(f"every figure: {path}", flush=True)
    write_page(path)
    return complete


def main():
    options = parse_arguments()
    options.build = options.build.resolve()
    rows = [row for row in ROWS if options.only.lower() in row.name.lower()]
    if options.command == "list":
        for row in rows:
            print(f"{row.name:28} bench_{row.program} {row.full}")
        for name, library in choose_allocators(options).items():
            print(f"{name:28} {library or 'the system'}")
        return 0
    if not rows:
        sys.exit(f"run.py: no benchmark's name contains {options.only!r}")
    return 0 if run_rows(options, rows) else 1


if __name__ == "__main__":
    sys.exit(main())
