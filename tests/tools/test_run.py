# SPDX-License-Identifier: MIT
#
# hakmem run: what it hands to the program, and what comes back.

import os
import signal
import shutil
import subprocess
import unittest

from tool import (CRASHING, NOTHING, SHOW, STANDIN, STATIC, TOOL, ToolTest, clean_environment,
                  hakmem, main, run)


class Status(ToolTest):
    def test_exit_status(self):
        for status in (0, 1, 2, 77, 125, 126, 127, 255):
            self.check(run("sh", "-c", f"exit {status}"), status)

    def test_signal(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
            self.check(run("sh", "-c", f"ulimit -c 0; kill -{int(number)} $$"), -number)

    def test_same_process(self):
        """No process stands between: signals sent to the command reach the program."""
        command = [TOOL, "run", "--lib", STANDIN, "sh", "-c", "echo $$; exec sleep 60"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                 env=clean_environment())
        self.assertEqual(child.pid, int(child.stdout.readline()))
        child.send_signal(signal.SIGINT)
        self.assertEqual(-signal.SIGINT, child.wait(timeout=60))
        child.stdout.close()

    def test_not_found(self):
        self.check(run("no-such-program"), 127,
                   stderr="hakmem run: no-such-program: No such file or directory\n")
        self.check(run(self.path("missing")), 127, stderr=None)
        self.check(run(""), 127, stderr=None)

    def test_not_executable(self):
        path = self.write("plain", "exit 0\n", 0o644)
        self.check(run(path), 126, stderr=f"hakmem run: {path}: Permission denied\n")
        self.check(run(self.folder.name), 126, stderr=None)

    def test_no_program(self):
        done = run()
        self.assertEqual(125, done.returncode)
        self.assertIn("a program is needed", done.stderr)
        self.assertEqual(125, run("--").returncode)
        self.assertEqual(125, run("--no-such-option", "true").returncode)


class Handing(ToolTest):
    def test_arguments(self):
        arguments = ["", " ", "a b", "'\"", "$HOME", "*", "--set", "-x", "--", "line\nline", "ä"]
        expected = "".join(f"[{argument}]\n" for argument in arguments)
        self.check(run(SHOW, *arguments), stdout=expected)
        self.check(run("--", SHOW, *arguments), stdout=expected)

    def test_program_by_path_variable(self):
        shutil.copy(SHOW, self.path("only-here"))
        path = f"{self.folder.name}:{os.environ['PATH']}"
        self.check(run("only-here", "x", env={"PATH": path}), stdout="[x]\n")

    def test_script_without_first_line(self):
        self.check(run(self.write("script", "echo ran $1\n"), "x"), stdout="ran x\n")

    def test_descriptors(self):
        """Input, output and nothing else is inherited from the command."""
        command = ["sh", "-c", "cat; ls /proc/$$/fd; true"]
        plain = subprocess.run(command, input="in\n", text=True, capture_output=True)
        self.check(run(*command, input="in\n"), stdout=plain.stdout)

    def test_ignored_signals_stay_ignored(self):
        def ignore():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)

        command = ["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"]
        plain = subprocess.run(command, capture_output=True, text=True, preexec_fn=ignore)
        self.check(run(*command, preexec_fn=ignore), stdout=plain.stdout)

    def test_closed_descriptors(self):
        def close_all():
            for fd in (0, 1, 2):
                os.close(fd)

        path = self.path("out")
        done = subprocess.run([TOOL, "run", "--lib", STANDIN, "sh", "-c", f"echo ran > {path}"],
                              preexec_fn=close_all, env=clean_environment(), timeout=60)
        self.assertEqual(0, done.returncode)
        with open(path) as file:
            self.assertEqual("ran\n", file.read())


