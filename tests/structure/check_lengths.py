#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Files have at most 400 lines and functions at most 60.

A file that needs more says why in a comment: `length: the reason`.
"""
import re

import structure

FILE_LINES = 400
FUNCTION_LINES = 60
FOLDERS = ("include", "src", "tools", "bench", "tests", "scripts")
REASON = re.compile(r"\blength: \w")
ATTRIBUTE = re.compile(r"(?:__attribute__|HAK_ATTR|_Alignas|alignas|__asm__)\s*\(")


def without_attributes(head):
    """A declaration without __attribute__((...)) and the like."""
    while match := ATTRIBUTE.search(head):
        depth, end = 1, match.end()
        while depth and end < len(head):
            depth += {"(": 1, ")": -1}.get(head[end], 0)
            end += 1
        head = head[:match.start()] + head[end:]
    return head


def function_name(head):
    """The name of the function that a declaration before `{` defines, or None."""
    head = without_attributes(head)
    match = re.search(r"([A-Za-z_~][\w:~]*|operator\s*[^\s\w(]+)\s*\(", head)
    if not match or "=" in head[:match.start()] or match.group(1) in ("struct", "union", "enum"):
        return None
    return match.group(1)


def functions(text):
    """(name, first line, last line) of each function of a C or C++ file."""
    text = structure.blank_c(text)
    found, depth, head_start, name, line = [], 0, 0, None, 1
    for at, char in enumerate(text):
        if char == "\n":
            line += 1
        elif char == "{":
            if depth == 0:
                head = text[head_start:at]
                if re.match(r'\s*(extern\s*"[^"]*"|(inline\s+)?namespace\b[^(]*)\s*$', head):
                    head_start = at + 1
                    continue # its insides are at file scope
                name = function_name(head)
                first = line - head.lstrip().count("\n")
            depth += 1
        elif char == "}":
            # A brace in the first column ends a function, whatever conditionals made of the count.
            depth = 0 if text[at - 1:at] == "\n" else max(0, depth - 1)
            if depth == 0:
                if name:
                    found.append((name, first, line))
                name, head_start = None, at + 1
        elif char == ";" and depth == 0:
            head_start = at + 1
    return found


def check(tree, report):
    for name in tree.under(*FOLDERS, suffixes=structure.C_SUFFIXES + (".py", ".sh")):
        text = tree.read(name)
        if REASON.search(text):
            continue
        lines = text.count("\n")
        if lines > FILE_LINES:
            report.add(name, lines, f"{lines} lines, more than {FILE_LINES}")
        if not name.endswith(structure.C_SUFFIXES):
            continue
        for function, first, last in functions(text):
            if last - first + 1 > FUNCTION_LINES:
                report.add(name, first, f"{function} has {last - first + 1} lines, "
                                        f"more than {FUNCTION_LINES}")


if __name__ == "__main__":
    structure.main(check)
