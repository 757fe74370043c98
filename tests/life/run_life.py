#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Process-life tests that need unusual surroundings: other preloads, limits, rights, no /proc.

usage: run_life.py TEST FOLDER      FOLDER has the programs; from the environment:
       HAKMEM_LIB, HAKMEM_STATIC_LIB, HAKMEM_SOURCE_DIR

Without HAKMEM_LIB the programs run on glibc.  Status 77: can't be tried here.
"""

import ctypes
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
MIB = 1 << 20

LIBRARY = os.environ.get("HAKMEM_LIB", "")


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def run(arguments, preload=None, check=True, closed=(), limits=None, before=None, **environment):
    """Runs a program on the library; returns the finished process.  `check`: 0 or Failure."""
    values = dict(os.environ, **environment)
    values["LD_PRELOAD"] = ":".join(preload if preload is not None else filter(None, [LIBRARY]))

    def prepare():
        for kind, bytes_ in (limits or {}).items():
            resource.setrlimit(kind, (bytes_, bytes_))
        if before:
            before()
        for descriptor in closed:
            os.close(descriptor)

    done = subprocess.run([str(argument) for argument in arguments], env=values, timeout=600,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          preexec_fn=prepare, check=False, text=True, errors="replace")
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, arguments))}: status {done.returncode}\n"
                      f"{done.stdout}{done.stderr}")
    return done


def test_interposers(folder):
    """Other interposers before and after the library, and a dlsym that allocates."""
    calls, dlsym = f"{folder}/libinterposer.so", f"{folder}/libinterposer_dlsym.so"
    for preload in ([calls, LIBRARY], [LIBRARY, calls], [dlsym, LIBRARY], [LIBRARY, dlsym],
                    [calls, dlsym, LIBRARY]):
        preload = [library for library in preload if library]
        names = " ".join(os.path.basename(library) for library in preload)
        done = run([f"{folder}/mixed", 3, 5000], preload=preload)
        if preload[0] == calls:
            count = re.search(r"interposer: (\d+) calls", done.stdout)
            if not count or int(count[1]) < 100:
                raise Failure(f"{names}: the interposer in front was not called")
        else:  # one that calls dlsym can't serve a resolver, on any malloc
            run([f"{folder}/early_now"], preload=preload)
            run([f"{folder}/early_lazy"], preload=preload)
        print(f"{names}: works")


def test_secure(folder):
    """A set-uid program ignores the environment."""
    if os.geteuid() != 0:
        raise Skip("not root: can't make a set-uid program")
    unsafe = {"HAKMEM_ON_ERROR": "report", "HAKMEM_STATS": "1", "HAKMEM_SS_OS_STATS": "1",
              "HAKMEM_OPTIONS": "on_error=report,verbose=1", "HAKMEM_VERBOSE": "1"}
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        for mode, secure, value in ((0o755, 0, "report"), (0o4755, 1, "abort")):
            copy = f"{place}/privileged_{secure}"
            shutil.copyfile(f"{folder}/privileged", copy)
            os.chmod(copy, mode)
            done = run([copy], preload=[], before=lambda: os.setresuid(65534, 65534, 65534),
                       **unsafe)
            print(done.stdout, end="")
            if secure and done.stdout.startswith("secure 0"):
                raise Skip("set-uid has no effect in the temporary folder")
            if done.stdout != f"secure {secure} on_error {value}\n":
                raise Failure(f"expected: secure {secure} on_error {value}")
            if secure and done.stderr:
                raise Failure(f"the set-uid program wrote {done.stderr!r}")
            if not secure and "hakmem" not in done.stderr:
                raise Failure("the environment had no effect on the program without set-uid either")


def test_descriptors(folder):
    """Closed descriptors: works, and writes to no file of the program's."""
    for closed in ((0,), (1,), (2,), (0, 1, 2)):
        run([f"{folder}/mixed", 2, 2000], closed=closed, HAKMEM_STATS="1",
            HAKMEM_SS_OS_STATS="1", HAKMEM_VERBOSE="1")
        print(f"works without {closed}")
    with tempfile.TemporaryDirectory() as place:
        for closed in ((2,), (0, 1, 2)):
            run([f"{folder}/descriptors", f"{place}/file"], closed=closed, HAKMEM_STATS="1",
                HAKMEM_SS_OS_STATS="1", HAKMEM_NO_SUCH_OPTION="1")
            with open(f"{place}/file", encoding="utf-8", errors="replace") as file:
                text = file.read()
            if text:
                raise Failure(f"in the program's file: {text!r}")


