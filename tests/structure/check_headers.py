#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each header has a guard of its own and compiles alone, twice; hakmem.h also as C99 and C++11.

A table that is included several times, with a macro defined, has "no include guard" in its comment
and is left out.
"""
import os
import re
import subprocess

import structure

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
PROJECT = ["-std=gnu17", "-D_GNU_SOURCE=", "-Iinclude", "-Isrc"]


def expected_guard(name):
    """The guard of a header of src/ and include/; None where only uniqueness is asked for."""
    if name == "include/hakmem.h":
        return "HAKMEM_H"
    match = re.fullmatch(r"src/(\w+)/(\w+)\.h", name)
    return f"HAK_{match.group(1)}_{match.group(2)}_H".upper() if match else None


def guard_of(text):
    """The name that a header's first two directives test and define, or None."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    match = re.match(r"\s*#ifndef (\w+)\n#define (\w+)\n", text)
    return match.group(1) if match and match.group(1) == match.group(2) else None


def compile_alone(tree, name, compiler, options, language):
    """The compiler's complaint about a file that includes only this header, twice."""
    text = f'#include "{name}"\n' * 2 + "extern int hak_headers_unused;\n"
    done = subprocess.run([*compiler.split(), *WARNINGS, *options, "-I.", "-x", language, "-"],
                          cwd=tree.root, input=text, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.stdout.strip() if done.returncode else None


def check(tree, report):
    guards = {}
    cc, cxx = os.environ.get("CC") or "cc", os.environ.get("CXX") or "c++"
    for name in tree.under("include", "src", "tools", "bench", "tests", suffixes=(".h",)):
        text = tree.read(name)
        if "no include guard" in text:
            continue
        guard = guard_of(text)
        if guard is None:
            report.add(name, 1, "does not start with #ifndef NAME, #define NAME")
        elif guard in guards:
            report.add(name, 1, f"guard {guard} is that of {guards[guard]}")
        elif expected_guard(name) not in (None, guard):
            report.add(name, 1, f"guard {guard} should be {expected_guard(name)}")
        guards.setdefault(guard, name)

        if not name.startswith(("include/", "src/")):
            continue
        builds = [(cc, PROJECT, "c")]
        if name == "include/hakmem.h":
            builds += [(cc, ["-std=c99", "-pedantic"], "c"), (cxx, ["-std=c++11"], "c++")]
        for compiler, options, language in builds:
            complaint = compile_alone(tree, name, compiler, options, language)
            if complaint:
                report.add(name, 1, f"does not compile alone ({' '.join(options)})\n{complaint}")


if __name__ == "__main__":
    structure.main(check)
