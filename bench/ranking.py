#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The ranking of the scenarios: hakmem twice, as it is and learning, and every other allocator.

Runs bench_scenarios json, mir, vm and mixed, one process each, in turns.  For each scenario: the
median of the nanoseconds an operation took and where it is with 95 % confidence, P95 and P99 over
the runs, page faults, and points: 5 for the best median, then 4, 3, 2, 1.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys

from figures import percentile
from progress import Progress
from run import REPOSITORY, command_of, environment_of, find_allocators, run_process

SCENARIOS = ("json", "mir", "vm", "mixed")
POINTS = (5, 4, 3, 2, 1)


def subjects_of(build, extra):
    """name -> (library, environment)."""
    libraries = find_allocators(build, extra)
    if "hakmem" not in libraries:
        sys.exit(f"ranking.py: no libhakmem.so in {build} (run `make` first)")
    ours = libraries.pop("hakmem")
    subjects = {"hakmem, learning": (ours, environment_of(ours) | {"HAKMEM_PROFILE": "learn"}),
                "hakmem": (ours, environment_of(ours))}
    for name, library in libraries.items():
        subjects[name] = (library, environment_of(library))
    return subjects


def run_scenario(options, scenario, subjects, progress):
    """name -> [(ns an operation, page faults)]."""
    found = {name: [] for name in subjects}
    names = list(subjects)
    progress.begin_row(scenario, options.runs * len(names))
    for turn in range(options.runs):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            library, environment = subjects[name]
            progress.begin_process(f"{name}, run {turn + 1} of {options.runs}")
            command = command_of(options.build, "scenarios", [scenario], library)
            values, problem = run_process(command, environment)
            if problem:
                sys.exit(f"ranking.py: {scenario}: {name}: {problem}")
            nanoseconds = float(values["seconds"]) * 1e9 / float(values["ops"])
            found[name].append((nanoseconds, float(values["faults"])))
            progress.end_process()
    return found


def median_interval(values):
    """Between these of the sorted values the median of all runs is, with 95 % confidence: their
    ranks by the normal approximation of the binomial distribution."""
    reach = 0.98 * len(values) ** 0.5
    low = max(0, int(len(values) / 2 - reach))
    high = min(len(values) - 1, int(len(values) / 2 + reach))
    return values[low], values[high]


def rank(found):
    """name -> points, by the medians."""
    order = sorted(found, key=lambda name: statistics.median(ns for ns, _ in found[name]))
    return {name: POINTS[place] if place < len(POINTS) else 0 for place, name in enumerate(order)}


def print_scenario(scenario, found):
    points = rank(found)
    print(f"{scenario:18} {'median ns':>11} {'95 %':>23} {'P95':>11} {'P99':>11} {'faults':>8}"
          f" {'points':>7}")
    for name in sorted(found, key=lambda name: statistics.median(ns for ns, _ in found[name])):
        values = sorted(ns for ns, _ in found[name])
        low, high = median_interval(values)
        print(f"  {name:16} {statistics.median(values):11,.1f} {f'{low:,.1f} to {high:,.1f}':>23}"
              f" {percentile(values, 95):11,.1f} {percentile(values, 99):11,.1f}"
              f" {statistics.median(faults for _, faults in found[name]):8,.0f}"
              f" {points[name]:7}")
    print()
    return points


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=REPOSITORY / "build" / "release")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--alloc", action="append", default=[], metavar="NAME=LIBRARY.so")
    parser.add_argument("--json", type=pathlib.Path, help="write every figure there")
    options = parser.parse_args()
    options.build = options.build.resolve()
    subjects = subjects_of(options.build, options.alloc)
    progress = Progress(len(SCENARIOS))
    results = {scenario: run_scenario(options, scenario, subjects, progress)
               for scenario in SCENARIOS}
    progress.clear()
    sums = dict.fromkeys(subjects, 0)
    for scenario, found in results.items():
        for name, points in print_scenario(scenario, found).items():
            sums[name] += points
    print("points: " + ", ".join(f"{name} {sums[name]}"
                                 for name in sorted(sums, key=sums.get, reverse=True)))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    os.chdir(REPOSITORY)
    sys.exit(main())
