#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Visits every state of a Promela model.

    run_model.py [--broken] MODEL.pml [DEFINE ...]

Fails if an assertion can fail, if a state has no way on, or if the search was cut short.
--broken: the defines break the model, and the search must find an error; a model that can't fail
proves nothing.
Exit status 77: spin or a C compiler is missing.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
DEPTH = 100000
HASH_BITS = 22


def run(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def build_and_search(model, options, compiler, folder):
    """What the verifier printed; ends the process if there is none."""
    defines = options.defines
    # The search of a broken model ends soon: to compile it well takes longer than that.
    level = "-O0" if options.broken else "-O1"
    generated = run(["spin", "-a", *(f"-D{define}" for define in defines), str(model)], folder)
    if generated.returncode != 0 or not (folder / "pan.c").exists():
        sys.exit(f"spin: {generated.stdout}{generated.stderr}")
    compiled = run([compiler, level, "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"], folder)
    if compiled.returncode != 0:
        sys.exit(f"{compiler}: {compiled.stderr}")
    return run(["./pan", f"-m{DEPTH}", f"-w{HASH_BITS}"], folder)


def trail(model, defines, folder):
    """The steps that lead to the error."""
    steps = run(["spin", "-t", "-p", *(f"-D{define}" for define in defines), str(model)], folder)
    return steps.stdout


def main():
    parser = argparse.ArgumentParser(description="Visits every state of a Promela model.")
    parser.add_argument("--broken", action="store_true")
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("defines", nargs="*")
    options = parser.parse_args()
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not shutil.which("spin") or not compiler:
        print("spin or a C compiler is missing")
        return SKIPPED
    name = " ".join((options.model.name, *options.defines))
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        model = pathlib.Path(shutil.copy(options.model.resolve(), folder))
        done = build_and_search(model, options, compiler, folder)
        found = re.search(r"errors: (\d+)", done.stdout)
        states = re.search(r"(\d+) states, stored", done.stdout)
        problem = re.search(r"pan:\d+: (.*)", done.stdout)
        if not found or not states or "max search depth too small" in done.stdout:
            print(f"{name}: the search did not end well\n{done.stdout}{done.stderr}")
            return 1
        errors = int(found.group(1))
        what = problem.group(1) if problem else "no error"
        print(f"{name}: {int(states.group(1)):,} states, {what}")
        if errors and not options.broken:
            print(trail(model, options.defines, folder))
        return 0 if bool(errors) == options.broken else 1


if __name__ == "__main__":
    sys.exit(main())
