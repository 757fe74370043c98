#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/figures.py on results that are known."""

import contextlib
import io
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

import figures  # noqa: E402
from rows import PEAK, ROWS, SPEED, SYSCALLS  # noqa: E402


def results(**speeds):
    return {name: [{"ops_per_s": str(speed), "seconds": str(1000 / speed), "ops": "1000"}
                   for speed in found] for name, found in speeds.items()}


class Figures(unittest.TestCase):
    def test_percentile(self):
        values = list(range(1, 101))
        self.assertEqual(figures.percentile(values, 95), 95)
        self.assertEqual(figures.percentile(values, 99), 99)
        self.assertEqual(figures.percentile([7], 99), 7)

    def test_ratio_is_above_one_where_better(self):
        self.assertEqual(figures.ratio(SPEED, 20, 10), 2)
        self.assertEqual(figures.ratio(PEAK, 20, 10), 0.5)
        self.assertEqual(figures.ratio(PEAK, 0, 0), 1)

    def test_best_peer(self):
        with contextlib.redirect_stdout(io.StringIO()) as text:
            found = figures.print_metric(
                results(hakmem=[10, 30, 20], glibc=[5, 5, 5], other=[9, 10, 11], floor=[99] * 3),
                SPEED)
        self.assertEqual(found, (20, 10, 2))
        self.assertIn("glibc", text.getvalue())

    def test_above_the_floor(self):
        with contextlib.redirect_stdout(io.StringIO()) as text:
            figures.print_above_floor(results(hakmem=[100], glibc=[50], floor=[200]))
        self.assertIn("3.000", text.getvalue())  # 10 - 5 ns against 20 - 5

    def test_counted_runs(self):
        """They have no time, and stand beside the medians of those that have."""
        found = results(hakmem=[100, 100], glibc=[50], floor=[200])
        found["hakmem"].append({"syscalls": 42})
        with contextlib.redirect_stdout(io.StringIO()) as text:
            figures.print_above_floor(found)
            self.assertIn("3.000", text.getvalue())
            figures.print_others(found, (SPEED, PEAK, SYSCALLS))
        lines = [line.split() for line in text.getvalue().splitlines()[-4:]]
        self.assertEqual(lines, [["medians", "ops_per_s", "syscalls"], ["hakmem", "100", "42.0"],
                                 ["glibc", "50.0"], ["floor", "200"]])

    def test_every_figure_is_shown(self):
        for row in ROWS:
            keys = [metric.key for metric in (*row.metrics, *row.others)]
            self.assertEqual(len(set(keys)), len(keys))
            self.assertLessEqual({"peak_kib", "resident_kib", "faults", "syscalls"}, set(keys))

    def test_rows_are_distinct(self):
        self.assertEqual(len({row.name for row in ROWS}), len(ROWS))


if __name__ == "__main__":
    unittest.main()
