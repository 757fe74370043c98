#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs misuse programs on the library under test and compares what it says with what it must say.

usage: run_misuse.py TEST FOLDER     FOLDER has the programs; HAKMEM_LIB is the library

TEST is one of
  stop      every call with every wrong pointer ends the process with one line, the right one
  report    the same with HAKMEM_ON_ERROR=report: the line, and the program goes on unharmed
  fast      HAKMEM_CHECK=fast: pointers to memory that is not the allocator's are still seen
  write     writes to freed blocks are seen before the block is handed out
  size      sized frees with the wrong size
  overlap   after each single misuse (reported), no memory is handed out twice
  all       the same after all of them in one process
  foreign   blocks of libc's own heap are forwarded to it, and that is said once
  kinds     how many of hardened_malloc's 32 kinds are stopped with a message in default mode

Without HAKMEM_LIB the programs run on glibc: the messages fail then, the rest may be compared.
"""

import concurrent.futures
import os
import re
import signal
import subprocess
import sys

SIZES = (16, 64, 1000, 5000, 40000, 256 << 10, 3 << 20)

CALLS = {  # the argument of the programs: the name in the message
    "free": "free",
    "realloc": "realloc",
    "malloc_usable_size": "malloc_usable_size",
    "free_sized": "free_sized",
    "operator_delete": "operator delete",
    "free_aligned_sized": "free_aligned_sized",
    "operator_delete_aligned": "operator delete",
}
POINTER_CALLS = ("free", "realloc", "malloc_usable_size", "free_sized", "operator_delete")
FREEING = ("free", "free_sized", "operator_delete")

WILD = ("one", "non_canonical", "kernel", "last", "stack", "static", "mapping",
        "mapping_protected", "far")
INTERIOR = ("interior", "middle", "odd", "half_aligned")
UNUSED = ("past_end", "untouched")
FREED = ("freed", "freed_and_another", "freed_long_ago", "freed_elsewhere", "freed_by_realloc")

# The part of a message behind "hakmem: CALL(POINTER): ".  {block}, {usable} and {offset} are what
# the program printed of its victim.
MESSAGES = {
    "foreign": "invalid pointer: not memory of this allocator",
    "stack": "invalid pointer: it points to the stack",
    "unused": "invalid pointer: this memory is not allocated (freed twice?)",
    "interior": "interior pointer: {offset} bytes into the block of {usable} bytes at {block}",
    "double": "double free: the block of {usable} bytes is free already",
    "used": "use after free: the block of {usable} bytes is free already",
    "mismatch": "size mismatch: freed as {wrong} bytes, but the block has {usable}",
    "libc": "not memory of this allocator; handed to libc, whose malloc is in use too (said once)",
}


def allowed(call, pointer, size):
    """The messages of which one must come.  More than one where what the allocator can know depends
    on whether the block's memory is still set aside for blocks of its class."""
    again = "double" if call in FREEING else "used"
    if pointer == "stack":
        return ("stack", "foreign")  # the stack of another thread is foreign memory
    if pointer in WILD:
        return ("foreign",)
    if pointer in INTERIOR:
        return ("interior",)
    if pointer in UNUSED:  # a block that is free, one that was never cut, or no slab at all
        return ("unused", again, "foreign")
    if pointer == "freed" and size <= 5000:
        return (again,)
    return (again, "unused", "foreign")


