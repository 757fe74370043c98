#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs real programs on an allocator that is preloaded, and compares them with themselves on glibc.

  run.py --lib build/release/libhakmem.so                              every program of cases/
  run.py --lib build/release/libhakmem.so --only redis --repeat 20     one of them, 20 times

For each program: prove that malloc is glibc's and the library's in turn; run it on glibc (by
LD_PRELOAD=libc.so.6, which also takes malloc from another allocator that the program is linked
with); run it on the library; compare.  --repeat repeats the last two.  One line a program and
round, the last line counts.  Exit status: 1 if anything failed, 77 if everything was skipped.

A file cases/<name>.py is one program.  It defines
  NEEDS          {executable, or pattern of a path: the Debian package that has it}
  SERVED         names of the executables in which malloc must be shown to be the library's
  LONG           true if it takes more than 40 s, both runs together (default: false)
  prepare(case)  optional: writes into case.inputs, once; its commands run on glibc
  probe(run)     optional: short commands in which all of SERVED take part
                 (default: the first of SERVED with --version)
  run(run)       the work; returns {what: value}, the same on every allocator
case and run are a harness.Run.
"""
import argparse
import importlib.util
import itertools
import os
import pathlib
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from harness import Run, find_program  # noqa: E402
from proof import Failure, check_bindings, check_statistics  # noqa: E402

SKIPPED = 77
REFERENCE = "libc.so.6"
# Variables of the tests; to the library they would be options that it does not know.
NOT_OPTIONS = ("HAKMEM_LIB", "HAKMEM_STATIC_LIB", "HAKMEM_TOOL", "HAKMEM_SOURCE_DIR")


class Skip(Exception):
    """The program can't run here: a package is missing."""


