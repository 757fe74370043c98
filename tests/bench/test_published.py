#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The pages about benchmarks are what bench/publish.py writes from the records beside them."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

try:
    import publish
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

FOLDER = publish.REPOSITORY / "docs" / "benchmarks"
if not FOLDER.exists():
    print("skipped: nothing is published")
    sys.exit(77)


class Published(unittest.TestCase):
    def test_nothing_was_typed(self):
        for name, text in publish.pages(FOLDER).items():
            if name.endswith(".svg"):  # another version of matplotlib draws other curves
                self.assertTrue((publish.REPOSITORY / name).exists(), name)
                continue
            written = (publish.REPOSITORY / name).read_text(encoding="utf-8")
            self.assertEqual(written, text, f"{name}: run bench/publish.py")

    def test_every_file_is_written(self):
        made = {publish.RECORD, publish.PROGRAMS}
        made |= {pathlib.Path(name).name for name in publish.pages(FOLDER)}
        self.assertLessEqual({path.name for path in FOLDER.iterdir()}, made)


if __name__ == "__main__":
    unittest.main(verbosity=2)
