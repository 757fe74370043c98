# SPDX-License-Identifier: MIT
#
# hakmem compare, with a stand-in for hakmem that is libc's malloc under another name.

import html.parser
import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import time
import unittest

from tool import (CRASHING, NOTHING, SHOW, STANDIN, STATIC, TOOL, ToolTest, clean_environment,
                  hakmem, main)

METRICS = {"wall_s", "cpu_s", "peak_kib", "page_faults"}
LOOKED = {"final_kib", "memory_calls"}
SERVED = {"resident_kib", "idle_kib"}

SERVER = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
data = bytearray(b"x" * (8 << 20))
pathlib.Path(sys.argv[1]).write_text("ready")
while True:
    time.sleep(10)
"""


def compare(*arguments, **options):
    return hakmem("compare", "--lib", STANDIN, "--with", "glibc", *arguments, **options)


class Page(html.parser.HTMLParser):
    """Counts the elements of a page, which must be closed in order."""

    VOID = {"meta", "br", "rect", "circle"}

    def __init__(self, text):
        super().__init__()
        self.open, self.count, self.text = [], {}, ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text += data


class Compare(ToolTest):
    def document(self, *arguments, status=0):
        """What `hakmem compare --json` writes."""
        path = self.path("out.json")
        done = compare("--json", path, *arguments)
        self.assertEqual((status, ""), (done.returncode, done.stderr))
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        return document, {one["name"]: one for one in document["allocators"]}

    # ---- what is measured --------------------------------------------------------------------

    def test_figures(self):
        document, by_name = self.document("--runs", "4", "--", SHOW, "a b", 'c"\\\n')
        self.assertEqual([SHOW, "a b", 'c"\\\n'], document["command"])
        self.assertEqual(["glibc", "hakmem"], list(by_name))
        self.assertGreater(document["machine"]["processors"], 0)
        for one in by_name.values():
            self.assertIsNone(one["problem"])
            self.assertEqual((4, 0), (one["runs"], one["other_output"]))
            self.assertLessEqual(METRICS, set(one["metrics"]))
            self.assertLessEqual(set(one["metrics"]), METRICS | LOOKED)
            for key, metric in one["metrics"].items():
                self.assertEqual(1 if key in LOOKED else 4, len(metric["samples"]))
                self.assertAlmostEqual(statistics.median(metric["samples"]), metric["median"])
                self.assertGreaterEqual(metric["median"], 0)
        ratio = by_name["glibc"]["metrics"]["peak_kib"]
        self.assertEqual((1, 1, 1), (ratio["ratio_to_glibc"], ratio["low"], ratio["high"]))
        ratio = by_name["hakmem"]["metrics"]["wall_s"]
        self.assertTrue(ratio["low"] <= ratio["high"] and math.isfinite(ratio["ratio_to_glibc"]))

    def test_system_calls_are_counted(self):
        words = ["--runs", "1", "--", "sh", "-c"]
        _, few = self.document(*words, "/bin/true")
        _, more = self.document(*words, "/bin/true; /bin/true")
        if "memory_calls" not in few["glibc"]["metrics"]:
            self.skipTest("tracing is forbidden")
        calls = [by_name["glibc"]["metrics"]["memory_calls"]["median"] for by_name in (few, more)]
        self.assertGreater(calls[1], calls[0] + 5)  # the second one's loading, at least
        self.assertGreater(few["glibc"]["metrics"]["final_kib"]["median"], 100)

    def test_one_run_has_no_interval(self):
        _, by_name = self.document("--runs", "1", "--", SHOW)
        self.assertIsNone(by_name["hakmem"]["metrics"]["wall_s"]["low"])

    def test_threads_signals_and_children(self):
        script = self.write("busy.sh", "#!/bin/sh\ntrap : USR1\nkill -USR1 $$\n"
                            "(sleep 0.2; kill -CONT $$) &\nkill -STOP $$\nwait\n"
                            "ls / | cat\nexit 4\n")
        done = compare("--runs", "1", "--", script)
        self.check(done, stdout=None)
        self.assertIn("The output was the same in all runs.", done.stdout)

    def test_settings_and_input(self):
        script = self.write("show.sh", "#!/bin/sh\necho \"$SETTING\"; cat\n")
        text = self.write("input", "what was given\n")
        done = compare("--runs", "2", "--input", text, "--with", "set=SETTING=on hakmem", "--",
                       script)
        self.check(done, stdout=None)
        self.assertIn("The output on set differs from that on glibc in 3 of 3 runs.", done.stdout)
        self.assertNotIn("The output on hakmem", done.stdout)

    # ---- what is written ---------------------------------------------------------------------

    def test_text(self):
        done = compare("--runs", "2", "--", SHOW)
        self.check(done, stdout=None)
        library = re.escape(os.path.realpath(STANDIN))
        self.assertRegex(done.stdout, rf"hakmem +tools_show: {library}")
        self.assertRegex(done.stdout, r"glibc +tools_show: /\S+/libc\.so\.6")
        self.assertRegex(done.stdout, r"Processor time: on hakmem \d+\.\d+ x that on glibc")
        self.assertRegex(done.stdout, r"Peak memory: .*place [12] of 2\.")

    def test_page(self):
        path = self.path("page.html")
        done = compare("--runs", "3", "--html", path, "--", SHOW, "<&>")
        self.check(done, stdout=None)
        with open(path, encoding="utf-8") as file:
            page = Page(file.read())
        self.assertEqual([], page.open)
        self.assertIn("<&>", page.text)
        self.assertGreaterEqual(page.count["svg"], len(METRICS))
        self.assertGreaterEqual(page.count["circle"], len(METRICS) * 2 * 3)

    def test_a_file_is_whole_or_not_there(self):
        missing = self.path("nothing") + "/out.json"
        done = compare("--runs", "1", "--json", missing, "--", SHOW)
        self.check(done, 1, None, f"hakmem compare: {missing}: No such file or directory\n")
        done = compare("--runs", "1", "--html", "/dev/full", "--", SHOW)
        self.check(done, 1, None, "hakmem compare: /dev/full: No space left on device\n")
        done = compare("--runs", "1", "--json", "/dev/null", "--", SHOW)
        self.check(done, stdout=None)
        self.assertTrue(os.path.exists("/dev/null"))
        self.assertEqual([], os.listdir(self.folder.name))

    # ---- programs that fail ------------------------------------------------------------------

    def test_other_output_on_hakmem(self):
        script = self.write("differs.sh",
                            "#!/bin/sh\ncase $LD_PRELOAD in *standin*) echo on;; esac\n")
        done = compare("--runs", "2", "--", script)
        self.check(done, 3, None)
        self.assertIn("The output on hakmem differs from that on glibc in 3 of 3 runs.\n",
                      done.stdout)

    def test_output_that_varies_by_itself(self):
        script = self.write("varies.sh", "#!/bin/sh\necho $$\n")
        done = compare("--runs", "2", "--", script)
        self.check(done, stdout=None)
        self.assertIn("varies from run to run on glibc itself", done.stdout)

    def test_failure_on_hakmem(self):
        script = self.write("fails.sh", "#!/bin/sh\ncase $LD_PRELOAD in *standin*)"
                            " echo no such luck >&2; exit 7;; esac\n")
        done = compare("--runs", "2", "--", script)
        self.check(done, 3, None)
        self.assertIn("The program does not run on hakmem: the program ended with status 7, and at "
                      "first on glibc with 0: no such luck\n", done.stdout)

    def test_death_on_glibc(self):
        script = self.write("dies.sh", "#!/bin/sh\nkill -KILL $$\n")
        self.check(compare("--", script), 2, "", f"hakmem compare: {script} on glibc: the program "
                   "ended by signal 9 (Killed)\n")

    def test_timeout(self):
        start = time.monotonic()
        done = compare("--timeout", "0.5", "--", "sleep", "1234.5")
        self.check(done, 2, "", "hakmem compare: sleep on glibc: the program did not end in time\n")
        self.assertLess(time.monotonic() - start, 30)
        self.assert_gone("sleep 1234.5")

    def test_interrupt(self):
        command = subprocess.Popen([TOOL, "compare", "--lib", STANDIN, "--with", "glibc", "--",
                                    "sleep", "4321.5"], env=clean_environment())
        for _ in range(200):
            if self.running("sleep 4321.5"):
                break
            time.sleep(0.05)
        command.send_signal(signal.SIGINT)
        self.assertEqual(-signal.SIGINT, command.wait(30))
        self.assert_gone("sleep 4321.5")

    def running(self, words):
        wanted = words.encode().replace(b" ", b"\0") + b"\0"
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if file.read() == wanted:
                        return True
            except OSError:
                pass
        return False

    def assert_gone(self, words):
        for _ in range(200):
            if not self.running(words):
                return
            time.sleep(0.05)
        self.fail(f"{words} is still running")

    # ---- what can't be compared --------------------------------------------------------------

    def test_bad_requests(self):
        for arguments, message in (
                (["--runs", "0", SHOW], '--runs: "0" is no number from 1 to 100000'),
                (["--runs", "3x", SHOW], '--runs: "3x" is no number from 1 to 100000'),
                (["--load", "true", SHOW], "--until-ready and --load belong together"),
                (["--input", "/nothing", SHOW], "--input: /nothing: No such file or directory"),
                (["/nothing"], "/nothing: there is no such program"),
                ([STATIC], f"{STATIC} is statically linked: no allocator can be put under it"),
                (["--with", "nothing", SHOW], 'nothing: no allocator is known as "nothing"; give '
                 "its library as NAME=PATH"),
                (["--with", "a=/nothing", SHOW], "a=/nothing: /nothing: No such file or directory"),
                (["--with", f"a={NOTHING}", SHOW], None),
                (["--with", f"a={CRASHING}", SHOW], None)):
            done = compare(*arguments)
            expected = None if message is None else f"hakmem compare: {message}\n"
            self.check(done, 2, "", expected)
            self.assertEqual(1, done.stderr.count("\n"))

    def test_a_program_with_an_allocator_of_its_own(self):
        own = self.path("own")
        source = self.write("own.c", '#include <stdio.h>\nvoid *malloc(unsigned long n) {'
                            ' static char all[1 << 20]; static unsigned long used;'
                            ' used += (n + 15) & ~15ul; return all + used - ((n + 15) & ~15ul); }\n'
                            'void free(void *p) { (void)p; }\nint main(void) { return 0; }\n')
        compiler = shutil.which("cc")
        if not compiler:
            self.skipTest("no compiler")
        subprocess.run([compiler, "-fno-builtin", "-rdynamic", "-o", own, source], check=True)
        done = compare("--", own)
        self.check(done, 2, "",
                   f"hakmem compare: {own} on glibc: malloc of own is served by {own}\n")

    # ---- servers -----------------------------------------------------------------------------

    def test_server(self):
        ready, script = self.path("ready"), self.write("server.py", SERVER)
        _, by_name = self.document(
            "--runs", "2", "--until-ready", f"test -e {ready}", "--load", f"rm {ready}; sleep 0.1",
            "--", shutil.which("python3"), script, ready)
        for one in by_name.values():
            self.assertIsNone(one["problem"])
            self.assertLessEqual(METRICS | SERVED, set(one["metrics"]))
            self.assertGreater(one["metrics"]["idle_kib"]["median"], 8 << 10)
            self.assertGreaterEqual(one["metrics"]["wall_s"]["median"], 0.1)

    def test_server_that_fails(self):
        sleep = ["--", "sleep", "1111.5"]
        self.check(compare("--timeout", "1", "--until-ready", "false", "--load", "true", *sleep), 2,
                   "", "hakmem compare: sleep on glibc: the command of --until-ready does not "
                   "succeed\n")
        self.check(compare("--until-ready", "true", "--load", "echo why; exit 1", *sleep), 2, "",
                   "hakmem compare: sleep on glibc: the command of --load fails: why\n")
        self.check(compare("--until-ready", "true", "--load", "true", "--", "/bin/false"), 2, "",
                   "hakmem compare: /bin/false on glibc: the server ended before it was asked to\n")
        self.assert_gone("sleep 1111.5")

    # ---- odd surroundings --------------------------------------------------------------------

    @unittest.skipUnless(shutil.which("strace"), "no strace")
    def test_where_tracing_is_forbidden(self):
        done = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", TOOL, "compare", "--lib",
                               STANDIN, "--with", "glibc", "--runs", "1", "--", SHOW],
                              capture_output=True, text=True, check=False, timeout=60,
                              env=clean_environment())
        self.check(done, stdout=None)
        self.assertNotIn("calls", done.stdout)


if __name__ == "__main__":
    main()
