#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The generated pages of docs/reference/ are what $HAKMEM_TOOL prints."""
import difflib
import os
import subprocess
import sys

import structure

# Page: arguments of the hakmem command that print it.
GENERATED = {"docs/reference/options.md": ["options", "--markdown"]}


def check(tree, report):
    tool = os.environ.get("HAKMEM_TOOL")
    if not tool:
        sys.exit("HAKMEM_TOOL is not set")
    for page, arguments in GENERATED.items():
        done = subprocess.run([tool, *arguments], stdout=subprocess.PIPE, text=True, check=False)
        command = " ".join(["hakmem", *arguments])
        if done.returncode != 0:
            report.add(page, 1, f"`{command}` ended with status {done.returncode}")
            continue
        written = tree.read(page) if page in tree.files else ""
        if written != done.stdout:
            diff = difflib.unified_diff(written.splitlines(), done.stdout.splitlines(), page,
                                        command, lineterm="", n=1)
            report.add(page, 1, f"is out of date: build/release/{command} > {page}\n" +
                       "\n".join(list(diff)[:40]))


if __name__ == "__main__":
    structure.main(check)
