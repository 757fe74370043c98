# SPDX-License-Identifier: MIT
"""clang: made sources of C and C++; every object file and program the same byte for byte."""
import compiling

NEEDS = {"clang": "clang", "g++": "g++"}  # g++ has the headers of C++
SERVED = ("clang", "ld")

prepare = compiling.write_sources


def probe(run):
    (run.work / "small.c").write_text("int main() { return 0; }\n", encoding="utf-8")
    run.command("clang", "small.c")


def run(run):
    results = compiling.compile_all(run, "clang", "clang++")
    results["analyzer"] = run.command(
        "clang",
        "--analyze",
        "-Xclang",
        "-analyzer-output=text",
        "-o",
        "-",
        run.inputs / "small.c",
        chatty=True,
    )
    return results
