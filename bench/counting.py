# SPDX-License-Identifier: MIT
"""What a process did, counted by a tool instead of timed: no other load changes these figures.

strace counts the system calls about memory, the loader's among them (the row `empty process` says
how many those are).  callgrind counts the instructions of the timed part, which it finds by the
calls of bench_begin and bench_end.  It does not replace malloc, as valgrind's memory checkers do:
the benchmark proves under it too which library serves malloc.
"""

import pathlib
import re
import subprocess

MEMORY_CALLS = ("mmap", "munmap", "madvise", "mremap", "brk", "mprotect")


def problem_of(command):
    """Why the command does not work here, or None."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return f"{command[0]} is not installed"
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"{command[0]} fails"])[-1]


class Strace:
    name = "strace"
    counts = "system calls"
    base = ["strace", "-f", "-c", "-e", "trace=" + ",".join(MEMORY_CALLS)]

    def __init__(self):
        # With seccomp only the calls that are counted stop the program; older ones lack it.
        for self.command in ([*self.base, "--seccomp-bpf"], self.base):
            self.problem = problem_of([*self.command, "true"])
            if not self.problem:
                return

    def arguments(self, row, timed):
        """Those of the row's counted run."""
        return row.traced or timed

    def wrap(self, command, environment, folder):
        """(the command under the tool, its environment)"""
        environment = dict(environment)
        library = environment.pop("LD_PRELOAD", None)  # for the program, not for strace
        preload = ["-E", f"LD_PRELOAD={library}"] if library else []
        return [*self.command, "-o", f"{folder}/calls", *preload, *command], environment

    def read(self, folder, printed):
        """Metrics of a run: what strace wrote, and what the program printed."""
        # Columns: share, seconds, microseconds a call, calls, errors if there are any, name.
        lines = pathlib.Path(folder, "calls").read_text(encoding="utf-8")
        calls = dict.fromkeys(MEMORY_CALLS, 0)
        for count, name in re.findall(
            r"^\s*[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", lines, re.MULTILINE
        ):
            if name in calls:
                calls[name] = int(count)
        total = sum(calls.values())
        return {
            "syscalls": total,
            "syscalls_per_mop": f"{total / float(printed['ops']) * 1e6:.6g}",
            **{f"syscalls_{name}": count for name, count in calls.items()},
        }


class Callgrind:
    name = "callgrind"
    counts = "instructions"
    command = ["valgrind", "--quiet", "--tool=callgrind"]

    def __init__(self):
        self.problem = problem_of([*self.command, "--callgrind-out-file=/dev/null", "true"])

    def arguments(self, row, timed):
        del timed
        return row.instructions

    def wrap(self, command, environment, folder):
        marks = ["--zero-before=bench_begin", "--dump-before=bench_end"]
        out = f"--callgrind-out-file={folder}/out"
        return [*self.command, out, *marks, *command], environment

    def read(self, folder, printed):
        # out.1, out.2, ...: what was counted up to each bench_end; out: what came after the last.
        parts = [path.read_text(encoding="utf-8") for path in pathlib.Path(folder).glob("out.*")]
        totals = [int(re.search(r"^totals: (\d+)", part, re.MULTILINE)[1]) for part in parts]
        return {
            "instructions": sum(totals),
            "instructions_per_op": f"{sum(totals) / float(printed['ops']):.6g}",
        }


def tools(full):
    """Those that a run uses, without those that do not work here; and a note for each of these."""
    wanted = [Strace(), Callgrind()] if full else [Strace()]
    notes = [f"no {tool.counts} are counted: {tool.problem}" for tool in wanted if tool.problem]
    return [tool for tool in wanted if not tool.problem], notes
