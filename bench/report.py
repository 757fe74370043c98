#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the record of a run of run.py into a page of tables, and plots.

    report.py RESULTS.csv FOLDER      writes FOLDER/benchmarks.md and FOLDER/*.svg

Each line compares hakmem with every other allocator of the same run.  A ratio is that of medians,
above 1 where hakmem is better; its interval holds 95 of 100 ratios of runs drawn again from those
that there are (bootstrap).  The oracle is the best other allocator of each line, whichever it is:
no program can have it, but it says what is possible.

Needs pandas and matplotlib.
"""

import argparse
import io
import pathlib
import sys

import matplotlib
import numpy
import pandas

import figures
from rows import ROWS

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

OURS = "hakmem"
FLOOR = "floor"
DRAWS = 2000
SPEED_KEYS = ("ops_per_s", "ns_per_op")
MEMORY_KEYS = ("peak_kib", "live_kib")


# ---- Figures -----------------------------------------------------------------------------------


def read(path):
    """(the machine's description, the rows benchmark, arguments, allocator, run, key, value)"""
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    about = [line[1:].strip() for line in lines if line.startswith("#")]
    table = pandas.read_csv(io.StringIO("".join(x for x in lines if not x.startswith("#"))))
    table["value"] = pandas.to_numeric(table["value"], errors="coerce")
    return about, table.dropna(subset=["value"])


def samples(table, row, metric):
    """allocator -> the figures of its runs, the best first"""
    chosen = table[(table["benchmark"] == row.name) & (table["key"] == metric.key)]
    found = {name: group.to_numpy() for name, group in chosen.groupby("allocator")["value"]}
    return dict(
        sorted(
            found.items(),
            key=lambda item: numpy.median(item[1]),
            reverse=metric.higher_is_better,
        )
    )


def better(metric, ours, theirs):
    """How much better `ours` is, above 1, than `theirs`."""
    with numpy.errstate(divide="ignore", invalid="ignore"):
        ratio = ours / theirs if metric.higher_is_better else theirs / ours
    return numpy.where(ours == theirs, 1.0, ratio)


def interval(metric, ours, theirs):
    """The ratio of medians, and where 95 % of ratios of redrawn runs lie."""
    random = numpy.random.default_rng(1)
    drawn = [
        numpy.median(random.choice(values, (DRAWS, len(values))), axis=1)
        for values in (ours, theirs)
    ]
    low, high = numpy.percentile(better(metric, *drawn), [2.5, 97.5])
    return float(better(metric, numpy.median(ours), numpy.median(theirs))), low, high


def oracle_of(found):
    """The best other allocator of a line, or None."""
    return next((name for name in found if name not in (OURS, FLOOR)), None)


def distances(table, keys):
    """A frame: benchmark by allocator, how many times as much time or memory as the oracle."""
    lines = {}
    for row in ROWS:
        metric = next((metric for metric in row.metrics if metric.key in keys), None)
        found = samples(table, row, metric) if metric else {}
        best = oracle_of(found)
        if best is None or OURS not in found:
            continue
        reference = numpy.median(found[best])
        lines[row.name] = {
            name: float(1 / better(metric, numpy.median(values), reference))
            for name, values in found.items()
            if name != FLOOR
        }
    return pandas.DataFrame.from_dict(lines, orient="index")


# ---- The page ----------------------------------------------------------------------------------


def number(value):
    return figures.number(value, digits=2)


def summary_line(table, row, metric):
    found = samples(table, row, metric)
    best = oracle_of(found)
    if best is None or OURS not in found:
        return None
    ratio, low, high = interval(metric, found[OURS], found[best])
    return (
        f"| {row.name} | {metric.key} | {number(numpy.median(found[OURS]))} | "
        f"{number(numpy.median(found[best]))} | {best} | {ratio:.3f} | {low:.3f} to {high:.3f} |"
    )


def summary(table):
    yield "| benchmark | figure | hakmem | best other | which | ratio | 95 % |"
    yield "|---|---|---|---|---|---|---|"
    for row in ROWS:
        for metric in row.metrics:
            line = summary_line(table, row, metric)
            if line:
                yield line


def means(frame):
    """Geometric means over the lines that all allocators have, the best first."""
    whole = frame.dropna(axis=0)
    return numpy.exp(numpy.log(whole).mean()).sort_values(), len(whole)


def means_table(time, memory):
    times, lines = means(time)
    memories, memory_lines = means(memory)
    yield f"| allocator | time ({lines} lines) | memory ({memory_lines} lines) |"
    yield "|---|---|---|"
    for name in times.index:
        yield f"| {name} | {times[name]:.3f} | {memories.get(name, float('nan')):.3f} |"


def details(table):
    for row in ROWS:
        if not (table["benchmark"] == row.name).any():
            continue
        arguments = table[table["benchmark"] == row.name]["arguments"].iloc[0]
        yield f"\n### {row.name}\n\n`bench_{row.program} {arguments}`\n"
        names = [metric.key for metric in row.metrics]
        yield "| allocator | runs | " + " | ".join(names) + " |"
        yield "|---|---|" + "---|" * len(names)
        columns = [samples(table, row, metric) for metric in row.metrics]
        for name in next((column for column in columns if column), {}):
            cells = [
                number(numpy.median(column[name])) if name in column else "" for column in columns
            ]
            yield f"| {name} | {len(columns[0][name])} | " + " | ".join(cells) + " |"


PAGE = """# Benchmarks

Written by `bench/report.py` from `{record}`; nothing here was typed.  {command}

{about}

## How far from the best

Geometric means of how many times the oracle's time and peak memory each took, where every
allocator has a figure.  1.00 would be the best of all others on every line at once.

{means}

![time]({time_plot}) ![memory]({memory_plot})

## hakmem and the best other allocator of each line

A ratio above 1: hakmem is better.

{summary}

## Every line, medians
{details}
"""


def plot(frame, title, path):
    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.32 * len(frame)))
    for position, (name, values) in enumerate(frame.items()):
        ours = name == OURS
        axes.plot(
            values,
            range(len(frame)),
            linestyle="none",
            marker="D" if ours else "o",
            markersize=8 if ours else 5,
            color="black" if ours else f"C{position}",
            label=name,
        )
    axes.set_yticks(range(len(frame)), frame.index)
    axes.set_ylim(len(frame) - 0.5, -0.5)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xlabel(f"{title}, times that of the best other allocator")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncol=len(frame.columns), frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def write(record, folder, command):
    about, table = read(record)
    time, memory = distances(table, SPEED_KEYS), distances(table, MEMORY_KEYS)
    if time.empty:
        sys.exit(f"report.py: {record} has no line with {OURS} and another allocator")
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.rcParams["svg.hashsalt"] = "hakmem"  # the same figures, the same file
    plot(time, "time", folder / "benchmarks-time.svg")
    plot(memory, "peak memory", folder / "benchmarks-memory.svg")
    page = PAGE.format(
        record=record.name,
        command=f"The record was made by `{command}`." if command else "",
        about="\n".join(f"- {line}" for line in about if not line.startswith("allocator")),
        means="\n".join(means_table(time, memory)),
        time_plot="benchmarks-time.svg",
        memory_plot="benchmarks-memory.svg",
        summary="\n".join(summary(table)),
        details="\n".join(details(table)),
    )
    (folder / "benchmarks.md").write_text(page, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description="Writes a page and plots from a record of run.py.")
    parser.add_argument("record", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--command", default="", help="what made the record, for the page")
    options = parser.parse_args()
    write(options.record, options.folder, options.command)
    return 0


if __name__ == "__main__":
    sys.exit(main())
