#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs real programs on an allocator that is preloaded, and compares what they do with a run on glibc.

  run.py --lib build/release/libhakmem.so             every program of cases/
  run.py --lib ... --only redis --only git --repeat 20

For each program: prove that malloc is the library's, run it on glibc (LD_PRELOAD=libc.so.6, which also
takes it from a program that was linked with another allocator), run it on the library, compare.  With
--repeat the run on the library is repeated, the rest is not.  One line a program and round; the last
line counts.  Exit status 1 if anything failed, 77 if everything was skipped.

A file cases/<name>.py is one program.  It defines
  NEEDS          {executable, or pattern of a path: the Debian package that has it}
  SERVED         names of the executables in which the library must be shown to serve malloc
  LONG           true if both runs together take more than 40 s (default: false)
  prepare(case)  optional: writes into case.inputs, the same for every run; case.command() is on glibc
  probe(run)     optional: commands in which SERVED take part; default: "<first of SERVED> --version"
  run(run)       the work; returns {what: value}, which must be the same on every allocator
"""
import argparse
import importlib.util
import json
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
from harness import Failure, Run, check_bindings, check_statistics, find_program  # noqa: E402

SKIPPED = 77
REFERENCE = "libc.so.6"


class Skip(Exception):
    """The program can't run here."""


