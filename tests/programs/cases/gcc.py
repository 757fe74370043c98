# SPDX-License-Identifier: MIT
"""gcc and g++: every object file and every program the same byte for byte."""
import compiling
from harness import digest

NEEDS = {"gcc": "gcc", "g++": "g++"}
SERVED = ("gcc", "g++", "cc1", "cc1plus", "as", "ld", "collect2")

prepare = compiling.write_sources


def probe(run):
    for compiler, name in (("gcc", "small.c"), ("g++", "small.cc")):
        (run.work / name).write_text("int main() { return 0; }\n", encoding="utf-8")
        run.command(compiler, name)


def run(run):
    results = compiling.compile_all(run, "gcc", "g++")
    run.command("gcc", "-O2", "-flto=1", run.inputs / "small.c", "-o", "whole")
    results["optimised as a whole"] = digest(run.work / "whole")
    results["its output"] = run.command("./whole")
    return results
