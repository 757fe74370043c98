# SPDX-License-Identifier: MIT
"""The record of a run: the machine, and every figure of every process, as CSV."""

import csv
import os
import platform
import re


def describe_machine(build):
    def first_line(path, pattern="(.*)"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                found = re.search(pattern, file.read())
        except OSError:
            return "?"
        return found.group(1).strip() if found else "?"

    cache = re.search(
        r"CMAKE_BUILD_TYPE:\w+=(\S*)",
        (build / "CMakeCache.txt").read_text() if (build / "CMakeCache.txt").exists() else "",
    )
    return {
        "processor": first_line("/proc/cpuinfo", r"model name\s*: (.*)"),
        "processors": str(len(os.sched_getaffinity(0))),
        "memory_kib": first_line("/proc/meminfo", r"MemTotal:\s*(\d+)"),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "system": first_line("/etc/os-release", r'PRETTY_NAME="?([^"\n]*)'),
        "huge_pages": first_line("/sys/kernel/mm/transparent_hugepage/enabled"),
        "virtual": "yes"
        if re.search(r"\bhypervisor\b", first_line("/proc/cpuinfo", r"flags\s*: (.*)"))
        else "no",
        "build_type": cache.group(1) if cache else "?",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),  # before the run
    }


class Record:
    """Every figure of every process, one a line, below the machine's description."""

    def __init__(self, path, machine, allocators, notes):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(path, "w", newline="", encoding="utf-8")
        for key, value in machine.items():
            self.file.write(f"# {key}: {value}\n")
        for note in notes:
            self.file.write(f"# note: {note}\n")
        for name, library in allocators.items():
            self.file.write(f"# allocator {name}: {library or 'the system'}\n")
        self.writer = csv.writer(self.file, lineterminator="\n")
        self.writer.writerow(("benchmark", "arguments", "allocator", "run", "key", "value"))

    def add(self, row, arguments, allocator, run, values):
        """`run` is a number, or the name of the tool that the process ran under."""
        for key, value in values.items():
            self.writer.writerow((row.name, arguments, allocator, run, key, value))
        self.file.flush()

    def close(self):
        self.file.close()
