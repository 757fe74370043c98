#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs real programs on hakmem, on glibc and on the allocators that Debian has, and compares.

Started by scripts/demo, which builds what this needs into build/demo/.  First every program is run
once on every allocator with a witness that says which library its calls of malloc reach; its output
must be the same on all.  Then the runs are interleaved, each round in another order, so that what
disturbs the machine disturbs all alike, and the medians are compared.
"""
import argparse
import hashlib
import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import typing

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILT = ROOT / "build" / "demo"
HAKMEM = ROOT / "build" / "release" / "libhakmem.so"


class Allocator(typing.NamedTuple):
    """What a program is run on.  hakmem as it comes checks pointers; `fast` is without that."""
    name: str
    preload: str  # "" is none: glibc
    package: str = ""
    settings: dict = {}


ALLOCATORS = [
    Allocator("glibc", "", "libc6"),
    Allocator("hakmem", str(HAKMEM)),
    Allocator("hakmem fast", str(HAKMEM), settings={"HAKMEM_CHECK": "fast"}),
    Allocator("mimalloc", "libmimalloc.so.2.0", "libmimalloc2.0"),
    Allocator("jemalloc", "libjemalloc.so.2", "libjemalloc2"),
    Allocator("tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
    Allocator("tbbmalloc", "libtbbmalloc_proxy.so.2", "libtbbmalloc2"),
]

# A wall time that varies by more than this part of itself is not to be relied on.
NOISY = 0.10

PYTHON_JSON = """
import json, random
rng = random.Random(7)
words = ["w%05d" % i for i in range(5000)]
rows = [{"id": i, "key": rng.choice(words), "tags": rng.sample(words, 4),
         "text": " ".join(rng.choices(words, k=rng.randrange(2, 30)))} for i in range(30000)]
rows = json.loads(json.dumps(rows))
rows.sort(key=lambda row: (row["key"], row["id"]))
index = {}
for row in rows:
    for tag in row["tags"]:
        index.setdefault(tag, []).append(row["text"].split())
print(len(index), sum(len(text) for texts in index.values() for text in texts))
"""

JQ_FILTER = """
group_by(.key) | map({key: .[0].key, count: length, tags: (map(.tags) | add | unique | length),
                      words: (map(.text | split(" ") | length) | add)}) | sort_by(-.count, .key)
"""

CXX_SOURCE = """
#include <functional>
#include <map>
#include <regex>
#include <string>
#include <vector>
template <int N> struct step {
    std::map<int, std::vector<std::string>> map;
    std::function<int(int)> function;
    int sum() { return N + step<N - 1>().sum(); }
};
template <> struct step<0> {
    int sum() { return 0; }
};
int main() {
    std::regex expression("a+b");
    return step<60>().sum();
}
"""


def write_inputs(folder):
    """The programs' input files, the same on every machine."""
    rng = random.Random(11)
    words = ["w%05d" % i for i in range(5000)]
    rows = [{"id": i, "key": rng.choice(words), "tags": rng.sample(words, 4),
             "text": " ".join(rng.choices(words, k=rng.randrange(2, 30)))} for i in range(40000)]
    (folder / "rows.json").write_text(json.dumps(rows))
    (folder / "templates.cpp").write_text(CXX_SOURCE)


def programs(folder):
    """(title, command) of each; Debian's own binaries, whatever the PATH says."""
    return [
        ("python3: build, dump, load, sort JSON",
         ["/usr/bin/python3", "-S", "-E", "-c", PYTHON_JSON]),
        ("jq: group and sort JSON",
         ["/usr/bin/jq", "-c", JQ_FILTER, str(folder / "rows.json")]),
        ("g++: compile templates",
         ["/usr/bin/g++", "-S", "-o", "-", str(folder / "templates.cpp")]),
    ]


def is_installed(preload):
    """Whether the dynamic linker can preload it: if not, it says so and goes on."""
    done = subprocess.run(["/bin/true"], env={"LD_PRELOAD": preload}, stderr=subprocess.PIPE,
                          check=True)
    return not done.stderr


def version(allocator):
    """What Debian calls the version, or nothing."""
    if not allocator.package:
        return "with HAKMEM_CHECK=fast" if allocator.settings else "as it comes"
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", allocator.package],
                          capture_output=True, text=True, check=False)
    return done.stdout


