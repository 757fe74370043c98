#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real programs on hakmem, on glibc and on the allocators that are installed.

    programs.py [NAME...] [--runs N] [--record FILE] [--with ALLOCATOR]...

Each program is compared by `hakmem compare`, whose tables are shown as they come: there every
allocator first proves that it serves malloc.  At the end stand the geometric means over all
programs.  --record keeps everything that was measured, for publish.py.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import typing

import program_inputs
import run

SERVER_PORT = 18471

# hakmem as it comes checks pointers; `fast` is without that.
ALLOCATORS = ("fast=HAKMEM_CHECK=fast hakmem", "mimalloc", "jemalloc", "tcmalloc", "tbbmalloc")

ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",  # Debian's own programs
    "LC_ALL": "C.UTF-8",
    "PYTHONMALLOC": "malloc",  # python3 on the allocator itself instead of on its own pools
    "PYTHONHASHSEED": "0",
    "PERL_HASH_SEED": "0",
}

METRICS = (("cpu_s", "CPU"), ("wall_s", "wall"), ("peak_kib", "peak"), ("idle_kib", "idle"))


class Program(typing.NamedTuple):
    """{folder} in a command is the folder of the inputs, and the current one."""

    name: str
    package: str
    command: list
    input: str = ""
    ready: str = ""
    load: str = ""


def redis(name, load):
    client = f"redis-cli -p {SERVER_PORT}"
    return Program(
        name,
        "redis-server",
        ["redis-server", "--port", str(SERVER_PORT), "--save", "", "--loglevel", "warning"],
        ready=f"{client} ping | grep -q PONG",
        load=load.format(bench=f"redis-benchmark -p {SERVER_PORT} -q", client=client),
    )


PROGRAMS = (
    Program("python3", "python3", ["python3", "-S", "-c", program_inputs.PYTHON]),
    Program("jq", "jq", ["jq", "-c", program_inputs.JQ, "rows.json"]),
    Program("g++", "g++", ["g++", "-S", "-o", "-", "templates.cpp"]),
    Program("clang", "clang", ["clang++", "-O1", "-S", "-o", "-", "templates.cpp"]),
    Program("sqlite3", "sqlite3", ["sqlite3", ":memory:"], input="statements.sql"),
    Program("perl", "perl", ["perl", "-e", program_inputs.PERL]),
    Program("lua", "lua5.4", ["lua5.4", "-e", program_inputs.LUA]),
    Program("ruby", "ruby", ["ruby", "-e", program_inputs.RUBY]),
    Program("node", "nodejs", ["node", "-e", program_inputs.NODE]),
    Program("xmllint", "libxml2-utils", ["xmllint", "--format", "list.xml"]),
    Program("cppcheck", "cppcheck", ["cppcheck", "-q", "--enable=all", "many.c"]),
    Program("z3", "z3", ["z3", "pigeons.smt2"]),
    Program(
        "rocksdb",
        "rocksdb-tools",
        ["db_bench", "--benchmarks=fillrandom,readrandom", "--num=60000", "--seed=1",
         "--db={folder}/db", "--compression_type=none", "--threads=2"],
    ),
    redis("redis", "{bench} -n 200000 -c 20 -P 8 -d 300 -r 20000 -t set,get,lpush,hset,zadd"),
    redis("redis, filled and emptied",
          "{bench} -n 200000 -P 16 -d 500 -r 100000 -t set && {client} flushall"),
    Program(
        "nginx",
        "nginx-light",
        ["nginx", "-e", "stderr", "-p", "{folder}", "-c", "{folder}/nginx.conf", "-g",
         "daemon off;"],
        ready="ab -q -n 1 http://127.0.0.1:18473/list.xml",
        load="ab -q -n 300 -c 8 http://127.0.0.1:18473/list.xml &&"
             " ab -q -n 20000 -c 8 http://127.0.0.1:18473/many.c",
    ),
)  # fmt: skip


# ---- Running -----------------------------------------------------------------------------------