class Case:
    """One run of a program: its arguments, and what it must say."""

    def __init__(self, program, arguments, call=None, messages=(), **environment):
        self.program = program
        self.arguments = [str(argument) for argument in arguments]
        self.call = call
        self.messages = messages
        self.environment = environment
        self.name = " ".join([os.path.basename(program), *self.arguments])

    def run(self):
        # A thread that starts in between allocates, maybe in the very place that was freed.
        environment = dict(os.environ, HAKMEM_BACKGROUND="off", **self.environment)
        library = environment.get("HAKMEM_LIB")
        if library:
            environment["LD_PRELOAD"] = library
        run = subprocess.run([self.program, *self.arguments], env=environment, timeout=120,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, check=False)
        self.status = run.returncode
        self.output = run.stdout.decode(errors="replace")
        self.errors = run.stderr.decode(errors="replace")
        return self

    def expected(self):
        """The lines of which one must be on standard error, exactly."""
        victim = re.match(r"pointer (\S+) block (\S+) usable (\d+)\n", self.output)
        if not victim:
            return []
        pointer, block, usable = victim.groups()
        values = {
            "block": block,
            "usable": usable,
            "offset": int(pointer, 16) - int(block, 16),
            "wrong": self.arguments[-1],
        }
        head = f"hakmem: {CALLS[self.call]}({pointer}): " if self.call else ""
        return [head + MESSAGES[name].format(**values) + "\n" for name in self.messages]

    def describe(self):
        return (f"{self.name}: status {self.status}, said {self.errors!r}, "
                f"printed {self.output!r}, expected one of {self.expected()}")


