#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/programs.py and its page, on comparisons whose figures are known."""

import json
import pathlib
import sys
import tempfile
import unittest
import xml.dom.minidom

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

import program_inputs  # noqa: E402
import programs  # noqa: E402
import programs_page  # noqa: E402


def metric(value, ratio):
    return {"median": value, "ratio_to_glibc": ratio, "low": ratio, "high": ratio,
            "samples": [value]}


def document(name, ratios, **changes):
    """A program on allocators with these ratios of time; their memory is that of glibc."""
    return {
        "program": name,
        "command": [name],
        "machine": {"processors": 2, "architecture": "a", "kernel": "k"},
        "allocators": [
            {"name": allocator, "problem": None, "runs": 3, "other_output": 0,
             "metrics": {"cpu_s": metric(2 * ratio, ratio), "wall_s": metric(ratio, ratio),
                         "peak_kib": metric(2048, 1)}, **changes.get(allocator, {})}
            for allocator, ratio in ratios.items()
        ],
    }


DOCUMENTS = [
    document("first", {"glibc": 1, "hakmem": 0.5, "other": 0.2}),
    document("second", {"glibc": 1, "hakmem": 2, "other": 5}),
]
BROKEN = document("third", {"glibc": 1, "hakmem": 1, "other": 1},
                  other={"problem": "it crashes", "metrics": {}})


class Programs(unittest.TestCase):
    def test_geometric_means(self):
        means = programs_page.means_of(DOCUMENTS)
        self.assertAlmostEqual(1, means["hakmem"]["cpu_s"])
        self.assertAlmostEqual(1, means["other"]["cpu_s"])
        self.assertAlmostEqual(1, means["glibc"]["peak_kib"])

    def test_one_that_did_not_run_everything_has_no_mean(self):
        self.assertEqual({"glibc", "hakmem"},
                         set(programs_page.means_of([*DOCUMENTS, BROKEN])))

    def test_worst(self):
        self.assertEqual((2.5, "first"), programs_page.farthest(DOCUMENTS, "cpu_s"))

    def test_page(self):
        page = programs_page.page([*DOCUMENTS, BROKEN])
        self.assertIn("| first | 2.000 (1.000, 1.000 to 1.000) | 1.000 (0.500, 0.500 to 0.500) |",
                      page)
        self.assertIn("| third | 2.000 (1.000, 1.000 to 1.000) | 2.000 (1.000, 1.000 to 1.000) |"
                      " fails |", page)
        self.assertIn("at worst 2.500 x a program's best (first)", page)
        self.assertNotIn("Servers", page)

    def test_failures_on_hakmem_are_found(self):
        self.assertEqual([], programs.check(DOCUMENTS))
        self.assertEqual([], programs.check([BROKEN]))
        for change in ({"problem": "why"}, {"other_output": 2}):
            self.assertEqual(["x"], programs.check([document("x", {"glibc": 1, "hakmem": 1},
                                                             hakmem=change)]))

    def test_names_are_unique(self):
        names = [program.name for program in programs.PROGRAMS]
        self.assertEqual(len(names), len(set(names)))

    def test_inputs(self):
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            program_inputs.write(folder)
            self.assertEqual(40000, len(json.loads((folder / "rows.json").read_text())))
            xml.dom.minidom.parseString(program_inputs.document(program_inputs.rows()[:5]))
            for program in programs.PROGRAMS:
                for word in [program.input, *program.command]:
                    if word.endswith((".json", ".sql", ".cpp", ".xml", ".c", ".smt2")):
                        self.assertTrue((folder / word).exists(), word)


if __name__ == "__main__":
    unittest.main(verbosity=2)
