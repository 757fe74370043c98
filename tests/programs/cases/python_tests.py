# SPDX-License-Identifier: MIT
"""Parts of python3's own test suite, with PYTHONMALLOC=malloc: the outcome of each single test."""
import xml.etree.ElementTree

from harness import Failure

PYTHON = "/usr/bin/python3"
NEEDS = {PYTHON: "python3", "/usr/lib/python3.*/test/test_list.py": "libpython3.11-testsuite"}
SERVED = ("python3",)
LONG = True

ENVIRONMENT = {"PYTHONMALLOC": "malloc", "PYTHONDONTWRITEBYTECODE": "1"}
TESTS = """
list dict set tuple deque array bytes unicode memoryview buffer struct int long decimal unicodedata
collections itertools functools generators context sort heapq weakref gc
ast code compile import json re pickle marshal xml_etree_c zlib bz2 lzma hashlib ctypes
mmap posix subprocess fork1 thread threading threadsignals queue
""".split()


def probe(run):
    run.command(PYTHON, "--version")


def outcomes(report):
    """A line for each test of a report: its name, and "ok", "skipped", "failure" or "error"."""
    lines = []
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        lines.append(" ".join([case.get("name"), *(sorted(kinds) or ["ok"])]))
    return "\n".join(sorted(lines))


def run(run):
    """A process for each module, so that the one which crashes or hangs is known."""
    results = {}
    for test in TESTS:
        try:
            run.command(PYTHON, "-X", "faulthandler", "-m", "test", f"test_{test}",
                        "--junit-xml", "report.xml", env=ENVIRONMENT, chatty=True)
        except Failure as failure:
            raise Failure(f"test_{test}: {failure}", failure.detail) from failure
        results[f"test_{test}"] = outcomes(run.work / "report.xml")
    return results