def load_cases(folder):
    """{name: module} of all cases, in order.  packages.txt beside the folder must list what they need."""
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
    """One program: its inputs and its result on glibc, made once; then any number of runs."""

    def __init__(self, name, module, scratch, options):
        self.name, self.module, self.options = name, module, options
        self.folder = scratch / name
        self.library = scratch / "lib" / pathlib.Path(options.lib).name
        self.reference = None
        self.inputs = None

    def check(self):
        """One round.  Raises Skip or Failure."""
        if self.reference is None:
            self.set_up()
        result = self.run_on(self.library, self.module.run)
        compare(self.reference, result)

    def set_up(self):
        for program, package in self.module.NEEDS.items():
            if find_program(program) is None:
                raise Skip(package)
        self.inputs = self.folder / "inputs"
        if not self.inputs.exists():
            self.inputs.mkdir(parents=True)
            if hasattr(self.module, "prepare"):
                self.new_run(REFERENCE, self.inputs, self.module.prepare)
        probe = getattr(self.module, "probe", lambda run: run.command(self.module.SERVED[0], "--version"))
        for library in (REFERENCE, self.library):
            self.run_on(library, lambda run: check_bindings(run, probe, self.module.SERVED))
        try:
            self.reference = self.run_on(REFERENCE, self.module.run)
        except Failure as failure:
            raise Failure(f"on glibc: {failure}", failure.detail) from failure

    def run_on(self, library, step):
        """Runs a step in an empty working directory of the same path each time."""
        return self.new_run(library, self.empty("work"), step)

    def new_run(self, library, work, step):
        env = {}
        if library != REFERENCE:
            env = {name: value for name, value in os.environ.items() if name.startswith("HAKMEM_")}
        statistics = None
        if pathlib.Path(library).name.startswith("libhakmem"):
            statistics = self.empty("statistics")
            env.update(HAKMEM_STATS="1", HAKMEM_STATS_FORMAT="json", HAKMEM_STATS_FILE=f"{statistics}/%p")
        result = step(Run(self.inputs, work, library, self.options.timeout, env, self.options.keep))
        if statistics:
            check_statistics(statistics)
        return result

    def empty(self, name):
        """An empty folder of the case."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        folder.chmod(0o777)  # some servers run as another user
        return folder


def compare(reference, result):
    """Raises Failure with the first difference between two results."""
    for what in reference:
        expected, got = reference[what], result.get(what)
        if expected == got:
            continue
        if isinstance(expected, bytes) and isinstance(got, bytes):
            expected, got = expected.decode(errors="replace"), got.decode(errors="replace")
        detail = ""
        if isinstance(expected, str) and isinstance(got, str):
            pairs = zip((expected + "\n").splitlines(), (got + "\n").splitlines())
            line, pair = next(((n, p) for n, p in enumerate(pairs, 1) if p[0] != p[1]), (0, None))
            detail = f"line {line}\n  glibc:   {pair[0]!r:.500}\n  library: {pair[1]!r:.500}\n" if pair else ""
        raise Failure(f"{what} differs", detail or f"glibc:   {expected!r:.500}\nlibrary: {got!r:.500}\n")


def run_all(cases, options, scratch):
    """Returns how many rounds of programs passed, failed, were skipped."""
    states = [Case(name, module, scratch, options) for name, module in cases.items()]
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    for number in range(1, options.repeat + 1):
        for case in states:
            start = time.monotonic()
            detail = ""
            try:
                case.check()
                verdict, remark = "ok", f"{time.monotonic() - start:.1f}"
            except Skip as skip:
                verdict, remark = "skip", str(skip)
            except Failure as failure:
                verdict, remark, detail = "FAIL", str(failure), failure.detail
            except Exception as error:  # an answer that the case could not even read
                verdict, remark, detail = "FAIL", repr(error), traceback.format_exc()
            counts[verdict] += 1
            where = f" [round {number} of {options.repeat}]" if options.repeat > 1 else ""
            print(verdict, case.name, remark + where, flush=True)
            if detail:
                print("  " + detail.rstrip().replace("\n", "\n  "), file=sys.stderr, flush=True)
            if verdict == "FAIL" and options.keep:
                kept = case.folder / f"failed-{number}"
                shutil.copytree(case.folder / "work", kept, symlinks=True, dirs_exist_ok=True,
                                ignore=lambda _, names: [n for n in names if n.endswith(".sock")])
                print(f"  kept in {kept}", file=sys.stderr, flush=True)
    return counts


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--lib", default=os.environ.get("HAKMEM_LIB"), metavar="PATH",
                        help="the library to preload (default: $HAKMEM_LIB)")
    parser.add_argument("--list", action="store_true", help="print the programs, with 'long' after those that are")
    parser.add_argument("--only", action="append", metavar="NAME", help="this program (may be repeated)")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="rounds on the library")
    parser.add_argument("--timeout", type=float, default=300, metavar="S", help="seconds for one run of one program")
    parser.add_argument("--check", choices=("fast", "checked"), help="sets HAKMEM_CHECK")
    parser.add_argument("--keep", action="store_true", help="keep the files of failed runs, with core dumps")
    parser.add_argument("--cases", type=pathlib.Path, default=HERE / "cases", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.list and not (options.lib and os.path.isfile(options.lib)):
        parser.error(f"--lib: no such file: {options.lib}")
    return options


def main():
    options = parse_arguments()
    cases = load_cases(options.cases)
    if options.list:
        for name, module in cases.items():
            print(name, "long" if getattr(module, "LONG", False) else "")
        return 0
    for name in options.only or []:
        if name not in cases:
            sys.exit(f"no such program: {name}")
    cases = {name: module for name, module in cases.items() if not options.only or name in options.only}

    # These are the build's, not options of the library, which would warn of them.
    for name in ("HAKMEM_LIB", "HAKMEM_STATIC_LIB", "HAKMEM_TOOL", "HAKMEM_SOURCE_DIR"):
        os.environ.pop(name, None)
    if options.check:
        os.environ["HAKMEM_CHECK"] = options.check
    os.umask(0o022)
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard if options.keep else 0, hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that servers are stopped and files removed

    scratch = pathlib.Path(tempfile.mkdtemp(prefix="hak"))
    counts = {"FAIL": 1}
    try:
        scratch.chmod(0o755)
        # A copy: another user must be able to read it, and a build meanwhile must not change it.
        (scratch / "lib").mkdir()
        library = shutil.copy(options.lib, scratch / "lib")
        os.chmod(library, 0o755)
        counts = run_all(cases, options, scratch)
    finally:
        if not (options.keep and counts["FAIL"]):
            shutil.rmtree(scratch, ignore_errors=True)
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    if counts["FAIL"]:
        return 1
    return 0 if counts["ok"] else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
