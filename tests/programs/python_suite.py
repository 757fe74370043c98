# SPDX-License-Identifier: MIT
"""python3's own test suite with PYTHONMALLOC=malloc: the outcome of each single test."""
import xml.etree.ElementTree

from harness import Failure

PYTHON = "/usr/bin/python3"
NEEDS = {PYTHON: "python3", "/usr/lib/python3.*/test/test_list.py": "libpython3.11-testsuite"}
SERVED = ("python3",)
# They assert how long something takes, or sleep for so long that something must have happened.
IGNORED = ("*timeout*", "test_waitfor", "test_wait_return", "test_leak_fast_process_del_killed")
ENVIRONMENT = {"PYTHONMALLOC": "malloc", "PYTHONDONTWRITEBYTECODE": "1"}


def probe(run):
    run.command(PYTHON, "--version")


def outcomes(report):
    """A line for each test of a report: its name, and "ok", "skipped", "failure" or "error"."""
    lines = []
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        lines.append(" ".join([case.get("name"), *(sorted(kinds) or ["ok"])]))
    return "\n".join(sorted(lines))


def run_modules(run, names):
    """A process for each module, so that the one which crashes or hangs is known."""
    results = {}
    for name in names:
        try:
            run.command(PYTHON, "-X", "faulthandler", "-m", "test", f"test_{name}",
                        *(f"--ignore={pattern}" for pattern in IGNORED),
                        "--junit-xml", "report.xml", env=ENVIRONMENT, chatty=True)
        except Failure as failure:
            raise Failure(f"test_{name}: {failure}", failure.detail) from failure
        results[f"test_{name}"] = outcomes(run.work / "report.xml")
    return results
