#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No benchmark measures an allocator that does not serve malloc, or guesses what an argument means:
test_refused.py FOLDER"""

import pathlib
import subprocess
import sys
import unittest

FIRST = {"scenarios": ["json"], "handoff": ["pipe"], "sharing": ["active"], "grow": ["vector"],
         "orders": ["lifo", "malloc"]}
USAGE = 2
WRONG_ALLOCATOR = 3


class Refused(unittest.TestCase):
    def test_every_benchmark(self):
        programs = sorted(path for path in FOLDER.glob("bench_*") if path.is_file())
        self.assertGreater(len(programs), 5)
        for program in programs:
            words = FIRST.get(program.name.removeprefix("bench_"), [])
            with self.subTest(program.name):
                done = subprocess.run([program, *words, "--expect", "libnosuch"],
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, WRONG_ALLOCATOR)
                self.assertIn("malloc is served by", done.stderr)
                self.assertEqual(done.stdout, "")

    def test_arguments(self):
        for words in ([], ["lifo"], ["lifo", "mall"], ["fifo", "malloc", "0"], ["1", "malloc"]):
            with self.subTest(words):
                done = subprocess.run([FOLDER / "bench_orders", *words],
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, USAGE)
                self.assertIn("lifo|fifo|random malloc|calloc|aligned [blocks=", done.stderr)

    def test_arguments_are_printed(self):
        done = subprocess.run([FOLDER / "bench_orders", "random", "aligned", "50", "2"],
                              capture_output=True, text=True, check=True)
        self.assertIn(" order=random call=aligned blocks=50 rounds=2 least=16 ", done.stdout)
        self.assertIn(" ops=100 ", done.stdout)


if __name__ == "__main__":
    FOLDER = pathlib.Path(sys.argv.pop())
    unittest.main()