class Preload(ToolTest):
    SHOW = ("sh", "-c", "echo $LD_PRELOAD")

    def test_alone(self):
        self.check(run(*self.SHOW), stdout=f"{STANDIN}\n")
        self.check(run(*self.SHOW, env={"LD_PRELOAD": ""}), stdout=f"{STANDIN}\n")

    def test_kept(self):
        old = f"{NOTHING} libdl.so.2"
        self.check(run(*self.SHOW, env={"LD_PRELOAD": old}), stdout=f"{STANDIN}:{old}\n")

    def test_not_twice(self):
        for old in (STANDIN, f"{STANDIN}:{NOTHING}", f"{STANDIN} {NOTHING}"):
            self.check(run(*self.SHOW, env={"LD_PRELOAD": old}), stdout=f"{old}\n")
        self.check(run(TOOL, "run", "--lib", STANDIN, *self.SHOW), stdout=f"{STANDIN}\n")
        longer = STANDIN + "x"
        shutil.copy(NOTHING, self.path("longer"))
        self.assertEqual(f"{STANDIN}:{longer}\n",
                         run(*self.SHOW, env={"LD_PRELOAD": longer}).stdout)

    def test_before_another_allocator(self):
        shutil.copy(STANDIN, self.path("other.so"))
        self.check(run(*self.SHOW, env={"LD_PRELOAD": self.path("other.so")}),
                   stdout=f"{STANDIN}:{self.path('other.so')}\n")

    def test_relative_path_is_made_absolute(self):
        shutil.copy(STANDIN, self.path("lib.so"))
        done = hakmem("run", "--lib", "./lib.so", "sh", "-c", "cd /; echo $LD_PRELOAD",
                      cwd=self.folder.name)
        self.check(done, stdout=os.path.realpath(self.path("lib.so")) + "\n")

    def test_library_from_environment(self):
        self.check(hakmem("run", *self.SHOW, env={"HAKMEM_LIB": STANDIN}), stdout=f"{STANDIN}\n")

    def test_library_beside_the_command(self):
        shutil.copy(TOOL, self.path("hakmem"))
        shutil.copy(STANDIN, self.path("libhakmem.so"))
        done = subprocess.run([self.path("hakmem"), "run", *self.SHOW], capture_output=True,
                              text=True, env=clean_environment(), timeout=60)
        self.check(done, stdout=os.path.realpath(self.path("libhakmem.so")) + "\n")

    def test_no_library(self):
        shutil.copy(TOOL, self.path("hakmem"))
        done = subprocess.run([self.path("hakmem"), "run", *self.SHOW], capture_output=True,
                              text=True, env=clean_environment(), timeout=60)
        self.check(done, 125, stderr=None)
        self.assertRegex(done.stderr,
                         r"^hakmem run: no libhakmem\.so in .*; give it with --lib PATH\n$")


