#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/progress.py on a clock that the test moves."""

import io
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

from progress import Progress  # noqa: E402


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Shown(unittest.TestCase):
    def setUp(self):
        self.now = 100.0

    def work(self, stream):
        """Half of the first of two rows, in 30 seconds."""
        progress = Progress(2, stream, lambda: self.now)
        self.assertEqual(progress.left(), "")
        progress.begin_row("a row", 4)
        for name in ("glibc", "hakmem"):
            progress.begin_process(name)
            self.now += 15
            progress.end_process()
        return progress

    def test_time_left(self):
        progress = self.work(io.StringIO())
        self.assertEqual(progress.share(), 0.25)
        self.assertEqual(progress.left(), ", about 90 s left")
        progress.begin_row("another row", 1)
        self.now += 150
        self.assertEqual(progress.left(), ", about 3 min left")
        progress.end_process()
        self.assertEqual(progress.left(), ", about 0 s left")

    def test_bar_on_a_terminal(self):
        stream = Terminal()
        progress = self.work(stream)
        progress.begin_process("glibc")
        last = stream.getvalue().rpartition("\r\x1b[K")[2]
        self.assertTrue(last.startswith("[######..................]  25 %, about 90 s left: a row"))
        progress.clear()
        self.assertTrue(stream.getvalue().endswith("\r\x1b[K"))
        self.assertNotIn("\n", stream.getvalue())

    def test_nothing_elsewhere(self):
        stream = io.StringIO()
        self.work(stream).clear()
        self.assertEqual(stream.getvalue(), "")


if __name__ == "__main__":
    unittest.main()
