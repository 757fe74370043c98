#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/soak.py: its figures, and both kinds of run for a moment: test_soak.py BUILD_FOLDER"""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
import unittest.mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

import soak  # noqa: E402


class Figures(unittest.TestCase):
    def test_drift(self):
        self.assertIsNone(soak.drift([1] * 9))
        self.assertEqual(soak.drift([2] * 5 + [9] * 3 + [3] * 5), 0.5)

    def test_variation(self):
        self.assertEqual(soak.variation([5]), 0)
        self.assertAlmostEqual(soak.variation([9, 10, 11]), 0.1)

    def test_tails(self):
        values = [10] * 100
        values[35] = 5
        self.assertEqual(soak.tails(values), [1, 1, 1, 0.5, 1, 1, 1, 1, 1, 1])
        self.assertEqual(soak.tails([7, 7]), [1, 1])


class Runs(unittest.TestCase):
    def run_for_a_moment(self, *words):
        with tempfile.TemporaryDirectory() as folder:
            command = ["soak.py", "run", "--seconds", "1", "--cycles", "200000", "--allocators",
                       "hakmem,glibc", "--build", str(BUILD), "--folder", folder, *words]
            with unittest.mock.patch.object(sys, "argv", command), \
                    contextlib.redirect_stdout(io.StringIO()) as text:
                self.assertEqual(soak.main(), 0)
            for name in ("hakmem", "glibc"):
                steps = soak.read(pathlib.Path(folder) / f"soak-{name}.csv")
                self.assertGreater(len(steps), 0)
                self.assertEqual(tuple(steps[0]), soak.COLUMNS)
                self.assertEqual([step["iter"] for step in steps], list(range(len(steps))))
                self.assertGreater(min(step["throughput_ops_s"] for step in steps), 0)
                self.assertIn(f"soak-{name}: {len(steps)} steps", text.getvalue())

    def test_one_process(self):
        self.run_for_a_moment()

    def test_process_each_step(self):
        self.run_for_a_moment("--each")


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop())
    unittest.main()