class Probe(ToolTest):
    def test_missing(self):
        path = self.path("missing.so")
        self.check(hakmem("run", "--lib", path, "true"), 125,
                   stderr=f"hakmem run: {path}: No such file or directory\n")

    def refused(self, library):
        """One line, status 125, and the program was not started."""
        done = hakmem("run", "--lib", library, "echo", "started")
        self.check(done, 125, stderr=None)
        self.assertEqual(1, done.stderr.count("\n"), done.stderr)
        self.assertTrue(done.stderr.startswith(f"hakmem run: {library} does not serve programs: "),
                        done.stderr)
        return done.stderr

    def test_not_a_library(self):
        self.assertIn("cannot be preloaded", self.refused(self.write("text.so", "no library\n")))

    def test_library_without_malloc(self):
        self.assertIn("malloc comes from ", self.refused(NOTHING))

    def test_crashing_library(self):
        self.assertIn("was ended by signal 6 (Aborted)", self.refused(CRASHING))

    def test_path_with_separators(self):
        for name in ("with blank", "with:colon"):
            folder = self.path(name)
            os.mkdir(folder)
            shutil.copy(STANDIN, folder)
            library = os.path.join(folder, os.path.basename(STANDIN))
            done = hakmem("run", "--lib", library, "true")
            self.check(done, 125, stderr=None)
            self.assertIn("LD_PRELOAD can't hold a path with a blank or a colon", done.stderr)

    def test_ignored_sigchld(self):
        done = run("true", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.check(done)
        done = hakmem("run", "--lib", NOTHING, "true",
                      preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual(125, done.returncode)

    def test_hidden_command(self):
        done = hakmem("--probe", STANDIN)
        self.check(done, 1, stderr=None)
        self.assertRegex(done.stderr, r"^malloc comes from .*libc\.so\.6\n$")


class Options(ToolTest):
    SHOW = ("sh", "-c", "env | grep ^HAKMEM_ | sort")

    def test_none(self):
        self.check(run(*self.SHOW), 0)

    def test_all(self):
        done = run("--profile", "lean", "--stats", "--check", "fast", "--set", "purge_delay_ms=-1",
                   "--set=MAGAZINE_BYTES=8K", "--set", "stats_file=/tmp/a=b c", *self.SHOW)
        self.check(done, stdout="HAKMEM_CHECK=fast\nHAKMEM_MAGAZINE_BYTES=8K\nHAKMEM_PROFILE=lean\n"
                                "HAKMEM_PURGE_DELAY_MS=-1\nHAKMEM_STATS=1\n"
                                "HAKMEM_STATS_FILE=/tmp/a=b c\n")

    def test_over_the_environment(self):
        done = run("--check=fast", *self.SHOW, env={"HAKMEM_CHECK": "checked", "HAKMEM_STATS": "1"})
        self.check(done, stdout="HAKMEM_CHECK=fast\nHAKMEM_STATS=1\n")

    def test_later_wins(self):
        done = run("--check=fast", "--set", "check=checked", *self.SHOW)
        self.check(done, stdout="HAKMEM_CHECK=checked\n")

    def test_bad_ones(self):
        for arguments, message in (
                (["--set", "stast=1"], '--set: no option "stast"; the nearest is "stats"'),
                (["--set", "colour=1"], '--set: no option "colour"; `hakmem options` lists them'),
                (["--set", "stats"], '--set: "stats" has no value: OPTION=VALUE is needed'),
                (["--set", "stats=2"], "--set: stats=2: must be 0 or 1"),
                (["--set", "purge_delay_ms=-2"],
                 "--set: purge_delay_ms=-2: must be -1 to 3600000"),
                (["--profile", "quick"],
                 "--profile: profile=quick: must be speed|balanced|lean|learn"),
                (["--check", ""], "--check: check=: must be fast|checked")):
            self.check(run(*arguments, "echo", "started"), 125, stderr=f"hakmem run: {message}\n")

    def test_probe_is_silent(self):
        """The program's options do not make the check of the preload speak."""
        self.check(run("--stats", "--set", "verbose=1", "true",
                       env={"HAKMEM_UNKNOWN": "1", "HAKMEM_CONFIG": "/missing"}))


class Unserved(ToolTest):
    """Programs that the loader does not preload into: they run, with one warning."""

    def warned(self, stderr, message):
        self.assertEqual(f"hakmem run: warning: {message}: hakmem does not serve it\n", stderr)

    def test_static(self):
        done = run(STATIC, "x")
        self.check(done, stdout="[x]\n", stderr=None)
        self.warned(done.stderr, f"{STATIC} is statically linked")

    def test_static_by_path_variable(self):
        done = run(os.path.basename(STATIC), env={
            "PATH": f"{os.path.dirname(STATIC)}:{os.environ['PATH']}"})
        self.warned(done.stderr, f"{STATIC} is statically linked")

    def test_script_with_static_interpreter(self):
        script = self.write("script", f"#!{STATIC} a b\n")
        done = run(script, "c")
        self.check(done, stdout=f"[a b]\n[{script}]\n[c]\n", stderr=None)
        self.warned(done.stderr, f"{script} is run by {STATIC}, which is statically linked")

    def test_script_by_env(self):
        script = self.write("script", f"#! /usr/bin/env -S A=1 {STATIC}\n")
        done = run(script)
        self.check(done, stdout=f"[{script}]\n", stderr=None)
        self.warned(done.stderr, f"{script} is run by {STATIC}, which is statically linked")

    def test_script_of_a_script(self):
        inner = self.write("inner", f"#!{STATIC}\n")
        script = self.write("script", f"#!{inner}\n")
        done = run(script)
        self.assertEqual(0, done.returncode)
        self.warned(done.stderr, f"{script} is run by {STATIC}, which is statically linked")

    def test_served_scripts(self):
        for line in ("#!/bin/sh", "#! /bin/sh -e", "#!/usr/bin/env sh", "#!/usr/bin/env -S sh -e"):
            self.check(run(self.write("script", f"{line}\necho ran\n")), stdout="ran\n")

    def test_endless_script(self):
        script = self.path("script")
        self.write("script", f"#!{script}\n")
        done = run(script)
        self.assertEqual(126, done.returncode)

    def test_loader_itself(self):
        """Started directly, the loader does preload."""
        done = subprocess.run(["readelf", "-l", SHOW], capture_output=True, text=True)
        loader = done.stdout.split("interpreter: ")[1].split("]")[0]
        self.check(run(loader, SHOW, "x"), stdout="[x]\n")

    def patched(self, name, offset, value):
        path = self.path(name)
        shutil.copy(SHOW, path)
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(bytes([value]))
        return path

    def test_other_class(self):
        path = self.patched("class", 4, 1)
        self.assertIn(f"warning: {path} is a 32-bit program: ", run(path).stderr)

    def test_other_processor(self):
        path = self.patched("processor", 18, 8)
        self.assertIn(f"warning: {path} is built for another processor: ", run(path).stderr)

    def test_other_libc(self):
        path = self.path("musl")
        with open(SHOW, "rb") as file:
            content = file.read()
        name = os.path.basename(content[content.index(b"/lib"):].split(b"\0")[0])
        with open(path, "wb") as file:
            file.write(content.replace(name, b"ld-musl.so".ljust(len(name), b"\0"), 1))
        os.chmod(path, 0o755)
        done = run(path)
        self.assertIn(f"warning: {path} is linked with another C library: ", done.stderr)

    def test_cut_files(self):
        """Files that end inside a header are the kernel's to refuse."""
        with open(SHOW, "rb") as file:
            content = file.read(200)
        for length in (0, 1, 2, 4, 16, 63, 64, 100):
            path = self.path("cut")
            with open(path, "wb") as file:
                file.write(content[:length])
            os.chmod(path, 0o755)
            self.assertGreaterEqual(run(path).returncode, 0)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_raised_rights(self):
        for owner, group, mode, refused in ((65534, 0, 0o4755, True), (0, 65534, 0o2755, True),
                                            (0, 0, 0o6755, False), (65534, 65534, 0o755, False),
                                            (0, 65534, 0o2745, False)):
            path = self.path("raised")
            shutil.copy(SHOW, path)
            os.chown(path, owner, group)
            os.chmod(path, mode)
            os.chmod(self.folder.name, 0o755)
            if os.statvfs(path).f_flag & os.ST_NOSUID:
                self.skipTest("the temporary folder is mounted nosuid")
            done = run(path, "x")
            self.assertEqual("[x]\n", done.stdout)
            if refused:
                self.warned(done.stderr, f"{path} is set-uid, set-gid or has capabilities, so "
                                         "LD_PRELOAD is ignored")
            else:
                self.assertEqual("", done.stderr)
            os.unlink(path)


@unittest.skipUnless(os.path.exists(os.environ.get("HAKMEM_LIB", "")), "no libhakmem.so")
class Real(ToolTest):
    """With libhakmem.so itself, found by the command."""

    def test_it_is_in_the_program(self):
        done = hakmem("run", "cat", "/proc/self/maps")
        self.check(done, stdout=None)
        self.assertIn("/libhakmem.so", done.stdout)

    def test_verbose(self):
        done = hakmem("run", "--profile=lean", "--set=verbose=1", "--check=fast", "true")
        self.assertEqual(0, done.returncode)
        self.assertRegex(done.stderr, r"^hakmem: version [0-9.]+ serves true \(process [0-9]+\): "
                                      r"profile lean, check fast\n$")

    def test_statistics(self):
        done = hakmem("run", "--stats", "true")
        self.assertEqual((0, ""), (done.returncode, done.stdout))
        self.assertNotEqual("", done.stderr)

    def test_python(self):
        done = hakmem("run", "python3", "-c", "print(sum(len(str(i)) for i in range(100000)))",
                      env={"PYTHONMALLOC": "malloc"})
        self.check(done, stdout="488890\n")


if __name__ == "__main__":
    main()
