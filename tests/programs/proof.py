# SPDX-License-Identifier: MIT
"""Proof of who serves malloc in a program, whatever library is preloaded.

Three witnesses.  The dynamic linker, in a probe: with LD_DEBUG=bindings it names the library that
each use of malloc in each file of each process is bound to.  The kernel, for a server that is
running: its maps.  hakmem itself, for the run whose result is compared: the statistics that each
process writes when it ends.
"""
import json
import os
import re
import time

# "binding file /usr/bin/git [0] to /lib/libx.so [0]: normal symbol `malloc' [GLIBC_2.2.5]"
BINDING = re.compile(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: normal symbol `(\w+)'")
SYMBOLS = {"malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc",
           "malloc_usable_size"}

STATISTICS_PARTS = ("live", "cached", "free_dirty", "purged", "metadata", "waste")


class Failure(Exception):
    """The program did not do what it should.  The message is one line; `detail` may be long."""

    def __init__(self, message, detail=""):
        super().__init__(message)
        self.detail = detail


def check_bindings(run, probe, programs):
    """Runs probe(); malloc must be the library's in each of `programs` and in all they start."""
    traces = run.work / "bindings"
    traces.mkdir()
    run.env.update(LD_BIND_NOW="1", LD_DEBUG="bindings", LD_DEBUG_OUTPUT=str(traces / "of"))
    probe(run)
    wanted = os.path.basename(run.library)
    served = set()
    for trace in traces.iterdir():
        served |= served_files(trace.read_text(encoding="utf-8", errors="replace"), wanted)
    missing = sorted(set(programs) - served)
    if missing:
        raise Failure(f"malloc is not bound to {wanted} in {', '.join(missing)}")


def served_files(trace, wanted):
    """Names of the files of one process whose malloc is the library's; Failure if one's is not.

    In a program that is linked at a fixed address, the address of malloc is that of an entry of its
    own: the program and its libraries may be bound to the entry, and the entry to the library.
    """
    bound = {}
    for source, target, symbol in BINDING.findall(trace):
        if symbol in SYMBOLS and source != target:
            bound[source, symbol] = target
    served = set()
    for (source, symbol), target in bound.items():
        entry = bound.get((target, symbol), "")
        if wanted not in map(os.path.basename, (source, target, entry)):
            raise Failure(f"{source}: {symbol} is bound to {target}, not to {wanted}")
        if symbol == "malloc":
            served.add(os.path.basename(source))
    return served


def check_mapped(pid, library):
    """The library is mapped into a process that runs; soon, if it has only just called exec."""
    name = os.path.basename(library)
    for _ in range(100):
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
            if any(os.path.basename(line.split()[-1]) == name for line in maps if line.split()):
                return
        time.sleep(0.1)
    raise Failure(f"{name} is not mapped in process {pid}")


def documents(text):
    """The JSON documents of a text: a process that calls exec may write more than one."""
    decoder = json.JSONDecoder()
    text = text.strip()
    while text:
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:].strip()


def check_statistics(folder):
    """What hakmem's processes wrote into the folder adds up, and there were allocations."""
    refills = 0
    for path in folder.iterdir():
        for statistics in documents(path.read_text(encoding="utf-8")):
            refills += statistics["refills"]
            mapped = statistics["mapped"]
            parts = {name: statistics[name] for name in STATISTICS_PARTS}
            # Exact only if no other thread allocates at the end; that is tested elsewhere.
            if abs(mapped - sum(parts.values())) > mapped // 50:
                raise Failure(f"statistics: mapped is {mapped}, not the sum of {parts}")
    if not refills:
        raise Failure("no process wrote statistics with allocations in them")