def run_all(cases, right):
    """Runs the cases two at a time; prints the wrong ones and the sum.  True if all are right."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        done = [case for case in pool.map(Case.run, cases) if case.status != 77]
    wrong = [case for case in done if not right(case)]
    for case in wrong[:20]:
        print(f"WRONG {case.describe()}")
    if len(wrong) > 20:
        print(f"... and {len(wrong) - 20} more")
    print(f"{len(done) - len(wrong)} of {len(done)} right, "
          f"{len(cases) - len(done)} not possible here")
    return done and not wrong


def stopped(case):
    return (case.status == -signal.SIGABRT and case.errors in case.expected()
            and "survived" not in case.output)


def reported(case):
    return (case.status == 0 and case.errors in case.expected()
            and case.output.endswith("survived\n"))


def pointer_cases(program, pointers, sizes, calls=POINTER_CALLS, extra=(), **environment):
    for call in calls:
        for pointer in pointers:
            # A wild pointer has nothing to do with the size of a block.
            for size in sizes[:1] if pointer in WILD else sizes:
                for thread in ("same", "other"):
                    yield Case(program, [call, pointer, size, thread, *extra], call,
                               allowed(call, pointer, size), **environment)


def test_stop(folder):
    pointers = WILD + INTERIOR + UNUSED + FREED
    return run_all(list(pointer_cases(f"{folder}/misuse", pointers, SIZES,
                                      HAKMEM_CHECK="checked")), stopped)


def test_report(folder):
    pointers = WILD + INTERIOR + UNUSED + FREED
    return run_all(list(pointer_cases(f"{folder}/misuse", pointers, SIZES, HAKMEM_CHECK="checked",
                                      HAKMEM_ON_ERROR="report")), reported)


def test_fast(folder):
    # Fast mode looks at 48 bits of an address only: a non-canonical one that is an alias of a block
    # faults when the block is linked.
    wild = tuple(pointer for pointer in WILD if pointer != "non_canonical")
    # The sized forms are plain free there, and say so.
    calls = ("free", "realloc", "malloc_usable_size")
    return run_all(list(pointer_cases(f"{folder}/misuse", wild, (64,), calls, HAKMEM_CHECK="fast")),
                   stopped)


def test_write(folder):
    """Nothing of the allocator's is in a free block: no write to one does it any harm, in either
    mode, and none is seen."""
    spots = ((16, 0, 8), (16, 8, 8), (16, 0, 16), (64, 0, 8), (64, 8, 8), (64, 0, 64), (64, 8, 1),
             (1000, 0, 1000), (1000, 8, 8), (5000, 0, 16))
    cases = [Case(f"{folder}/write_after_free", (*spot, place), HAKMEM_CHECK=check)
             for spot in spots for place in ("slab", "magazine") for check in ("checked", "fast")]
    return run_all(cases, lambda case: case.status == 0 and not case.errors
                   and case.output.endswith("survived\n"))


def test_size(folder):
    """Sizes that the block can't have been asked for with: larger than it is.  (A smaller one may
    be right, after a realloc that shrank the block where it was.)"""
    pairs = ((16, 32), (16, 17), (16, 5000), (64, 80), (1000, 2000), (5000, 40000),
             (40000, 100000), (256 << 10, 3 << 20), (3 << 20, 64 << 20))
    cases = []
    for call in ("free_sized", "operator_delete", "free_aligned_sized", "operator_delete_aligned"):
        for size, wrong in pairs:
            # An aligned block may be of a larger class than its size: a multiple of 64 here.
            if "aligned" in call and wrong < max(2 * size, 65):
                continue
            for mode in ("abort", "report"):
                cases.append(Case(f"{folder}/size_mismatch", [call, size, wrong], call,
                                  ("mismatch",), HAKMEM_CHECK="checked", HAKMEM_ON_ERROR=mode))
    return run_all(cases, lambda case: reported(case)
                   if case.environment["HAKMEM_ON_ERROR"] == "report" else stopped(case))


def test_overlap(folder):
    """Whatever it says: no block may overlap another, foreign memory, or a live victim."""
    pointers = WILD + INTERIOR + UNUSED + FREED
    cases = list(pointer_cases(f"{folder}/misuse", pointers, (64, 1000, 40000, 3 << 20),
                               calls=("free", "realloc", "operator_delete"), extra=("overlap",),
                               HAKMEM_CHECK="checked", HAKMEM_ON_ERROR="report"))
    return run_all(cases, lambda case: case.status == 0 and "survived" in case.output)


def test_all(folder):
    case = Case(f"{folder}/misuse", ["all"], HAKMEM_CHECK="checked", HAKMEM_ON_ERROR="report").run()
    print(case.output, end="")
    lines = case.errors.splitlines()
    made = re.match(r"(\d+) misuses made\n", case.output)
    odd = [line for line in lines if not line.startswith("hakmem: ")]
    print(f"status {case.status}, {len(lines)} lines, {len(odd)} of them not of the library")
    return case.status == 0 and made and len(lines) == int(made[1]) and not odd


def test_foreign(folder):
    plugin = f"{folder}/libforeign_plugin.so"
    cases = [Case(f"{folder}/foreign", [plugin, call, 50],
                  {"usable": "malloc_usable_size"}.get(call, call), ("libc",))
             for call in ("free", "realloc", "usable")]
    refused = [Case(f"{folder}/foreign", [plugin, "free", 1], "free", ("foreign",),
                    HAKMEM_FOREIGN="report")]
    return all([run_all(cases, reported), run_all(refused, stopped)])


def test_kinds(folder):
    names = subprocess.run([f"{folder}/kinds"], stdout=subprocess.PIPE, check=True)
    cases = [Case(f"{folder}/kinds", [name]) for name in names.stdout.decode().split()]
    verdicts = {"stopped with a message": 0, "stopped by a signal": 0, "harmless": 0,
                "not stopped": 0}

    def verdict(case):
        if case.status == -signal.SIGABRT and re.fullmatch(r"hakmem: .*\n", case.errors):
            return "stopped with a message"
        if case.status < 0:
            return "stopped by a signal"
        return "harmless" if "harmless" in case.output else "not stopped"

    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for case in pool.map(Case.run, cases):
            verdicts[verdict(case)] += 1
            print(f"{case.arguments[0]:48} {verdict(case):24} {case.errors.strip()}")
    print(", ".join(f"{count} {name}" for name, count in verdicts.items()), f"of {len(cases)}")
    return len(cases) == 32 and verdicts["stopped with a message"] >= 18


def main():
    if len(sys.argv) != 3 or f"test_{sys.argv[1]}" not in globals():
        sys.exit(__doc__)
    sys.exit(0 if globals()[f"test_{sys.argv[1]}"](sys.argv[2]) else 1)


if __name__ == "__main__":
    main()
