#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The structure checks find what they are for: each is run on a small tree with planted faults."""
import pathlib
import tempfile
import unittest

import check_exports
import check_headers
import check_layers
import check_lengths
import check_mirror
import check_text
import structure

SPDX = "/* SPDX-License-" "Identifier: MIT */\n"
ARCHITECTURE = "```\nsrc/base/     words\nsrc/heap/     heaps\n```\n"


class Checks(unittest.TestCase):
    def problems(self, check, files):
        """What a check reports on a tree of {name: text}."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return structure.run(check, folder)

    def assert_found(self, problems, *starts):
        """Exactly these problems, each known by how it starts."""
        self.assertEqual(len(problems), len(starts), problems)
        for problem, start in zip(problems, starts):
            self.assertTrue(problem.startswith(start), f"{problem!r}, not {start!r}")

    def test_layers(self):
        tree = {
            "ARCHITECTURE.md": ARCHITECTURE,
            "src/base/a.h": "", "src/heap/b.h": "", "src/new/c.h": "",
            "src/heap/good.c": '#include "base/a.h"\n#include "heap/b.h"\n#include "hakmem.h"\n'
                               "#include <stdio.h>\n",
            "src/base/up.c": '\n#include "heap/b.h"\n',
            "src/base/bare.c": '#include "a.h"\n',
            "src/heap/angle.c": "#include <base/a.h>\n",
        }
        self.assert_found(self.problems(check_layers.check, tree),
                          "ARCHITECTURE.md:1: src/new/",
                          'src/base/bare.c:1: "a.h" is not',
                          'src/base/up.c:2: "heap/b.h": heap/ comes after base/',
                          "src/heap/angle.c:1: <base/a.h> is")

    def test_lengths(self):
        body = "    a();\n" * 59
        tree = {
            "src/base/good.c": "struct a {\n" + "int b;\n" * 70 + "};\n"
                               "static const int c[] = {\n" + "f(1),\n" * 70 + "};\n"
                               "int d(void) {\n" + "    a();\n" * 58 + "}\n",
            "src/base/long.c": "/* { */\nint d(void) {\n" + body + "}\n",
            "src/base/split.c": "int d(int a,\n      int b)\n{\n" + body + "}\n",
            "src/base/type.c": "struct __attribute__((aligned(64))) a {\n" + "int b;\n" * 70 +
                               "};\n",
            "src/base/excused.c": "/* length: a table */\nint d(void) {\n" + body + "}\n",
            "src/base/file.c": "int a;\n" * 401,
            "tests/c.cc": 'extern "C" {\nint d(void) {\n' + body + "}\n}\n",
        }
        self.assert_found(self.problems(check_lengths.check, tree),
                          "src/base/file.c:401: 401 lines",
                          "src/base/long.c:2: d has 61 lines",
                          "src/base/split.c:1: d has 63 lines",
                          "tests/c.cc:2: d has 61 lines")

    def test_headers(self):
        def header(guard, text):
            return f"{SPDX}#ifndef {guard}\n#define {guard}\n{text}#endif\n"
        tree = {
            "src/base/good.h": header("HAK_BASE_GOOD_H", "#include <stddef.h>\nsize_t f(void);\n"),
            "src/base/name.h": header("HAK_NAME_H", ""),
            "src/base/needs.h": header("HAK_BASE_NEEDS_H", "size_t f(void);\n"),
            "src/base/none.h": "extern int a;\n",
            "src/base/table.h": "/* no include guard */\nROW(a)\n",
            "tests/good.h": header("HAK_BASE_GOOD_H", ""),
        }
        self.assert_found(self.problems(check_headers.check, tree),
                          "src/base/name.h:1: guard HAK_NAME_H should be HAK_BASE_NAME_H",
                          "src/base/needs.h:1: does not compile alone",
                          "src/base/none.h:1: does not start with",
                          "tests/good.h:1: guard HAK_BASE_GOOD_H is that of src/base/good.h")

    def test_mirror(self):
        tree = {
            "src/base/a.c": "", "tests/unit/base/test_a.c": "",
            "src/base/b.c": "",
            "src/base/c.c": "", "tests/unit/base/test_c.c": "",
            "src/pre/d.c": "",
            "tests/unit/base/test_gone.c": "",
            "src/base/inline.h": "", "tests/unit/base/test_inline.c": "",
            "tests/unit/base/helper.c": "",
            check_mirror.EXCEPTIONS:
                "src/base/c.c reason\nsrc/pre/*.c reason\nsrc/x.c reason\nbad\n",
        }
        self.assert_found(self.problems(check_mirror.check, tree),
                          f"{check_mirror.EXCEPTIONS}:4: not",
                          "src/base/b.c:1: has no tests/unit/base/test_b.c",
                          f"{check_mirror.EXCEPTIONS}:1: src/base/c.c has a test now",
                          f"{check_mirror.EXCEPTIONS}:3: src/x.c matches no file",
                          "tests/unit/base/test_gone.c:1: mirrors no file")

    def test_text(self):
        tree = {
            "a.c": SPDX + "int a;\n",
            "b.c": SPDX + "/* TO" "DO */\n",
            "c.c": SPDX + "int a; \n\tint b;\n" + "x" * 101 + "\n",
            "d.c": "int a;\n",
            "e.md": "see /wo" "rk/x and /ho" "me/x/y\n" + "x" * 200 + "\n",
            "f.py": "#!/usr/bin/env python3",
        }
        self.assert_found(self.problems(check_text.check, tree),
                          "b.c:2: open mark",
                          "c.c:2: white space", "c.c:3: tab", "c.c:4: 101 columns",
                          "d.c:1: no SPDX",
                          "e.md:1: path of one machine",
                          "f.py:1: no SPDX", "f.py:1: no newline")

    def test_exported_names(self):
        dynsym = ("   Num:    Value          Size Type    Bind   Vis      Ndx Name\n"
                  "     1: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND mmap@GLIBC_2 (2)\n"
                  "     2: 0000000000001100    61 FUNC    GLOBAL DEFAULT   11 malloc\n"
                  "     3: 0000000000001200    61 FUNC    WEAK   DEFAULT   11 free@@HAK_0\n")
        self.assertEqual(check_exports.exported(dynsym), {"malloc", "free"})
        header = ("/* HAK_API int hak_not(void); */\nHAK_API const char *hak_version(void);\n"
                  "HAK_API void *hak_malloc(size_t size) HAK_ATTR(malloc, alloc_size(1));\n")
        self.assertEqual(check_exports.public_functions(header), {"hak_version", "hak_malloc"})

    def test_linking(self):
        good = ("  TLS   0x002dd0 0x0000000000003dd0 0x0000000000003dd0 0x000000 0x000028 R   0x8\n"
                "  GNU_STACK 0x0 0x0 0x0 0x0 0x0 RW  0x10\n  GNU_RELRO 0x0 0x0 0x0 0x0 0x0 R 0x1\n")
        dynamic = (" 0x01 (NEEDED)  Shared library: [libc.so.6]\n"
                   " 0x0e (SONAME)  Library soname: [libhakmem.so.0]\n"
                   " 0x6f (FLAGS_1) Flags: NOW NODELETE\n")
        report = structure.Report()
        check_exports.check_linking(report, "lib", good, dynamic)
        self.assertEqual(report.problems, [])
        bad = good.replace("0x000000 0x000028", "0x000010 0x000060").replace("RW ", "RWE ")
        check_exports.check_linking(report, "lib", bad.replace("GNU_RELRO", "NOTE"),
                                    dynamic.replace("libc.so.6", "libm.so.6")
                                    .replace("NODELETE", "").replace("hakmem.so.0", "x.so")
                                    + " 0x16 (TEXTREL)\n")
        self.assert_found(report.problems, "lib:1: PT_TLS has 16", "lib:1: PT_TLS has 96",
                          "lib:1: asks for an exec", "lib:1: has no PT_GNU_RELRO",
                          "lib:1: needs libm.so.6", "lib:1: its soname", "lib:1: is not linked",
                          "lib:1: has relocations")


if __name__ == "__main__":
    unittest.main()
