# SPDX-License-Identifier: MIT
"""Core parts of python3's own test suite: those that take a second at most."""
import python_suite

NEEDS = python_suite.NEEDS
SERVED = python_suite.SERVED

MODULES = """
list dict set tuple deque array bytes unicode memoryview struct int collections itertools functools
generators sort heapq gc code import json re marshal xml_etree_c zlib hashlib ctypes mmap thread
""".split()

probe = python_suite.probe


def run(run):
    return python_suite.run_modules(run, MODULES)