def compare(tool, program, options, folder):
    """The document that `hakmem compare` writes, or None: the program does not run here."""
    record = folder / "record.json"
    record.unlink(missing_ok=True)
    words = [word.format(folder=folder) if "{folder}" in word else word for word in program.command]
    command = [str(tool), "compare", "--runs", str(options.runs), "--json", str(record)]
    for allocator in options.allocators:
        command += ["--with", allocator]
    for name in ("input", "ready", "load"):
        if getattr(program, name):
            command += [{"ready": "--until-ready"}.get(name, f"--{name}"), getattr(program, name)]
    environment = {**run.environment_of(None), **ENVIRONMENT, "TMPDIR": str(folder)}
    print(f"\n---- {program.name}\n", flush=True)
    done = subprocess.run([*command, "--", *words], cwd=folder, env=environment, check=False)
    if not record.exists():
        print(f"{program.name}: not compared (status {done.returncode})", flush=True)
        return None
    document = json.loads(record.read_text(encoding="utf-8"))
    document["program"] = program.name
    return document


def installed(allocators, tool):
    """Those that can be preloaded; the others are named once, not for every program."""
    kept = []
    for allocator in allocators:
        done = subprocess.run(
            [str(tool), "compare", "--runs", "1", "--with", allocator, "--", "/bin/true"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            kept.append(allocator)
        else:
            print(done.stderr.strip() or f"{allocator}: status {done.returncode}")
    return kept


# ---- Together ----------------------------------------------------------------------------------


def ratios(documents):
    """{allocator: {metric: {program: ratio to glibc}}}"""
    found = {}
    for document in documents:
        for one in document["allocators"]:
            if one["problem"] is not None:
                continue
            for key, metric in one["metrics"].items():
                if metric["ratio_to_glibc"]:
                    found.setdefault(one["name"], {}).setdefault(key, {})[document["program"]] = (
                        metric["ratio_to_glibc"]
                    )
    return found


def print_means(documents):
    found = ratios(documents)
    print(f"\nGeometric means over {len(documents)} programs, x glibc")
    print(f"  {'':12} " + " ".join(f"{title:>8}" for _, title in METRICS))
    for name, metrics in found.items():
        cells = [
            f"{statistics.geometric_mean(metrics[key].values()):.3f}" if key in metrics else "-"
            for key, _ in METRICS
        ]
        incomplete = len(documents) - len(metrics["cpu_s"])
        note = f"   (not on {incomplete} of them)" if incomplete else ""
        print(f"  {name:12} {' '.join(f'{cell:>8}' for cell in cells)}{note}")


def check(documents):
    """Programs that fail on hakmem, or write something else there."""
    failed = []
    for document in documents:
        by_name = {one["name"]: one for one in document["allocators"]}
        ours, base = by_name["hakmem"], by_name["glibc"]
        if ours["problem"] or (ours["other_output"] and not base["other_output"]):
            failed.append(document["program"])
    return failed


def main():
    parser = argparse.ArgumentParser(prog="programs.py", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="programs (default: all that are installed)")
    parser.add_argument("--runs", type=int, default=10, help="of each on each (default: 10)")
    parser.add_argument("--build", type=pathlib.Path, default=run.REPOSITORY / "build" / "release")
    parser.add_argument("--record", type=pathlib.Path, help="JSON file to write")
    parser.add_argument("--with", dest="allocators", action="append",
                        help="an allocator, as for `hakmem compare`")  # fmt: skip
    options = parser.parse_args()
    known = {program.name: program for program in PROGRAMS}
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    tool = options.build / "hakmem"
    options.allocators = installed(options.allocators or ALLOCATORS, tool)

    documents = []
    with tempfile.TemporaryDirectory(prefix="hakmem-programs-") as temporary:
        folder = pathlib.Path(temporary)
        program_inputs.write(folder)
        for program in [known[name] for name in options.names] or PROGRAMS:
            if not shutil.which(program.command[0], path=ENVIRONMENT["PATH"]):
                print(f"{program.name}: not installed (Debian: {program.package})")
                continue
            document = compare(tool, program, options, folder)
            if document:
                documents.append(document)
    if not documents:
        sys.exit("programs.py: nothing was compared")
    if options.record:
        options.record.write_text(json.dumps(documents, indent=1) + "\n", encoding="utf-8")
    print_means(documents)
    failed = check(documents)
    if failed:
        sys.exit(f"programs.py: not the same on hakmem as on glibc: {', '.join(failed)}")


if __name__ == "__main__":
    main()
