#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Parses what the allocator prints: malloc_info as XML, hak_stats_print as JSON and text.

usage: check_print.py PROGRAM xml|json|text    (LD_PRELOAD decides whose malloc_info it is)
"""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree

PARTS = ("live", "cached", "free_dirty", "purged", "metadata", "waste")


def fail(text):
    sys.exit(f"check_print: {text}")


def find(tree, key):
    """The first value of a key anywhere in nested JSON objects."""
    if isinstance(tree, dict):
        if key in tree:
            return tree[key]
        tree = list(tree.values())
    for branch in tree if isinstance(tree, list) else []:
        found = find(branch, key)
        if found is not None:
            return found
    return None


def check_xml(text):
    root = xml.etree.ElementTree.fromstring(text)
    if root.tag != "malloc" or "version" not in root.attrib:
        fail(f'the root is <{root.tag} {root.attrib}>, not <malloc version="...">')
    print(f"well-formed: {sum(1 for _ in root.iter())} elements")


def check_json(text):
    tree = json.loads(text)
    values = {key: find(tree, key) for key in ("mapped", *PARTS, "refills", "os_mmap")}
    missing = [key for key, value in values.items() if not isinstance(value, int)]
    if missing:
        fail(f"not in the JSON as a number: {', '.join(missing)}")
    total = sum(values[key] for key in PARTS)
    if total != values["mapped"]:
        fail(f"mapped is {values['mapped']}, its parts add up to {total}")
    print(f"valid: mapped {values['mapped']} = the sum of its parts")


def check_text(text):
    missing = [word for word in ("mapped", "live", "cached", "purged") if word not in text]
    if missing or not text.endswith("\n"):
        fail(f"missing in the text: {missing or 'the last newline'}")
    print(f"{len(text.splitlines())} lines")


def main():
    program, kind = sys.argv[1:]
    # Only the program is to run on the library under test, not this interpreter.
    environment = dict(os.environ)
    preload = environment.pop("CONTRACT_PRELOAD", None)
    if preload:
        environment["LD_PRELOAD"] = preload
    run = subprocess.run([program, kind], env=environment, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, check=False)
    if run.returncode != 0 or run.stderr:
        fail(f"{program} {kind}: status {run.returncode}, {run.stderr.decode()!r}")
    {"xml": check_xml, "json": check_json, "text": check_text}[kind](run.stdout.decode())


if __name__ == "__main__":
    main()
