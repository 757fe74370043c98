#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/ranking.py: points and intervals of results that are known, and one run of it."""

import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import ranking  # noqa: E402

BUILD = sys.argv.pop() if len(sys.argv) > 1 else None


class Ranking(unittest.TestCase):
    def test_points(self):
        found = {name: [(ns, 0), (ns, 0), (1000, 0)] for name, ns in
                 (("f", 6), ("a", 1), ("c", 3), ("b", 2), ("d", 4), ("e", 5))}
        self.assertEqual(ranking.rank(found), {"a": 5, "b": 4, "c": 3, "d": 2, "e": 1, "f": 0})

    def test_interval(self):
        self.assertEqual(ranking.median_interval(list(range(50))), (18, 31))
        self.assertEqual(ranking.median_interval([7]), (7, 7))

    def test_table(self):
        with contextlib.redirect_stdout(io.StringIO()) as text:
            ranking.print_scenario("vm", {"one": [(10.0, 3), (30.0, 5), (20.0, 4)],
                                          "other": [(11.0, 0)]})
        lines = text.getvalue().splitlines()
        self.assertEqual(lines[1].split()[:2], ["other", "11.0"])
        self.assertEqual(lines[2].split()[:2], ["one", "20.0"])

    def test_run(self):
        if not BUILD:
            self.skipTest("no build")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "figures.json"
            done = subprocess.run([sys.executable, BENCH / "ranking.py", "--build", BUILD,
                                   "--runs", "2", "--json", path],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            found = json.loads(path.read_text())
        self.assertEqual(set(found), {"json", "mir", "vm", "mixed"})
        for subjects in found.values():
            self.assertEqual({len(runs) for runs in subjects.values()}, {2})
            self.assertIn("hakmem, learning", subjects)
        self.assertIn("points: ", done.stdout)


if __name__ == "__main__":
    unittest.main()
