#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What learning is worth on a program whose places use large blocks in ways of their own.

Runs bench_purposes, in turns: with each step for all places; with the best step for each place,
found by changing one place at a time (hindsight); with what `hakmem learn` has written; learning
from nothing; with the fixed policy; and on the other allocators.  Prints the medians of the
program's cost: the processor's time, and a price on resident memory (bench/purposes.c).
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from run import REPOSITORY, environment_of, find_allocators, run_process

KEEPS = ("0", "10", "100", "1000", "10000", "ever")
MAGIC = "hakmem policy 1\n"


class Policy:
    """The sites of a policy file, and what to keep for each."""

    def __init__(self, text):
        lines = text.splitlines()[1:-1]
        self.sites = [line.split(" ", 3) for line in lines]  # site, offset, keep, module and symbol
        self.keeps = [site[2] for site in self.sites]

    def names(self):
        return [site[3].partition("\t")[2].partition("+")[0] for site in self.sites]

    def text(self, keeps):
        lines = (f"site {site[1]} {keep} {site[3]}\n" for site, keep in zip(self.sites, keeps))
        return MAGIC + "".join(lines) + "end\n"


class Subjects:
    """Ways to run the program: name -> environment."""

    def __init__(self, program, folder, library):
        self.program, self.folder, self.library = program, folder, library
        self.environments, self.costs, self.values = {}, {}, {}

    def add(self, name, library=None, policy=None, **options):
        environment = environment_of(self.library if library is None else library)
        environment.update({f"HAKMEM_{key.upper()}": value for key, value in options.items()})
        if policy is not None:
            path = pathlib.Path(self.folder) / f"{len(self.environments)}.hakpolicy"
            path.write_text(policy)
            environment["HAKMEM_POLICY_FILE"] = str(path)
        self.environments[name] = environment
        self.costs[name] = []
        self.values[name] = []

    def run(self, names, times, tell):
        for turn in range(times):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                values, problem = run_process(self.program, self.environments[name])
                if problem:
                    sys.exit(f"learning.py: {name}: {problem}")
                self.costs[name].append(float(values["cost"]))
                self.values[name].append(values)
                tell()

    def cost(self, name):
        return statistics.median(self.costs[name])

    def line(self, name):
        cpu, held = (statistics.median(float(values[key]) for values in self.values[name])
                     for key in ("cpu_seconds", "resident_gib_s"))
        return f"{name:24} {self.cost(name):8.3f} {cpu:8.3f} {held:8.3f}"


def learn(tool, library, program, folder):
    """The text of the policy that a run has learned."""
    path = pathlib.Path(folder) / "learned.hakpolicy"
    subprocess.run([tool, "learn", "--lib", library, "-o", path, "--", *program], check=True,
                   stdout=subprocess.DEVNULL, env=environment_of(""))
    return path.read_text()


def find_hindsight(subjects, policy, single, runs, tell):
    """The best step of each place, when all others have `single`."""
    best = []
    for number in range(len(policy.sites)):
        names = []
        for keep in KEEPS:
            keeps = [single] * len(policy.sites)
            keeps[number] = keep
            names.append(f"{policy.names()[number]} {keep}")
            subjects.add(names[-1], policy=policy.text(keeps))
        subjects.run(names, runs, tell)
        best.append(KEEPS[min(range(len(KEEPS)), key=lambda step: subjects.cost(names[step]))])
    return best


def measure(options, folder):
    build = options.build.resolve()
    program = [str(build / "bench" / "bench_purposes"), str(options.steps)]
    allocators = find_allocators(build, [])
    library = allocators.pop("hakmem")
    done = [0]

    def tell():
        done[0] += 1
        print(f"\r{done[0]} runs", end="", file=sys.stderr, flush=True)

    policy = Policy(learn(str(build / "hakmem"), library, program, folder))
    subjects = Subjects(program, folder, library)
    singles = [f"all {keep}" for keep in KEEPS]
    for name, keep in zip(singles, KEEPS):
        subjects.add(name, policy=policy.text([keep] * len(policy.sites)))
    subjects.run(singles, options.runs, tell)
    single = KEEPS[min(range(len(KEEPS)), key=lambda step: subjects.cost(singles[step]))]
    hindsight = find_hindsight(subjects, policy, single, options.runs, tell)
    subjects.add("hindsight", policy=policy.text(hindsight))
    subjects.add("learned before", policy=policy.text(policy.keeps))
    subjects.add("learning", profile="learn")
    subjects.add("fixed policy", profile="balanced")
    for name, path in allocators.items():
        subjects.add(name, library=path)
    last = ["hindsight", "learned before", "learning", "fixed policy", f"all {single}", *allocators]
    for name in last:
        subjects.costs[name], subjects.values[name] = [], []
    subjects.run(last, options.runs, tell)
    print("\r", end="", file=sys.stderr)
    return subjects, policy, single, hindsight, singles, last


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=REPOSITORY / "build" / "release")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1600, help="of bench_purposes, 5 ms each")
    parser.add_argument("--json", type=pathlib.Path, help="write every figure there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subjects, policy, single, hindsight, singles, last = measure(options, folder)
    print("places:    " + ", ".join(policy.names()))
    print("learned:   " + ", ".join(policy.keeps))
    print("hindsight: " + ", ".join(hindsight))
    print(f"{'':24} {'cost s':>8} {'cpu s':>8} {'GiB s':>8}")
    for name in (*singles, *last):
        if name not in last or name in singles:
            print(subjects.line(name))
    for name in last:
        ratio = subjects.cost(name) / subjects.cost("learning")
        print(f"{subjects.line(name)}   {ratio:.3f} x learning")
    if options.json:
        options.json.write_text(json.dumps({"costs": subjects.costs, "hindsight": hindsight,
                                            "learned": policy.keeps, "single": single}, indent=1))
    return 0


if __name__ == "__main__":
    os.chdir(REPOSITORY)
    sys.exit(main())
