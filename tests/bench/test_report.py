#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/report.py on a record whose figures are known."""

import pathlib
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

try:
    import report
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

from rows import PEAK, ROWS, SPEED  # noqa: E402

report.DRAWS = 200  # enough for figures that are known
ROW = next(row for row in ROWS if row.metrics[0] is SPEED)
RUNS = 5
SPREAD = (0.98, 0.99, 1, 1.01, 1.02)  # of the runs of one allocator: the median is 1
# of each allocator, times glibc's: operations a second, peak memory
KNOWN = {"hakmem": (4, 1.5), "glibc": (1, 1), "other": (2, 3), "floor": (9, 0.1)}


def write_record(path):
    lines = ["# processor: a test", "# allocator glibc: the system",
             "benchmark,arguments,allocator,run,key,value"]
    for row in ROWS:
        for name, (speed, memory) in KNOWN.items():
            for run in range(RUNS):
                head = f'"{row.name}",1 2,{name},{run}'
                lines.append(f"{head},malloc,/lib/x.so")
                for metric in (*row.metrics, *row.others):
                    value = memory if metric.unit == "KiB" else speed
                    if metric.unit in ("ns", "s"):
                        value = 1 / speed
                    lines.append(f"{head},{metric.key},{1000 * value * SPREAD[run]}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Report(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.record = pathlib.Path(self.folder.name) / "record.csv"
        write_record(self.record)
        self.about, self.table = report.read(self.record)

    def tearDown(self):
        self.folder.cleanup()

    def test_machine_is_kept(self):
        self.assertEqual(self.about, ["processor: a test", "allocator glibc: the system"])

    def test_best_comes_first(self):
        found = report.samples(self.table, ROW, SPEED)
        self.assertEqual(list(found), ["floor", "hakmem", "other", "glibc"])
        self.assertEqual(report.oracle_of(found), "other")

    def test_ratio_is_in_its_interval(self):
        found = report.samples(self.table, ROW, SPEED)
        ratio, low, high = report.interval(SPEED, found["hakmem"], found["other"])
        self.assertAlmostEqual(ratio, 2)
        self.assertTrue(1.9 < low <= ratio <= high < 2.1)
        self.assertAlmostEqual(float(report.better(PEAK, 1.5, 3.0)), 2)

    def test_distances_from_the_oracle(self):
        time = report.distances(self.table, report.SPEED_KEYS)
        memory = report.distances(self.table, report.MEMORY_KEYS)
        self.assertEqual(set(time.columns), {"hakmem", "glibc", "other"})
        for name, expected in {"hakmem": 0.5, "glibc": 2, "other": 1}.items():
            self.assertAlmostEqual(report.means(time)[0][name], expected)
        for name, expected in {"hakmem": 1.5, "glibc": 1, "other": 3}.items():
            self.assertAlmostEqual(report.means(memory)[0][name], expected)

    def test_page(self):
        folder = self.record.parent / "page"
        report.write(self.record, folder)
        page = (folder / "benchmarks.md").read_text(encoding="utf-8")
        for row in ROWS:
            self.assertIn(f"### {row.name}\n", page)
        self.assertIn("| ops_per_s | 4,000 | 2,000 | other | 2.000 |", page)
        self.assertIn("- processor: a test\n", page)
        ratios = r"4\.000 \((3\.[89]\d+) to (4\.[01]\d+)\) \| 2\.000 \(1\.9\d+ to 2\.0\d+\)"
        for line in (rf"\| {ROW.name} \| {ratios} \|",  # to glibc, and to the other
                     r"\| hakmem \| 5 \| 4,000 \(3,920 to 4,080\) \|.*"):
            self.assertTrue(any(re.fullmatch(line, found) for found in page.splitlines()), line)
        for plot in ("benchmarks-time.svg", "benchmarks-memory.svg"):
            self.assertIn(plot, page)
            self.assertGreater((folder / plot).stat().st_size, 1000)
        with open(folder / "benchmarks.csv", encoding="utf-8") as file:
            figures = file.read()
        ours = f'"{ROW.name}",ops_per_s,ops/s,hakmem,5,4000.0,3920.0,4080.0,1.0,'
        self.assertTrue(ours in figures, ours)

    def test_time_above_the_floor(self):
        lines = ["# processor: a test", "benchmark,arguments,allocator,run,key,value"]
        for name, taken in (("floor", 8), ("hakmem", 10), ("other", 13)):
            lines += [f'"{ROW.name}",1,{name},{run},ns_per_op,{taken}' for run in range(RUNS)]
        self.record.write_text("\n".join(lines) + "\n", encoding="utf-8")
        found = list(report.above_floor(report.read(self.record)[1]))
        self.assertEqual(found[2:], [f"| {ROW.name} | hakmem | 2.00 | 2.00 to 2.00 |",
                                     f"| {ROW.name} | other | 5.00 | 5.00 to 5.00 |"])

    def test_same_record_same_page(self):
        pages = []
        for name in ("one", "two"):
            report.write(self.record, self.record.parent / name)
            pages.append({file.name: file.read_bytes()
                          for file in (self.record.parent / name).iterdir()})
        self.assertEqual(*pages)


if __name__ == "__main__":
    unittest.main()
