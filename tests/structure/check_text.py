#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Text rules: no open marks, no path of one machine, no white space at the end of a line, no tabs,
at most 100 columns in code, the licence named at the top of each source file; no built files.
"""
import re

import structure

COLUMNS = 100
CODE_SUFFIXES = structure.C_SUFFIXES + (".py", ".sh", ".cmake")
CODE_NAMES = ("CMakeLists.txt", "Makefile", ".clang-format", ".clang-tidy", ".editorconfig",
              ".gitignore")
PROSE_SUFFIXES = (".md", ".txt", ".json", ".in", ".1")
# In pieces, so that this file passes its own check.
OPEN_MARK = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")
MACHINE_PATH = re.compile(r"/(?:home|Users)/\w|/ro" r"ot/|/wo" r"rk\b|/tmp/h" r"k\b")
LICENCE = "SPDX-License-" "Identifier: MIT"


def is_code(name, text):
    base = name.rsplit("/", 1)[-1]
    return name.endswith(CODE_SUFFIXES) or base in CODE_NAMES or text.startswith("#!")


def check_lines(name, text, code, report):
    for number, line in enumerate(text.split("\n"), 1):
        if OPEN_MARK.search(line):
            report.add(name, number, "open mark")
        if MACHINE_PATH.search(line):
            report.add(name, number, "path of one machine")
        if line != line.rstrip():
            report.add(name, number, "white space at the end of the line")
        if code and len(line) > COLUMNS:
            report.add(name, number, f"{len(line)} columns, more than {COLUMNS}")
        if code and "\t" in line and not name.endswith("Makefile"):
            report.add(name, number, "tab")


def check(tree, report):
    built = [name for name in tree.files if name.startswith("build/")]
    if built:
        report.add(built[0], 1, f"{len(built)} files of build/ are in the repository")
    for name in tree.files:
        if name in built:
            continue
        data = (tree.root / name).read_bytes()
        if b"\0" in data:
            continue
        text = data.decode("utf-8", errors="replace")
        code = is_code(name, text)
        if not code and not name.endswith(PROSE_SUFFIXES):
            continue
        check_lines(name, text, code, report)
        if code and LICENCE not in "\n".join(text.split("\n")[:3]):
            report.add(name, 1, f"no {LICENCE} in the first three lines")
        if text and not text.endswith("\n"):
            report.add(name, text.count("\n") + 1, "no newline at the end of the file")


if __name__ == "__main__":
    structure.main(check)
