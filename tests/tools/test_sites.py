# SPDX-License-Identifier: MIT
#
# hakmem sites: tables from files, from programs and from running processes.

import json
import os
import subprocess
import sys
import unittest

from tool import TOOL, ToolTest, clean_environment, hakmem, main

LIBRARY = os.path.join(os.path.dirname(TOOL), "libhakmem.so")
GOOD = """hakmem sites 1
site 0 blocks=3 bytes=48
site 1000 blocks=0 bytes=0 taken_bytes=327680 freed=3 freed_bytes=196608 elsewhere=1 \
resized=2 taken=5 life=1,0,2 gap=0,4 gaps=9 moves=2 step=2 fixed_step=0 state=0 paid=1500000 \
fixed=9000000
site 2000 blocks=70 bytes=4480
site 1000 blocks=1 bytes=16
end
"""


def has_sites():
    return hakmem("sites", "--help").returncode == 0


@unittest.skipUnless(has_sites(), "built without elfutils")
class Files(ToolTest):
    def table(self, text):
        return hakmem("sites", "--json", self.write("table", text))

    def refused(self, text, message):
        path = self.write("table", text)
        self.check(hakmem("sites", path), 2, stderr=f"hakmem sites: {path}:{message}\n")

    def test_good(self):
        done = self.table(GOOD)
        self.check(done, stdout=None)
        sites = json.loads(done.stdout)["sites"]
        self.assertEqual(["0x1000", "0x2000", "0x0"], [site["address"] for site in sites])
        first = sites[0]
        self.assertEqual((1, 16, 5, 327680, 3, 196608, 131072, 1, 2),
                         tuple(first[name] for name in (
                             "small_blocks", "small_bytes", "large_blocks", "large_bytes", "freed",
                             "freed_bytes", "held_bytes", "elsewhere", "resized")))
        self.assertEqual([1, 0, 2], first["life"][:3])
        self.assertEqual([0, 4], first["gap"][:2])
        self.assertIsNone(first["function"])
        self.assertEqual({"gaps": 9, "moves": 2, "frozen": False, "keep_ms": 100,
                          "paid_ns": 1500000, "fixed_ns": 9000000}, first["learned"])
        self.assertIsNone(sites[1]["learned"])

    def test_text(self):
        done = hakmem("sites", "-n", "1", "--sort", "blocks", self.write("table", GOOD))
        self.check(done, stdout=None)
        lines = done.stdout.splitlines()
        self.assertEqual(["70", "4.4", "KiB", *"-------", "0x2000"], lines[2].split())
        self.assertEqual("... and 2 more", lines[3])
        done = hakmem("sites", "--sort=held", self.write("table", GOOD))
        self.assertIn("128.0 KiB   <16 ms    <4 ms  100 ms     7.5 ms  0x1000", done.stdout)
        self.assertIn("(all others: the table was full)", done.stdout)

    def test_output(self):
        path = self.path("out")
        self.check(hakmem("sites", "-o", path, self.write("table", GOOD)))
        with open(path) as file:
            self.assertIn("0x1000", file.read())
        missing = self.path("no/folder")
        self.check(hakmem("sites", "-o", missing, self.write("table", GOOD)), 1,
                   stderr=f"hakmem sites: {missing}: No such file or directory\n")

    def test_damaged(self):
        lines = GOOD.splitlines(keepends=True)
        cut = "ends in the middle: the file is damaged"
        for count in range(1, len(lines)):
            self.refused("".join(lines[:count]), f"{count}: {cut}")
        self.refused(GOOD[:-6], f"5: {cut}")
        self.refused(GOOD[:-2], "6: not a line of a table of sites")
        self.refused(GOOD + "site 1\n", "7: text behind the end")
        self.refused(GOOD.replace("sites 1", "sites 2"),
                     "1: made by another version of hakmem, whose files this one can't read")
        self.refused(GOOD.replace("blocks=70", "blocks=7O"), "4: not a known NAME=VALUE")
        self.refused(GOOD.replace("blocks=70", "blocks=-7"), "4: not a known NAME=VALUE")
        self.refused(GOOD.replace("blocks=70", "blocks=" + "9" * 30), "4: not a known NAME=VALUE")
        self.refused(GOOD.replace("blocks=70", "boxes=70"), "4: not a known NAME=VALUE")
        self.refused(GOOD.replace("gap=0,4", "gap=" + "1," * 20 + "1"),
                     "3: not a known NAME=VALUE")
        self.refused(GOOD.replace("fixed_step=0", "fixed_step=6"), "3: there is no such step")
        self.refused(GOOD.replace("site 2000 ", "site x "), "4: no address")
        self.refused(GOOD.replace("site 2000 ", "site 20\0 "), "4: not text")

    def test_every_cut_and_flip(self):
        """Whatever the damage: a table or a message, never a crash."""
        path = self.path("table")
        for at in range(0, len(GOOD), 7):
            for damaged in (GOOD[:at], GOOD[:at] + "\xff" + GOOD[at + 1:]):
                with open(path, "w", encoding="latin-1") as file:
                    file.write("hakmem sites" + damaged[12:])
                self.assertIn(hakmem("sites", path).returncode, (0, 2))

    def test_bad_arguments(self):
        for arguments in ((), ("--sort", "size", "x"), ("-n", "-3", "x"), ("-n", "", "x")):
            self.assertEqual(2, hakmem("sites", *arguments).returncode)


ALLOCATE = "held = [bytes(200000) for _ in range(50)]\n"


@unittest.skipUnless(has_sites(), "built without elfutils")
class Processes(ToolTest):
    def check_python(self, text, key):
        sites = json.loads(text)["sites"]
        self.assertGreater(sum(site[key] for site in sites), 50 * 200000 * 3 // 4)
        best = max(sites, key=lambda site: site[key])
        self.assertRegex(best["module"], "python")

    def test_program(self):
        path = self.path("out")
        done = hakmem("sites", "-j", "-o", path, "--", sys.executable, "-c",
                      ALLOCATE + "print('told')\nraise SystemExit(7)")
        self.check(done, 7, stdout="told\n")
        with open(path) as file:
            self.check_python(file.read(), "large_bytes")

    def test_program_without_a_table(self):
        done = hakmem("sites", "--", "/no/such/program")
        self.assertEqual(127, done.returncode)
        done = hakmem("sites", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")
        self.assertEqual(128 + 9, done.returncode)
        self.assertIn("left no table", done.stderr)

    def test_process(self):
        code = ALLOCATE + "print(flush=True)\nimport sys\nsys.stdin.read()"
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE,
                              env=clean_environment(LD_PRELOAD=LIBRARY)) as process:
            process.stdout.readline()
            done = hakmem("sites", "--json", str(process.pid))
            process.stdin.close()
            self.assertEqual(0, process.wait())
        if "Operation not permitted" in done.stderr:
            self.skipTest("processes may not be read here")
        self.check(done, stdout=None)
        self.check_python(done.stdout, "held_bytes")

    def test_no_process(self):
        done = hakmem("sites", "999999999")
        self.assertEqual(2, done.returncode)
        with subprocess.Popen(["sleep", "60"], env=clean_environment()) as process:
            done = hakmem("sites", str(process.pid))
            process.kill()
        self.check(done, 2, stderr=f"hakmem sites: process {process.pid}: not there, not readable, "
                                   "or not on hakmem\n")


if __name__ == "__main__":
    main()
