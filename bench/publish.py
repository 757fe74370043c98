#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts the results of a run where readers look: docs/benchmarks.md, docs/benchmarks/, README.md.

    publish.py RECORD.csv PROGRAMS.json     from a record of run.py and one of programs.py
    publish.py                              once more, from the records in docs/benchmarks/

The records are kept, without the names of folders of the machine, and everything else is written
from them.  tests/bench/test_published.py checks that nothing was changed by hand.
"""

import argparse
import csv
import gzip
import io
import json
import os
import pathlib
import re
import sys
import tempfile

import programs_page
import report

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
RECORD = "record.csv.gz"
PROGRAMS = "programs.json"
BEGIN, END = "<!-- results: written by bench/publish.py -->", "<!-- end of results -->"

README = """{begin}

Geometric means: of the benchmarks, how many times the best other allocator's time and peak memory
on each line; of {count} real programs, times glibc's.

{table}

The lines, the losses among them: [benchmarks](docs/benchmarks.md), made by `{command}`;
[programs](docs/benchmarks/programs.md), made by `bench/programs.py`.

![time, each benchmark](docs/benchmarks/benchmarks-time.svg)

{end}"""


# ---- Records without names of folders ----------------------------------------------------------


def clean_record(path):
    """The text of a record of run.py."""
    out = io.StringIO()
    with open(path, newline="", encoding="utf-8") as file:
        lines = file.readlines()
    about = [line for line in lines if line.startswith("#")]
    for line in about:
        out.write(re.sub(r"(allocator [^:]*: )/.*/", r"\1", line))
    writer = csv.writer(out, lineterminator="\n")
    for row in csv.reader(lines[len(about):]):
        if row[4] == "malloc":
            row[5] = os.path.basename(row[5])
        writer.writerow(row)
    return out.getvalue()


def clean_programs(path):
    documents = programs_page.read(path)
    for document in documents:
        for one in document["allocators"]:
            one["preload"] = os.path.basename(one["preload"])
        document["command"] = [
            re.sub(r"/\S*hakmem-programs-[^/]*", "FOLDER", word) for word in document["command"]
        ]
    return json.dumps(documents, indent=0) + "\n"


# ---- Pages -------------------------------------------------------------------------------------


def summary(table, documents):
    """Time and memory of every allocator, on the benchmarks and with the programs."""
    time, _ = report.means(report.distances(table, report.SPEED_KEYS))
    memory, _ = report.means(report.distances(table, report.MEMORY_KEYS))
    programs = programs_page.means_of(documents)
    yield "| | benchmarks: time | memory | programs: processor time | peak memory |"
    yield "|---|---|---|---|---|"
    for name in (*time.index, *(name for name in programs if name not in time.index)):
        cells = [
            f"{value:.3f}" if value else ""
            for value in (
                time.get(name),
                memory.get(name),
                programs.get(name, {}).get("cpu_s"),
                programs.get(name, {}).get("peak_kib"),
            )
        ]
        yield f"| {name} | " + " | ".join(cells) + " |"


def command_of(about):
    found = [line.removeprefix("command: ") for line in about if line.startswith("command: ")]
    return found[0] if found else "bench/run.py"


def pages(folder):
    """{path below the repository: text} of everything that is written from the records."""
    documents = programs_page.read(folder / PROGRAMS)
    with tempfile.TemporaryDirectory() as temporary:
        made = pathlib.Path(temporary)
        about, table = report.write(folder / RECORD, made)
        files = {f"docs/benchmarks/{path.name}": path.read_text() for path in made.iterdir()}
    page = files.pop("docs/benchmarks/benchmarks.md")
    page = re.sub(r"\]\((benchmarks-\w+\.svg)\)", r"](benchmarks/\1)", page)
    page += "\nReal programs: [benchmarks/programs.md](benchmarks/programs.md).\n"
    files["docs/benchmarks.md"] = page
    files["docs/benchmarks/programs.md"] = programs_page.page(documents)
    text = README.format(
        begin=BEGIN,
        end=END,
        count=len(documents),
        command=command_of(about),
        table="\n".join(summary(table, documents)),
    )
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    head, rest = readme.split(BEGIN)
    files["README.md"] = head + text + rest.split(END)[1]
    return files


def main():
    parser = argparse.ArgumentParser(description="Writes the pages about benchmarks.")
    parser.add_argument("record", nargs="?", type=pathlib.Path)
    parser.add_argument("programs", nargs="?", type=pathlib.Path)
    options = parser.parse_args()
    folder = REPOSITORY / "docs" / "benchmarks"
    folder.mkdir(exist_ok=True)
    if options.record:
        if not options.programs:
            parser.error("both records are needed")
        packed = gzip.compress(clean_record(options.record).encode(), mtime=0)
        (folder / RECORD).write_bytes(packed)
        (folder / PROGRAMS).write_text(clean_programs(options.programs), encoding="utf-8")
    for name, text in pages(folder).items():
        (REPOSITORY / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
