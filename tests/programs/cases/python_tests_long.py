# SPDX-License-Identifier: MIT
"""More of python3's own test suite: what takes seconds, with threads and processes."""
import python_suite

NEEDS = python_suite.NEEDS
SERVED = python_suite.SERVED
LONG = True

MODULES = """
buffer long decimal unicodedata context weakref ast compile pickle bz2 lzma
posix subprocess fork1 threading threadsignals queue
""".split()

probe = python_suite.probe


def run(run):
    return python_suite.run_modules(run, MODULES)
