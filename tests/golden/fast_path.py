#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fast_path.py [--update] PROGRAM

Counts the instructions, loads, stores and conditional branches that a malloc hit and a free hit
execute in libhakmem.so ($HAKMEM_LIB), and compares them with fast_path.txt.  PROGRAM is
golden_steps, which executes the calls one instruction at a time, once in fast and once in checked
mode.  With gcc, which builds the release, no malloc and no free of at most FAST_MAX bytes may take
more than LIMIT in fast mode; with a compiler that fast_path.txt knows, all counts must be exactly
the pinned ones.

--update rewrites the lines of fast_path.txt for the compiler that built the library.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

LIMIT = {"malloc": 16, "free": 22}
# malloc computes the class of larger sizes, behind one more branch; larger blocks are freed inside
# the heap's slow path
FAST_MAX = {"malloc": 1024, "free": 8192}
PINNED = pathlib.Path(__file__).with_suffix(".txt")
CHECKED = "checked:"  # stands before a call in checked mode
SKIP = 77


def output_of(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **options).stdout


def compiler_of(library):
    """"gcc-12" or "clang-14": the crt files are gcc's in either case."""
    comment = output_of("readelf", "-p", ".comment", library)
    match = (re.search(r"(clang) version (\d+)", comment) or
             re.search(r"(GCC): .* (\d+)\.\d+\.\d+", comment))
    return f"{match.group(1).lower()}-{match.group(2)}" if match else "unknown"


def instructions_of(library):
    """{offset: instruction} of a library's code."""
    listing = output_of("objdump", "-d", "--no-show-raw-insn", library)
    lines = re.findall(r"^ *([0-9a-f]+):\t(.*?) *(?:[#<].*)?$", listing, re.MULTILINE)
    return {int(offset, 16): text for offset, text in lines}


def classify(text):
    """(is a load, is a store, is a conditional branch) of one instruction in AT&T syntax.

    Stack traffic of push, pop, call and ret is not counted.
    """
    mnemonic, _, operands = text.partition(" ")
    if re.match(r"(lea|nop|data16|cs|endbr|push|pop|ret|call)", mnemonic):
        return False, False, False
    if mnemonic.startswith("j"):
        return "(" in operands, False, mnemonic != "jmp"
    operands = re.split(r",(?![^(]*\))", operands.strip())
    in_memory = [("(" in operand or operand.startswith("%fs:")) for operand in operands]
    if not any(in_memory):
        return False, False, False
    if not in_memory[-1] or len(operands) > 1 and mnemonic.startswith(("cmp", "test", "bt")):
        return True, False, False
    if mnemonic.startswith(("mov", "set")):
        return False, True, False
    return True, True, False  # read, changed and written: add, dec, xchg ...


def measure(program, library, mode):
    """{call: (trace, counts)}: what each call executed; ends the process if that is not known."""
    environment = {**os.environ, "LD_PRELOAD": library, "HAKMEM_CHECK": mode}
    done = subprocess.run([program], env=environment, stdout=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode != 0:
        print(done.stdout, end="")
        sys.exit(SKIP if done.returncode == SKIP else 1)
    known = instructions_of(library)
    measured = {}
    for line in done.stdout.splitlines():
        call, outside, *offsets = line.split()
        trace = [f"{offset:>8}: {known.get(int(offset, 16), '?')}" for offset in offsets]
        if int(outside):
            trace.append(f"and {outside} instructions in other libraries")
        kinds = [classify(text.split(": ", 1)[1]) for text in trace[:len(offsets)]]
        counts = (len(offsets) + int(outside), *(sum(kind) for kind in zip(*kinds)))
        measured[call if mode == "fast" else CHECKED + call] = (trace, counts)
    return measured


def read_pinned(compiler):
    """{call: counts} that fast_path.txt has for a compiler."""
    fields = [line.split() for line in PINNED.read_text().splitlines()
              if line and not line.startswith("#")]
    return {field[1]: tuple(map(int, field[2:])) for field in fields if field[0] == compiler}


def update(compiler, measured):
    kept = [line for line in PINNED.read_text().splitlines() if not line.startswith(compiler + " ")]
    kept += ["".join([f"{compiler:<9} {call:<22}", *(f"{count:>6}" for count in counts)])
             for call, (_, counts) in measured.items()]
    PINNED.write_text("\n".join(kept) + "\n")


def judge(call, counts, pinned, compiler):
    """What is wrong with a call, or None."""
    if compiler.startswith("gcc") and not call.startswith(CHECKED):
        function, size = call.rstrip(")").split("(")
        if int(size) <= FAST_MAX[function] and counts[0] > LIMIT[function]:
            return f"executes {counts[0]} instructions, more than {LIMIT[function]}"
    if pinned and pinned.get(call) != counts:
        return f"is pinned at {pinned.get(call)} in {PINNED.name}"
    return None


def main():
    parser = argparse.ArgumentParser(prog="fast_path.py")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("program")
    arguments = parser.parse_args()
    library = os.environ.get("HAKMEM_LIB") or sys.exit("HAKMEM_LIB is not set")

    compiler = compiler_of(library)
    measured = {call: found for mode in ("fast", "checked")
                for call, found in measure(arguments.program, library, mode).items()}
    if arguments.update:
        update(compiler, measured)
    pinned = read_pinned(compiler)
    print(f"{compiler}: instructions, loads, stores, conditional branches"
          f"{'' if pinned else '; not pinned for this compiler'}")
    failed = False
    for call, (trace, counts) in measured.items():
        problem = judge(call, counts, pinned, compiler)
        failed = failed or bool(problem)
        print(f"{call:<22} {counts}{': ' + problem if problem else ''}")
        if problem:
            print("\n".join(trace[:80]))
    sys.exit(1 if failed or not measured else 0)


if __name__ == "__main__":
    main()
