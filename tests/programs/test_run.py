#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the driver: each way in which a program can fail is seen, named, and leaves nothing behind.

The library under test is glibc once more; the cases misbehave when they are not on the reference.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PRELUDE = """
import signal
NEEDS = {"sh": "dash", "sleep": "coreutils"}
SERVED = ("sleep",)

def shell(run, script, otherwise="true", **options):
    on_reference = str(run.library) == "libc.so.6"
    return run.command("sh", "-c", otherwise if on_reference else script, **options)
"""


def loaded_library(name):
    """The path of a library of this process."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return next(line.split()[-1] for line in maps if os.path.basename(line.split()[-1]) == name)


def is_running(pid):
    """True unless the process is gone or waits for its parent to ask for its status."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Driver(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = pathlib.Path(scratch.name)
        (self.top / "cases").mkdir()
        (self.top / "tmp").mkdir()
        self.packages("dash coreutils")

    def packages(self, names):
        (self.top / "packages.txt").write_text("\n".join(names.split()), encoding="utf-8")

    def drive(self, body, *options, library="libc.so.6"):
        """Runs one case whose run() is `body`; returns the exit status and the lines."""
        text = body if body.startswith("NEEDS") else PRELUDE + "def run(run):\n" + textwrap.indent(body, "    ")
        (self.top / "cases/fake.py").write_text(text + "\n", encoding="utf-8")
        done = subprocess.run(
            [sys.executable, HERE / "run.py", "--cases", self.top / "cases", "--lib", loaded_library(library), *options],
            env={**os.environ, "TMPDIR": str(self.top / "tmp")}, capture_output=True, text=True, check=False)
        self.assertEqual(list((self.top / "tmp").iterdir()), [], "files are left")
        return done.returncode, done.stdout.splitlines(), done.stderr

    def check_failure(self, body, reason, *options, **more):
        status, lines, detail = self.drive(body, *options, **more)
        self.assertRegex(lines[0] if lines else detail, "^FAIL fake " + reason)
        self.assertEqual((status, lines[-1]), (1, "0 passed, 1 failed, 0 skipped"))
        return detail

    def test_pass(self):
        status, lines, _ = self.drive('return {"x": shell(run, "echo a", "echo a")}', "--repeat", "3")
        self.assertEqual((status, lines[-1], len(lines)), (0, "3 passed, 0 failed, 0 skipped", 4))
        self.assertRegex(lines[1], r"^ok fake [0-9.]+ \[round 2 of 3\]$")

    def test_changed_output(self):
        detail = self.check_failure('return {"x": shell(run, "echo a; echo c", "echo a; echo b")}', "x differs")
        self.assertIn("line 2", detail)

    def test_output_cut_short(self):
        self.check_failure('return {"x": shell(run, "echo a", "echo a; echo b")}', "x differs")

    def test_missing_result(self):
        self.check_failure('return {"x": 1} if str(run.library) == "libc.so.6" else {}', "x differs")

    def test_crash(self):
        self.check_failure('return {"x": shell(run, "kill -SEGV $$")}', "sh: killed by SIGSEGV")

    def test_exit_status(self):
        self.check_failure('return {"x": shell(run, "exit 3")}', "sh: exit status 3")

    def test_hang(self):
        pid_file = self.top / "pid"
        self.check_failure(f'return {{"x": shell(run, "sleep 1000 & echo $! > {pid_file}; wait")}}',
                           "sh: no end within 3 s", "--timeout", "3")
        self.assertFalse(is_running(pid_file.read_text(encoding="utf-8").strip()))

    def test_standard_error(self):
        self.check_failure('return {"x": shell(run, "echo odd >&2")}', "sh: exit status 0, wrote 'odd'")

    def test_message_of_the_allocator(self):
        self.check_failure('return {"x": shell(run, "echo a >&2; echo hakmem: free of 0x1 >&2", chatty=True)}',
                           "sh: the allocator reports: 'hakmem: free of 0x1'")

    def test_unreadable_answer(self):
        self.check_failure('return {"x": int(shell(run, "echo a", "echo 1"))}', "ValueError")

    def test_failure_on_glibc(self):
        self.check_failure('return {"x": shell(run, "true", "exit 4")}', "on glibc: sh: exit status 4")

    SERVER = """
import time
script = {script!r} if str(run.library) != "libc.so.6" else "exec sleep 1000"
with run.server("bash", "-c", "touch ready; " + script, ready=(run.work / "ready").exists, status=-signal.SIGTERM):
    time.sleep(0.5)
return {{}}
"""

    def test_server(self):
        status, lines, _ = self.drive(self.SERVER.format(script="exec sleep 1000"))
        self.assertEqual((status, lines[-1]), (0, "1 passed, 0 failed, 0 skipped"))

    def test_server_dies(self):
        self.check_failure(self.SERVER.format(script="sleep 0.2; kill -SEGV $$"), "bash: killed by SIGSEGV")

    def test_server_does_not_end(self):
        self.check_failure(self.SERVER.format(script="trap '' TERM; while :; do sleep 1; done"),
                           "bash: does not end", "--timeout", "3")

    def test_message_in_the_log(self):
        self.check_failure(self.SERVER.format(script="echo 'hakmem: odd'; exec sleep 1000"), "bash: the allocator")

    def test_preload_without_effect(self):
        self.check_failure('return {"x": 1}', "malloc is not bound|.*is bound to .*, not to libm", library="libm.so.6")

    def test_skip(self):
        status, lines, _ = self.drive('NEEDS = {"no-such-program": "dash", "sleep": "coreutils"}\nSERVED = ("sleep",)')
        self.assertEqual((status, lines), (77, ["skip fake dash", "0 passed, 0 failed, 1 skipped"]))

    def test_packages(self):
        self.packages("dash")
        status, _, detail = self.drive("return {}")
        self.assertEqual((status, detail), (1, "packages.txt and the cases differ: coreutils\n"))


if __name__ == "__main__":
    unittest.main()
