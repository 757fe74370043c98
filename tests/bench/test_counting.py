#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/counting.py: the tools' output, and runs whose counts are known: test_counting.py BUILD"""

import pathlib
import sys
import tempfile
import unittest
import unittest.mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

import counting  # noqa: E402
import run  # noqa: E402

TABLE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 77.88    0.000088           8        11         1 madvise
 22.12    0.000025          12         2           munmap
  0.00    0.000000           0        23           mmap
------ ----------- ----------- --------- --------- ----------------
100.00    0.000113           2        36         1 total
"""


def without(problem):
    return unittest.mock.patch.object(counting, "problem_of", lambda command: problem)


class Tools(unittest.TestCase):
    def read(self, tool, name, texts, printed):
        with tempfile.TemporaryDirectory() as folder:
            for suffix, text in texts.items():
                pathlib.Path(folder, name + suffix).write_text(text, encoding="utf-8")
            return tool.read(folder, printed)

    def test_table_of_strace(self):
        found = self.read(counting.Strace(), "calls", {"": TABLE}, {"ops": "2000"})
        self.assertEqual(found, {
            "syscalls": 36, "syscalls_per_mop": "18000", "syscalls_mmap": 23, "syscalls_munmap": 2,
            "syscalls_madvise": 11, "syscalls_mremap": 0, "syscalls_brk": 0,
            "syscalls_mprotect": 0})

    def test_no_call_at_all(self):
        found = self.read(counting.Strace(), "calls", {"": ""}, {"ops": "1"})
        self.assertEqual(found["syscalls"], 0)

    def test_parts_of_callgrind(self):
        """Those up to each bench_end; what comes after the last one does not count."""
        texts = {".1": "x\ntotals: 1000\n", ".2": "totals: 500\n", "": "totals: 70000\n"}
        found = self.read(counting.Callgrind(), "out", texts, {"ops": "100"})
        self.assertEqual(found, {"instructions": 1500, "instructions_per_op": "15"})

    def test_what_is_missing_is_said(self):
        with without("none is installed"):
            tools, notes = counting.tools(full=True)
        self.assertEqual(tools, [])
        self.assertEqual(notes, ["no system calls are counted: none is installed",
                                 "no instructions are counted: none is installed"])
        with without(None):
            names = [[tool.name for tool in counting.tools(full)[0]] for full in (False, True)]
        self.assertEqual(names, [["strace"], ["strace", "callgrind"]])

    def test_problems(self):
        self.assertIsNone(counting.problem_of(["true"]))
        self.assertIn("not installed", counting.problem_of(["no-such-program"]))
        self.assertEqual(counting.problem_of(["sh", "-c", "echo no >&2; false"]), "no")

    def test_library_is_preloaded_into_the_program_only(self):
        with without(None):
            before = {"LD_PRELOAD": "lib", "A": "b"}
            command, environment = counting.Strace().wrap(["x"], before, "f")
        self.assertEqual(environment, {"A": "b"})
        self.assertEqual(command[-3:], ["-E", "LD_PRELOAD=lib", "x"])


class Runs(unittest.TestCase):
    def count(self, tool, program, arguments, name):
        if tool.problem:
            self.skipTest(tool.problem)
        values, problem = run.run_once(BUILD, program, arguments, LIBRARIES[name], tool)
        self.assertIsNone(problem)
        return values

    def test_system_calls(self):
        """glibc maps each of its large blocks, and unmaps it."""
        arguments = "lifo malloc 100 10 1000000 1000000"
        found = {name: self.count(counting.Strace(), "orders", arguments, name)
                 for name in LIBRARIES}
        for call in ("mmap", "munmap"):
            self.assertGreaterEqual(found["glibc"][f"syscalls_{call}"], 100)
        for values in found.values():
            calls = (values[f"syscalls_{name}"] for name in counting.MEMORY_CALLS)
            self.assertEqual(values["syscalls"], sum(calls))

    def test_instructions_are_those_of_the_timed_part(self):
        """Ten times as many operations need ten times as many, and the rest is left out."""
        once, often = (
            self.count(counting.Callgrind(), "orders", f"lifo malloc 100 {rounds}", "glibc")
            for rounds in (100, 1000))
        self.assertAlmostEqual(often["instructions"] / once["instructions"], 10, delta=1)

    def test_allocators_differ(self):
        """callgrind leaves malloc to the library: each has figures of its own."""
        found = {self.count(counting.Callgrind(), "orders", "lifo malloc 100 100", name)
                 ["instructions"] for name in LIBRARIES}
        self.assertEqual(len(found), len(LIBRARIES))

    def test_wrong_allocator_is_refused(self):
        for tool in (counting.Strace(), counting.Callgrind()):
            if tool.problem:
                continue
            with self.subTest(tool.name), \
                    unittest.mock.patch.object(run, "environment_of", lambda library: {}):
                values, problem = run.run_once(BUILD, "orders", "lifo malloc 10 1",
                                               LIBRARIES["hakmem"], tool)
                self.assertIsNone(values)
                self.assertIn("malloc is served by", problem)


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop())
    LIBRARIES = {"glibc": "", "hakmem": str(BUILD / "libhakmem.so")}
    unittest.main()
