# SPDX-License-Identifier: MIT
"""gcc and g++: made sources of C and C++; every object file and program the same byte for byte."""
import compiling

NEEDS = {"gcc": "gcc", "g++": "g++"}
SERVED = ("gcc", "g++", "cc1", "cc1plus", "as", "ld", "collect2")

prepare = compiling.write_sources


def probe(run):
    for compiler, name in (("gcc", "small.c"), ("g++", "small.cc")):
        (run.work / name).write_text("int main() { return 0; }\n", encoding="utf-8")
        run.command(compiler, name)


def run(run):
    results = compiling.compile_all(run, "gcc", "g++")
    run.command(
        "gcc", "-O2", "-flto=1", "-ffunction-sections", run.inputs / "small.c", "-o", "whole"
    )
    results["output of the program that was optimised as a whole"] = run.command("./whole")
    return results