def launch(command, allocator, folder, witness=None):
    """Runs once.  Returns (wall seconds, processor seconds, peak MiB, digest of the output)."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TMPDIR": str(folder),
                   # python3 on the allocator itself instead of on its own pools
                   "PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", **allocator.settings}
    preload = allocator.preload
    if witness:
        environment["DEMO_WITNESS"] = str(witness)
        preload = " ".join(filter(None, [str(BUILT / "witness.so"), preload]))
    result = folder / "result"
    done = subprocess.run([str(BUILT / "launch"), str(result), preload, *command],
                          env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          check=False)
    if done.returncode != 0:
        sys.exit(f"demo: {command[0]} ended with status {done.returncode} on {allocator.name}")
    wall_us, cpu_us, peak_kib = map(int, result.read_text().split())
    return wall_us / 1e6, cpu_us / 1e6, peak_kib / 1024, hashlib.sha256(done.stdout).hexdigest()


def prove(command, allocator, folder):
    """Shows which library serves malloc in the program and its children; returns the digest."""
    witness = folder / "witness"
    witness.unlink(missing_ok=True)
    digest = launch(command, allocator, folder, witness)[3]
    seen = [line.split(" ", 1) for line in witness.read_text().splitlines()]
    expected = os.path.basename(allocator.preload) or "libc.so.6"
    wrong = [library for _, library in seen if os.path.basename(library) != expected]
    if wrong or not seen:
        served = ", ".join(wrong) or "an unknown library"
        sys.exit(f"demo: {command[0]} on {allocator.name}: malloc is served by {served}")
    processes = ", ".join(sorted({process for process, _ in seen}))
    print(f"  {allocator.name:<12} malloc of {processes} is served by {seen[0][1]}", flush=True)
    return digest


def measure(commands, allocators, runs, folder):
    """{(title, allocator): [(wall, cpu, peak), ...]} of interleaved runs."""
    results = {}
    for run in range(runs):
        for title, command in commands:
            turn = run % len(allocators)
            for allocator in allocators[turn:] + allocators[:turn]:
                results.setdefault((title, allocator.name), []).append(
                    launch(command, allocator, folder)[:3])
        print(f"  round {run + 1} of {runs} done", flush=True)
    return results


def medians(samples):
    return [statistics.median(column) for column in zip(*samples)]


def spread(values):
    """Half the distance from the least to the greatest, as a part of the median."""
    return (max(values) - min(values)) / 2 / statistics.median(values)


def print_table(commands, allocators, results):
    """The table; returns {allocator: [ratio to glibc of wall, cpu, peak for each program]}."""
    ratios = {}
    for title, _ in commands:
        print(f"\n{title}")
        print(f"  {'':<12} {'wall s':>8} {'+-':>5} {'CPU s':>8} {'peak MiB':>9}"
              f"   {'wall':>6} {'CPU':>6} {'peak':>6}  (x glibc)")
        base = medians(results[title, "glibc"])
        for name in (allocator.name for allocator in allocators):
            samples = results[title, name]
            median = medians(samples)
            walls = spread([sample[0] for sample in samples])
            ratio = [value / reference for value, reference in zip(median, base)]
            ratios.setdefault(name, []).append(ratio)
            print(f"  {name:<12} {median[0]:8.3f} {walls:5.0%} {median[1]:8.3f} {median[2]:9.1f}"
                  f"   {ratio[0]:6.3f} {ratio[1]:6.3f} {ratio[2]:6.3f}")
    return ratios


def geometric_means(ratios):
    return [math.exp(statistics.fmean(map(math.log, column))) for column in zip(*ratios)]


def verdict(ratios, results):
    means = {name: geometric_means(rows) for name, rows in ratios.items()}
    print("\ngeometric means, x glibc")
    for name, (wall, cpu, peak) in means.items():
        print(f"  {name:<12} wall {wall:6.3f}   CPU {cpu:6.3f}   peak {peak:6.3f}")
    others = [name for name in means if name != "hakmem fast"]  # each as it comes
    cpu_rank = sorted(others, key=lambda name: means[name][1]).index("hakmem") + 1
    peak_rank = sorted(others, key=lambda name: means[name][2]).index("hakmem") + 1
    wall, cpu, peak = means["hakmem"]
    fast_cpu = means["hakmem fast"][1]
    noise = max(spread([sample[0] for sample in samples]) for samples in results.values())
    if noise > NOISY:
        print(f"\nThe time of one program varied by up to {noise:.0%}: this machine is busy,\n"
              "and wall time says little here.")
    print(f"\nVerdict: on hakmem these programs took {cpu:.3f} x the processor time,\n"
          f"{wall:.3f} x the wall time and {peak:.3f} x the memory that they take on glibc:\n"
          f"place {cpu_rank} of {len(others)} by processor time, {peak_rank} by memory.\n"
          f"With HAKMEM_CHECK=fast, without its checks of pointers: {fast_cpu:.3f} x the "
          "processor time.")


def main():
    parser = argparse.ArgumentParser(prog="demo", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=5, help="rounds (default: 5)")
    runs = parser.parse_args().runs
    allocators = [allocator for allocator in ALLOCATORS if is_installed(allocator.preload)]
    missing = [allocator.name for allocator in ALLOCATORS if allocator not in allocators]
    if missing:
        print("not installed:", ", ".join(missing))
    if "hakmem" in missing:
        sys.exit(f"demo: {HAKMEM} can't be preloaded")

    with tempfile.TemporaryDirectory(prefix="hakmem-demo-") as temporary:
        folder = pathlib.Path(temporary)
        write_inputs(folder)
        commands = programs(folder)
        print(f"Allocators, on {os.cpu_count()} processors, Linux {os.uname().release}")
        for allocator in allocators:
            print(f"  {allocator.name:<12} {version(allocator)}")
        print("\nProof, by one run each, of who serves malloc")
        for title, command in commands:
            print(title, flush=True)
            digests = {prove(command, allocator, folder) for allocator in allocators}
            if len(digests) != 1:
                sys.exit(f"demo: the output of {title} differs between allocators")
            print("  the output is the same on all")
        print(f"\nMeasuring: {runs} rounds of {len(commands)} programs, "
              f"{len(allocators)} allocators", flush=True)
        results = measure(commands, allocators, runs, folder)
        verdict(print_table(commands, allocators, results), results)


if __name__ == "__main__":
    main()