def hide_proc():
    """In a mount namespace of its own: an empty file system over /proc."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, private = 0x00020000, 0x4000 | 0x40000  # CLONE_NEWNS; MS_REC | MS_PRIVATE
    if (libc.unshare(new_namespace) != 0 or libc.mount(None, b"/", None, private, None) != 0
            or libc.mount(b"tmpfs", b"/proc", b"tmpfs", 0, None) != 0):
        os._exit(SKIPPED)


def test_no_proc(folder):
    for program in (["mixed", 4, 5000], ["early_now"], ["tls_destructor"]):
        done = run([f"{folder}/{program[0]}", *program[1:]], before=hide_proc, check=False)
        if done.returncode == SKIPPED:
            raise Skip("no mount namespaces here")
        if done.returncode != 0:
            raise Failure(f"{program} without /proc: status {done.returncode}\n{done.stderr}")
        print(f"{program[0]} works without /proc")


def test_address_space(folder):
    """Starts and works under a limit of the address space."""
    for limit, program in ((64 * MIB, ["mixed", 0, 20000]), (64 * MIB, ["mixed", 4, 5000]),
                           (64 * MIB, ["early_now"]), (16 * MIB, ["mixed", 0, 5000])):
        done = run([f"{folder}/{program[0]}", *program[1:]], limits={resource.RLIMIT_AS: limit})
        print(f"{limit // MIB} MiB: {' '.join(map(str, program))}: {done.stdout.strip()}")


def test_idle(folder):
    """Little address space is taken for nothing; many threads are no problem."""
    done = run([f"{folder}/mixed", 0, 0])
    peak = int(re.search(r"VmPeak (\d+)", done.stdout)[1])
    print(f"idle: VmPeak {peak} KiB (at most 65536)")
    if peak > 65536:
        raise Failure("too much")
    print(run([f"{folder}/mixed", 200, 500]).stdout.strip())


def write_text(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def test_huge_pages(folder):
    """Where the system gives huge pages to all, an idle program must not be resident in them."""
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    try:
        with open(path, encoding="ascii") as file:
            setting = re.search(r"\[(\w+)\]", file.read())[1]
    except OSError as error:
        raise Skip("no transparent huge pages here") from error
    if setting == "always":
        compare_resident(folder)
        return
    if not os.access(path, os.W_OK):
        raise Skip(f"huge pages are set to {setting}, and {path} can't be written to")
    try:  # for the second that it takes; the setting is the whole machine's
        write_text(path, "always")
        compare_resident(folder)
    finally:
        write_text(path, setting)


def compare_resident(folder):
    figures = []
    for preload in ([], [LIBRARY]):
        done = run([f"{folder}/mixed", 0, 200], preload=preload)
        figures.append(int(re.search(r"resident (\d+)", done.stdout)[1]))
    print(f"resident: glibc {figures[0]} KiB, hakmem {figures[1]} KiB (at most 1024 more)")
    if figures[1] > figures[0] + 1024:
        raise Failure("too much")


def test_valgrind(folder):
    """Memcheck finds nothing, whether it replaces malloc itself or lets the library serve."""
    valgrind = shutil.which("valgrind")
    if not valgrind:
        raise Skip("no valgrind")
    memcheck = [valgrind, "-q", "--error-exitcode=9", "--leak-check=no"]
    plain = subprocess.run([*memcheck, f"{folder}/mixed", "0", "10"], capture_output=True,
                           text=True, check=False)
    if "debuginfo reader" in plain.stderr:
        raise Skip("this valgrind can't read the compiler's debug information")
    ours = [*memcheck, "--soname-synonyms=somalloc=nouserintercepts"]
    for command in ([*memcheck, f"{folder}/mixed", 2, 1000], [*ours, f"{folder}/mixed", 2, 1000],
                    [*ours, f"{folder}/early_now"]):
        done = run(command)
        if "==" in done.stderr:
            raise Failure(done.stderr)
        print(f"{' '.join(map(str, command[1:]))}: clean")
    for command in ([*memcheck, f"{folder}/by_name"], [*ours, f"{folder}/by_name"]):
        done = run(command, preload=[])
        if "==" in done.stderr:
            raise Failure(done.stderr)
        print(f"{' '.join(map(str, command[1:]))}: clean")


def compile_and_run(compiler, archive, place):
    source = os.environ["HAKMEM_SOURCE_DIR"]
    for name in ("static_names", "by_name"):
        program = f"{place}/{name}_{os.path.basename(compiler)}"
        run([compiler, "-static", "-O2", "-pthread", f"-I{source}/include", "-o", program,
             f"{source}/tests/life/{name}.c", archive], preload=[])
        run([program], preload=[])
        print(f"{os.path.basename(compiler)} -static: {name} works")


def musl_archive(folder):
    """Builds libhakmem.a for musl, once."""
    source, place = os.environ["HAKMEM_SOURCE_DIR"], f"{folder}/musl"
    toolchain = f"{source}/cmake/musl.cmake"
    if not os.path.exists(toolchain):
        raise Skip("no cmake/musl.cmake")
    run(["cmake", "-G", "Ninja", "-S", source, "-B", place, f"-DCMAKE_TOOLCHAIN_FILE={toolchain}",
         "-DHAKMEM_BUILD_TESTS=OFF", "-DHAKMEM_BUILD_TOOLS=OFF"], preload=[])
    run(["cmake", "--build", place, "--target", "hakmem_static", "-j2"], preload=[])
    return f"{place}/libhakmem.a"


def test_static(folder):
    archive, compiler = os.environ.get("HAKMEM_STATIC_LIB"), shutil.which("cc")
    if not archive or not compiler:
        raise Skip("no compiler, or HAKMEM_STATIC_LIB is not set")
    with tempfile.TemporaryDirectory() as place:
        compile_and_run(compiler, archive, place)
        musl = shutil.which("musl-gcc")
        if musl:
            compile_and_run(musl, musl_archive(folder), place)
        else:
            print("musl is not installed: left out")


def test_overcommit(folder):
    """Strict overcommit concerns the whole machine, so it is set only where that was asked for."""
    path = "/proc/sys/vm/overcommit_memory"
    if os.environ.get("HAKTEST_OVERCOMMIT") != "1":
        raise Skip("set HAKTEST_OVERCOMMIT=1 to have the whole machine's setting changed")
    if not os.access(path, os.W_OK):
        raise Skip(f"{path} can't be written to")
    with open(path, encoding="ascii") as file:
        before = file.read()
    try:
        write_text(path, "2")
        for program in (["mixed", 4, 20000], ["mixed", 100, 500], ["early_now"]):
            print(run([f"{folder}/{program[0]}", *program[1:]]).stdout.strip())
    finally:
        write_text(path, before)


def main():
    if len(sys.argv) != 3 or f"test_{sys.argv[1]}" not in globals():
        sys.exit(__doc__)
    try:
        globals()[f"test_{sys.argv[1]}"](sys.argv[2])
    except Skip as skip:
        print(f"skipped: {skip}")
        sys.exit(SKIPPED)
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")


if __name__ == "__main__":
    main()
