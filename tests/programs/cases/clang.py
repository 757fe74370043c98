# SPDX-License-Identifier: MIT
"""clang and clang++: every object file and every program the same byte for byte; the analyzer."""
import compiling

NEEDS = {"clang": "clang", "clang++": "clang", "g++": "g++"}  # g++ has the headers of C++
SERVED = ("clang", "ld")

prepare = compiling.write_sources


def probe(run):
    (run.work / "small.c").write_text("int main() { return 0; }\n", encoding="utf-8")
    run.command("clang", "small.c")


def run(run):
    results = compiling.compile_all(run, "clang", "clang++")
    results["analysis"] = run.command("clang", "--analyze", "-Xclang", "-analyzer-output=text",
                                      "-o", "-", run.inputs / "small.c", chatty=True)
    return results
