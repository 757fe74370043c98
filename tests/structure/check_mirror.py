#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each src/<folder>/<stem>.c has a tests/unit/<folder>/test_<stem>.c, and each such test has a
source of that name, or a header.

mirror_exceptions.txt lists what has none, each with the reason.
"""
import fnmatch
import re

import structure

EXCEPTIONS = "tests/structure/mirror_exceptions.txt"


def exceptions(tree, report):
    """{pattern: line} of the exceptions file."""
    found = {}
    if EXCEPTIONS not in tree.files:
        return found
    for number, line in enumerate(tree.read(EXCEPTIONS).splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"(src/\S+\.c) +(\S.*)", line)
        if match:
            found[match.group(1)] = number
        else:
            report.add(EXCEPTIONS, number, "not `src/<folder>/<stem>.c reason`")
    return found


def check(tree, report):
    excepted = exceptions(tree, report)
    for name in tree.under("src", suffixes=(".c",)):
        folder, stem = name[len("src/"):-len(".c")].rsplit("/", 1)
        test = f"tests/unit/{folder}/test_{stem}.c"
        patterns = [pattern for pattern in excepted if fnmatch.fnmatch(name, pattern)]
        if test not in tree.files and not patterns:
            report.add(name, 1, f"has no {test}, and is not in {EXCEPTIONS}")
        if test in tree.files and name in patterns:
            report.add(EXCEPTIONS, excepted[name], f"{name} has a test now")
    for pattern, line in excepted.items():
        if not fnmatch.filter(tree.files, pattern):
            report.add(EXCEPTIONS, line, f"{pattern} matches no file")
    for name in tree.under("tests/unit", suffixes=(".c",)):
        source = re.sub(r"^tests/unit/(\w+)/test_(\w+)\.c$", r"src/\1/\2", name)
        if source != name and not {source + ".c", source + ".h"} & set(tree.files):
            report.add(name, 1, "mirrors no file of src/")


if __name__ == "__main__":
    structure.main(check)
