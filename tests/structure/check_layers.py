#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A file in src/ includes headers of its own folder and of earlier ones only, and hakmem.h.

The order of the folders is the list in ARCHITECTURE.md, so it is written once.
"""
import re

import structure

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)


def folder_order(tree):
    """The folders of src/ in ARCHITECTURE.md's order."""
    return re.findall(r"^src/([a-z_]+)/\s", tree.read("ARCHITECTURE.md"), re.MULTILINE)


def check(tree, report):
    order = folder_order(tree)
    sources = tree.under("src")
    for folder in sorted({name.split("/")[1] for name in sources} - set(order)):
        report.add("ARCHITECTURE.md", 1, f"src/{folder}/ is not in the list of folders")
    for name in sources:
        own = name.split("/")[1]
        if name.count("/") != 2:
            report.add(name, 1, "not in a folder src/<folder>/")
        if own not in order or name.count("/") != 2:
            continue
        text = tree.read(name)
        for match in INCLUDE.finditer(text):
            problem = judge(tree, order, own, *match.groups())
            if problem:
                report.add(name, text.count("\n", 0, match.start()) + 1, problem)


def judge(tree, order, own, quote, header):
    """What is wrong with an include, or None."""
    if header == "hakmem.h":
        return None
    if quote == "<":
        if f"src/{header}" in tree.files:
            return f"<{header}> is the project's own: use quotes"
        return None
    folder, _, stem = header.rpartition("/")
    if not folder or folder not in order or f"src/{header}" not in tree.files:
        return f'"{header}" is not "folder/file.h" of src/, nor "hakmem.h"'
    if order.index(folder) > order.index(own):
        return f'"{header}": {folder}/ comes after {own}/ in ARCHITECTURE.md'
    return None if stem else f'"{header}" names no file'


if __name__ == "__main__":
    structure.main(check)
