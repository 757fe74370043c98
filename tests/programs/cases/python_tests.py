# SPDX-License-Identifier: MIT
"""python3's own test suite, the parts that allocate most, with PYTHONMALLOC=malloc: every test's outcome."""
import xml.etree.ElementTree

from harness import Failure

PYTHON = "/usr/bin/python3"
NEEDS = {PYTHON: "python3", "/usr/lib/python3.*/test/test_list.py": "libpython3.11-testsuite"}
SERVED = ("python3",)
LONG = True

TESTS = """list dict set tuple deque array bytes unicode memoryview buffer struct int long decimal unicodedata
 collections itertools functools generators context sort heapq weakref gc
 ast code compile import json re pickle marshal xml_etree_c
 zlib bz2 lzma hashlib ctypes mmap posix subprocess fork1 thread threading threadsignals queue""".split()


def probe(run):
    run.command(PYTHON, "--version")


def run(run):
    """The tests run one by one: a test that hangs or crashes is named.  A failure must be glibc's failure too."""
    results = {}
    for test in TESTS:
        try:
            run.command(
                PYTHON,
                "-X",
                "faulthandler",
                "-m",
                "test",
                f"test_{test}",
                "--junit-xml",
                "result.xml",
                env={"PYTHONMALLOC": "malloc", "PYTHONDONTWRITEBYTECODE": "1"},
                chatty=True,
            )
        except Failure as failure:
            raise Failure(f"test_{test}: {failure}", failure.detail) from failure
        outcomes = []
        for case in xml.etree.ElementTree.parse(run.work / "result.xml").iter("testcase"):
            kinds = sorted(
                child.tag for child in case if child.tag in ("failure", "error", "skipped")
            )
            outcomes.append(f"{case.get('name')} {' '.join(kinds) or 'ok'}")
        results[f"test_{test}"] = "\n".join(sorted(outcomes))
    return results