def load_cases(folder):
    """{name: module} of all cases.  packages.txt beside the folder must list what they need."""
    cases = {}
    for path in sorted(folder.glob("*.py")):
        spec = importlib.util.spec_from_file_location("cases." + path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        cases[path.stem] = module
    needed = {package for module in cases.values() for package in module.NEEDS.values()}
    listed = set((folder.parent / "packages.txt").read_text(encoding="utf-8").split())
    if needed != listed:
        sys.exit(f"packages.txt and the cases differ: {' '.join(sorted(needed ^ listed))}")
    return cases


class Case:
    """One program: its inputs and its result on glibc, made once; then any number of rounds."""

    def __init__(self, name, module, scratch, options):
        self.name = name
        self.module = module
        self.options = options
        self.folder = scratch / name
        self.library = scratch / "lib" / pathlib.Path(options.lib).name
        self.inputs = None
        self.reference = None

    def round(self):
        """One run on the library, compared.  Raises Skip or Failure."""
        if self.reference is None:
            self.set_up()
        compare(self.reference, self.run_on(self.library, self.module.run))

    def set_up(self):
        for program, package in self.module.NEEDS.items():
            if find_program(program) is None:
                raise Skip(package)
        self.folder.mkdir(exist_ok=True)
        self.inputs = self.empty("inputs")
        try:
            if hasattr(self.module, "prepare"):
                self.start(REFERENCE, self.inputs, self.module.prepare)
            self.run_on(REFERENCE, self.prove)
            reference = self.run_on(REFERENCE, self.module.run)
        except Failure as failure:
            raise Failure(f"on glibc: {failure}", failure.detail) from failure
        self.run_on(self.library, self.prove)
        self.reference = reference

    def prove(self, run):
        served = self.module.SERVED
        probe = getattr(self.module, "probe", lambda run: run.command(served[0], "--version"))
        check_bindings(run, probe, served)

    def run_on(self, library, step):
        """Runs a step in an empty working directory, of the same path each time."""
        return self.start(library, self.empty("work"), step)

    def start(self, library, work, step):
        env = {}
        statistics = None
        if library != REFERENCE:
            env.update((name, value) for name, value in os.environ.items()
                       if name.startswith("HAKMEM_") and name not in NOT_OPTIONS)
            if self.options.check:
                env["HAKMEM_CHECK"] = self.options.check
            if library.name.startswith("libhakmem"):
                statistics = self.empty("statistics")
                env.update(HAKMEM_STATS="1", HAKMEM_STATS_FORMAT="json",
                           HAKMEM_STATS_FILE=f"{statistics}/%p")
        options = self.options
        result = step(Run(self.inputs, work, library, options.timeout, env, options.keep))
        if statistics:
            check_statistics(statistics)
        return result

    def empty(self, name):
        """An empty folder of this case."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        folder.chmod(0o777)  # some servers run as another user
        return folder

    def keep(self, number):
        """Keeps the working directory of a failed round; returns where."""
        kept = self.folder / f"failed-{number}"
        shutil.copytree(self.folder / "work", kept, symlinks=True, dirs_exist_ok=True,
                        ignore=lambda folder, names: [name for name in names if not keepable(
                            pathlib.Path(folder, name))])
        return kept


def keepable(path):
    return path.is_symlink() or path.is_dir() or path.is_file()  # not a socket


def as_text(value):
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def compare(reference, result):
    """Raises Failure with the first difference between two results."""
    for what, expected in reference.items():
        got = result.get(what)
        if expected == got:
            continue
        pairs = itertools.zip_longest(as_text(expected).split("\n"), as_text(got).split("\n"))
        for number, (left, right) in enumerate(pairs, 1):
            if left != right:
                raise Failure(f"{what} differs", f"line {number}\n  glibc:   {left!r:.500}\n"
                                                 f"  library: {right!r:.500}\n")
        raise Failure(f"{what} differs in its type")


def run_round(case):
    """Returns "ok", "FAIL" or "skip", one line about it, and what else there is to say."""
    start = time.monotonic()
    try:
        case.round()
        return "ok", f"{time.monotonic() - start:.1f}", ""
    except Skip as skip:
        return "skip", str(skip), ""
    except Failure as failure:
        return "FAIL", str(failure), failure.detail
    except Exception as error:  # an answer that the case could not even read
        return "FAIL", repr(error), traceback.format_exc()


def run_all(cases, options, scratch):
    """Returns how often each verdict was given."""
    states = [Case(name, module, scratch, options) for name, module in cases.items()]
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    for number in range(1, options.repeat + 1):
        of_rounds = f" [round {number} of {options.repeat}]" if options.repeat > 1 else ""
        for case in states:
            verdict, remark, detail = run_round(case)
            counts[verdict] += 1
            print(verdict, case.name, remark + of_rounds, flush=True)
            if verdict == "FAIL" and options.keep:
                detail += f"kept in {case.keep(number)}\n"
            for line in detail.splitlines():
                print("  " + line, file=sys.stderr, flush=True)
    return counts


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--lib", default=os.environ.get("HAKMEM_LIB"), metavar="PATH",
                        help="the library to preload (default: $HAKMEM_LIB)")
    parser.add_argument("--list", action="store_true",
                        help="print the programs, with 'long' after those that are")
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="this program (may be repeated)")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="rounds (default: 1)")
    parser.add_argument("--timeout", type=float, default=300, metavar="S",
                        help="seconds for one run of one program (default: 300)")
    parser.add_argument("--check", choices=("fast", "checked"), help="sets HAKMEM_CHECK")
    parser.add_argument("--keep", action="store_true",
                        help="keep the files of failed rounds, with core files")
    parser.add_argument("--cases", type=pathlib.Path, default=HERE / "cases",
                        help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.list and not (options.lib and os.path.isfile(options.lib)):
        parser.error(f"--lib: no such file: {options.lib}")
    return options


def select(cases, names):
    unknown = sorted(set(names or ()) - set(cases))
    if unknown:
        sys.exit(f"no such program: {' '.join(unknown)}")
    return {name: module for name, module in cases.items() if not names or name in names}


def main():
    options = parse_arguments()
    cases = load_cases(options.cases)
    if options.list:
        for name, module in cases.items():
            print(name, "long" if getattr(module, "LONG", False) else "")
        return 0
    cases = select(cases, options.only)

    os.umask(0o022)
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard if options.keep else 0, hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that servers end and files go
    # A shell starts what is in its background with these ignored, which every program inherits.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

    scratch = pathlib.Path(tempfile.mkdtemp(prefix="hak"))
    counts = None
    try:
        scratch.chmod(0o755)
        # A copy: another user must be able to read it, and a build meanwhile must not change it.
        (scratch / "lib").mkdir()
        os.chmod(shutil.copy(options.lib, scratch / "lib"), 0o755)
        counts = run_all(cases, options, scratch)
    finally:
        if not (options.keep and counts and counts["FAIL"]):
            shutil.rmtree(scratch, ignore_errors=True)
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    if counts["FAIL"]:
        return 1
    return 0 if counts["ok"] else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
