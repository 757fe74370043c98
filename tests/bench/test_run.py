#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/run.py on short benchmarks: test_run.py BUILD"""

import collections
import csv
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import counting  # noqa: E402
import run  # noqa: E402
from rows import ROWS  # noqa: E402


class Protocol(unittest.TestCase):
    def test_enough_runs(self):
        self.assertGreaterEqual(min(row.runs for row in ROWS), 10)

    def test_allocators_take_turns(self):
        row = next(row for row in ROWS if not row.floor)
        turns = list(run.turns_of(row, {"a": "", "b": "", "c": "", "floor": ""}, "1", 3, []))
        self.assertEqual("".join(turn[0] for turn in turns), "abc" "bca" "cab")

    def test_floor_runs_where_it_survives(self):
        row = next(row for row in ROWS if row.floor)
        names = {turn[0] for turn in run.turns_of(row, {"a": "", "floor": ""}, "1", 1, [])}
        self.assertEqual(names, {"a", "floor"})

    def test_counted_runs_come_last(self):
        row = next(row for row in ROWS if row.instructions and not row.traced)
        tools = [counting.Strace(), counting.Callgrind()]
        turns = [turn[1:3] for turn in run.turns_of(row, {"a": ""}, "timed", 2, tools)]
        self.assertEqual(turns, [("timed", 0), ("timed", 1), ("timed", "strace"),
                                 (row.instructions, "callgrind")])

    def test_shorter_runs_under_strace(self):
        row = next(row for row in ROWS if row.traced)
        turns = list(run.turns_of(row, {"a": ""}, "timed", 1, [counting.Strace()]))
        self.assertEqual([turn[1] for turn in turns], ["timed", row.traced])

    def test_instructions_of_single_threads_only(self):
        threaded = {"larson", "handoff", "lifetimes", "latency", "sharing", "churn"}
        for row in ROWS:
            if row.program in threaded:
                self.assertEqual(row.instructions, "", row.name)


class Whole(unittest.TestCase):
    def run_it(self, *words, status=0):
        done = subprocess.run([sys.executable, BENCH / "run.py", *words, "--build", BUILD],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def test_record_and_page_of_this_very_run(self):
        with tempfile.TemporaryDirectory() as folder:
            record = pathlib.Path(folder, "mine.csv")
            done = self.run_it("full", "--only", "scenario vm", "--runs", "2", "--csv", record,
                               "--allocators", "glibc,hakmem")
            self.assertIn("[1 of 1] scenario vm: bench_scenarios vm, 2 runs", done.stdout)
            self.assertNotIn("\r", done.stdout + done.stderr)
            lines = record.read_text(encoding="utf-8").splitlines()
            about = [line for line in lines if line.startswith("#")]
            for key in ("processor", "kernel", "libc", "command"):
                self.assertTrue(any(line.startswith(f"# {key}: ") for line in about), key)
            found = collections.defaultdict(set)
            for line in csv.DictReader(line for line in lines if not line.startswith("#")):
                self.assertEqual(line["benchmark"], "scenario vm")
                found[line["allocator"], line["run"]].add(line["key"])
            for name in ("glibc", "hakmem"):
                for turn in ("0", "1"):
                    self.assertLessEqual({"ns_per_op", "peak_kib", "resident_kib", "faults"},
                                         found[name, turn])
                for tool in (counting.Strace(), counting.Callgrind()):
                    key = {"strace": "syscalls", "callgrind": "instructions_per_op"}[tool.name]
                    self.assertEqual(key in found[name, tool.name], not tool.problem)
            if "no tables and plots" in done.stdout:
                return
            page = pathlib.Path(folder, "mine", "benchmarks.md").read_text(encoding="utf-8")
            self.assertIn("from `mine.csv`", page)
            self.assertEqual(page.count("\n### "), 1)

    def test_failures_are_told(self):
        """A library without malloc does not serve it."""
        with tempfile.TemporaryDirectory() as folder:
            words = ("quick", "--only", "scenario vm", "--runs", "1", "--csv", f"{folder}/x.csv",
                     "--allocators", "wrong")
            library = run.installed_libraries()["libm.so.6"]
            done = self.run_it(*words, "--alloc", f"wrong={library}", status=1)
            self.assertIn("malloc is served by", done.stderr)
            done = self.run_it(*words, "--alloc", "wrong=nosuchfile", status=1)
            self.assertIn("expected NAME=LIBRARY.so", done.stderr)
        done = self.run_it("quick", "--only", "no such benchmark", status=1)
        self.assertIn("no benchmark's name contains 'no such benchmark'", done.stderr)


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop())
    unittest.main()
