#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the driver: each way in which a program can fail is seen and leaves nothing behind.

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
PASSED = "1 passed, 0 failed, 0 skipped"
FAILED = "0 passed, 1 failed, 0 skipped"

PRELUDE = """
import signal
import time
NEEDS = {"sh": "dash", "sleep": "coreutils"}
SERVED = ("sleep",)

def run(run):
    on_glibc = str(run.library) == "libc.so.6"
"""


def shell(on_library, on_glibc="true", options=""):
    """The body of a case that runs one script on the library, and another on glibc."""
    return (f"script = {on_glibc!r} if on_glibc else {on_library!r}\n"
            f'return {{"x": run.text("sh", "-c", script {options})}}')


def server(on_library):
    """The body of a case that has a server for half a second."""
    return (f'script = "exec sleep 1000" if on_glibc else {on_library!r}\n'
            'with run.server("bash", "-c", "touch ready; " + script, status=-signal.SIGTERM,\n'
            '                ready=(run.work / "ready").exists):\n'
            "    time.sleep(0.5)\n"
            "return {}")


def loaded_library(name):
    """The path of a library of this process."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return next(line.split()[-1] for line in maps
                    if os.path.basename(line.split()[-1]) == name)


def is_running(pid):
    """False if the process is gone, or waits for its parent to ask for its status."""
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
        self.packages("dash", "coreutils")

    def packages(self, *names):
        (self.top / "packages.txt").write_text("\n".join(names), encoding="utf-8")

    def drive(self, text, *options, library="libc.so.6", wrapper=()):
        """Runs one case; returns the exit status, the lines, and what is on stderr."""
        (self.top / "cases/fake.py").write_text(text, encoding="utf-8")
        done = subprocess.run(
            [*wrapper, sys.executable, HERE / "run.py", "--cases", self.top / "cases",
             "--lib", loaded_library(library), *options],
            env={**os.environ, "TMPDIR": str(self.top / "tmp")}, capture_output=True, text=True,
            check=False)
        self.assertEqual(list((self.top / "tmp").iterdir()), [], "files are left")
        return done.returncode, done.stdout.splitlines(), done.stderr

    def drive_body(self, body, *options, **more):
        return self.drive(PRELUDE + textwrap.indent(body, "    ") + "\n", *options, **more)

    def check_failure(self, body, reason, *options, **more):
        status, lines, detail = self.drive_body(body, *options, **more)
        self.assertRegex(lines[0] if lines else detail, "^FAIL fake " + reason)
        self.assertEqual((status, lines[-1]), (1, FAILED))
        return detail

    def test_pass(self):
        status, lines, _ = self.drive_body(shell("echo a", "echo a"), "--repeat", "3")
        self.assertEqual((status, len(lines), lines[-1]), (0, 4, "3 passed, 0 failed, 0 skipped"))
        self.assertRegex(lines[1], r"^ok fake [0-9.]+ \[round 2 of 3\]$")

    def test_changed_output(self):
        detail = self.check_failure(shell("echo a; echo c", "echo a; echo b"), "x differs")
        self.assertIn("line 2", detail)

    def test_output_cut_short(self):
        self.check_failure(shell("echo a", "echo a; echo b"), "x differs")

    def test_missing_result(self):
        self.check_failure('return {"x": 1} if on_glibc else {}', "x differs")

    def test_crash(self):
        self.check_failure(shell("kill -SEGV $$"), "sh: killed by SIGSEGV")

    def test_exit_status(self):
        self.check_failure(shell("exit 3"), "sh: exit status 3")

    def test_hang(self):
        pid_file = self.top / "pid"
        self.check_failure(shell(f"sleep 1000 & echo $! > {pid_file}; wait"),
                           "sh: no end within 3 s", "--timeout", "3")
        self.assertFalse(is_running(pid_file.read_text(encoding="utf-8").strip()))

    def test_standard_error(self):
        self.check_failure(shell("echo odd >&2"), "sh: exit status 0, wrote 'odd'")

    def test_message_of_the_allocator(self):
        self.check_failure(shell("echo a >&2; echo hakmem: odd >&2", options=", chatty=True"),
                           "sh: the allocator reports 'hakmem: odd'")

    def test_unreadable_answer(self):
        self.check_failure('return {"x": int("1" if on_glibc else "a")}', "ValueError")

    def test_failure_on_glibc(self):
        self.check_failure(shell("true", "exit 4"), "on glibc: sh: exit status 4")

    def test_server(self):
        status, lines, _ = self.drive_body(server("exec sleep 1000"))
        self.assertEqual((status, lines[-1]), (0, PASSED))

    def test_server_dies(self):
        self.check_failure(server("sleep 0.2; kill -SEGV $$"), "bash: killed by SIGSEGV")

    def test_server_does_not_end(self):
        self.check_failure(server("trap '' TERM; while :; do sleep 1; done"),
                           "bash: does not end", "--timeout", "3")

    def test_message_in_the_log(self):
        self.check_failure(server("echo 'hakmem: odd'; exec sleep 1000"), "bash: the allocator")

    def test_signals_ignored_by_the_caller(self):
        script = "kill -INT $$; echo alive"
        background = ("sh", "-c", 'trap "" INT QUIT; exec "$@"', "sh")
        self.check_failure(shell(script), "sh: killed by SIGINT", wrapper=background)
        self.check_failure(shell(script.replace("INT", "QUIT")), "sh: killed by SIGQUIT",
                           wrapper=background)

    def test_preload_without_effect(self):
        self.check_failure("return {}", ".* is bound to .*, not to libm", library="libm.so.6")

    def test_skip(self):
        status, lines, _ = self.drive(
            'NEEDS = {"no-such-program": "dash", "sleep": "coreutils"}\nSERVED = ("sleep",)\n')
        self.assertEqual((status, lines), (77, ["skip fake dash", "0 passed, 0 failed, 1 skipped"]))

    def test_packages(self):
        self.packages("dash")
        status, _, detail = self.drive_body("return {}")
        self.assertEqual((status, detail), (1, "packages.txt and the cases differ: coreutils\n"))


if __name__ == "__main__":
    unittest.main()
