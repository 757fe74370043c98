#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the record of a run of run.py into a page of tables, and plots.

    report.py RESULTS.csv FOLDER      writes FOLDER/benchmarks.md, FOLDER/*.svg
                                      and FOLDER/benchmarks.csv, which has every figure of the page

Each line compares hakmem with every other allocator of the same run.  A ratio is that of medians,
above 1 where hakmem is better; its interval holds 95 of 100 ratios of runs drawn again from those
that there are (bootstrap), and likewise that of a median.  The oracle is the best other allocator
of each line, whichever it is: no program can have it, but it says what is possible.

Needs pandas and matplotlib.
"""

import argparse
import csv
import gzip
import io
import pathlib
import sys

import matplotlib
import numpy
import pandas

import figures
from rows import ROWS, Metric

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
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        lines = file.readlines()
    about = [line[1:].strip() for line in lines if line.startswith("#")]
    table = pandas.read_csv(io.StringIO("".join(x for x in lines if not x.startswith("#"))))
    table["value"] = pandas.to_numeric(table["value"], errors="coerce")
    table = table.astype({"benchmark": "category", "key": "category"})  # compared very often
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


def redrawn(random, values):
    """Medians of as many runs as there are, drawn again from them."""
    return numpy.median(random.choice(values, (DRAWS, len(values))), axis=1)


def middle(values):
    """The median, and where 95 % of medians of redrawn runs lie."""
    drawn = redrawn(numpy.random.default_rng(1), values)
    return float(numpy.median(values)), *numpy.percentile(drawn, [2.5, 97.5])


def interval(metric, ours, theirs):
    """The ratio of medians, and where 95 % of ratios of redrawn runs lie."""
    random = numpy.random.default_rng(1)
    drawn = [redrawn(random, values) for values in (ours, theirs)]
    low, high = numpy.percentile(better(metric, *drawn), [2.5, 97.5])
    return float(better(metric, numpy.median(ours), numpy.median(theirs))), low, high


def oracle_of(found):
    """The best other allocator of a line, or None."""
    return next((name for name in found if name not in (OURS, FLOOR)), None)


def headline(table, row, keys):
    """The row's first metric of `keys`, and its samples; or (None, {})."""
    metric = next((metric for metric in row.metrics if metric.key in keys), None)
    return metric, samples(table, row, metric) if metric else {}


def distances(table, keys):
    """A frame: benchmark by allocator, how many times as much time or memory as the oracle."""
    lines = {}
    for row in ROWS:
        metric, found = headline(table, row, keys)
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


def spread(values):
    """A median with its interval, which is left out where all runs agree."""
    median, low, high = map(number, middle(values))
    return median if low == high else f"{median} ({low} to {high})"


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


def ratios(table, keys):
    """hakmem against each other allocator: a line a benchmark."""
    lines = {}
    for row in ROWS:
        metric, found = headline(table, row, keys)
        if OURS in found:
            lines[row.name] = {
                name: interval(metric, found[OURS], values)
                for name, values in found.items()
                if name not in (OURS, FLOOR)
            }
    names = sorted({name for line in lines.values() for name in line})
    yield "| benchmark | " + " | ".join(names) + " |"
    yield "|---|" + "---|" * len(names)
    for row, line in lines.items():
        cells = ("{:.3f} ({:.3f} to {:.3f})".format(*line[x]) if x in line else "" for x in names)
        yield f"| {row} | " + " | ".join(cells) + " |"


def above_floor(table):
    """Medians of nanoseconds an operation, less those of the floor in the same benchmark."""
    yield "| benchmark | allocator | ns above the floor | 95 % |"
    yield "|---|---|---|---|"
    metric = Metric("ns_per_op", "ns")
    for row in ROWS:
        found = samples(table, row, metric)
        floor = numpy.median(found.pop(FLOOR)) if FLOOR in found else None
        for name, values in found.items() if floor is not None else ():
            median, low, high = (figure - floor for figure in middle(values))
            yield f"| {row.name} | {name} | {median:.2f} | {low:.2f} to {high:.2f} |"


def details(table):
    for row in ROWS:
        if not (table["benchmark"] == row.name).any():
            continue
        arguments = table[table["benchmark"] == row.name]["arguments"].iloc[0]
        yield f"\n### {row.name}\n\n`bench_{row.program} {arguments}`\n"
        columns = {
            metric: found
            for metric in (*row.metrics, *row.others)
            if (found := samples(table, row, metric))
        }
        yield "| allocator | runs | " + " | ".join(metric.key for metric in columns) + " |"
        yield "|---|---|" + "---|" * len(columns)
        for name, values in next(iter(columns.values()), {}).items():
            cells = (spread(found[name]) if name in found else "" for found in columns.values())
            yield f"| {name} | {len(values)} | " + " | ".join(cells) + " |"


def every_figure(table):
    """What benchmarks.csv holds: each metric of each allocator, and hakmem's ratio to it."""
    columns = ("runs", "median", "low", "high", "ratio", "ratio_low", "ratio_high")
    yield "benchmark", "key", "unit", "allocator", *columns
    for row in ROWS:
        for metric in (*row.metrics, *row.others):
            found = samples(table, row, metric)
            for name, values in found.items():
                line = row.name, metric.key, metric.unit, name, len(values), *middle(values)
                ratio = interval(metric, found[OURS], values) if OURS in found else ("", "", "")
                yield *line, *ratio


PAGE = """# Benchmarks

Written by `bench/report.py` from `{record}`; nothing here was typed.

{about}

## How far from the best

Geometric means of how many times the oracle's time and peak memory each took, where every
allocator has a figure.  1.00 would be the best of all others on every line at once.

{means}

![time]({time_plot}) ![memory]({memory_plot})

## hakmem and the best other allocator of each line

A ratio above 1: hakmem is better.

{summary}

## hakmem and each other allocator: time

{time_ratios}

## hakmem and each other allocator: memory

{memory_ratios}

## Time above the floor

The floor is an allocator that does as little as the benchmark can survive (`bench/floor.c`): what
the benchmark itself takes.

{above_floor}

## Every line, medians

In parentheses: the interval of 95 %, where the runs differ.  `faults` are those of the timed part.
`syscalls` are the calls of mmap, munmap, madvise, mremap, brk and mprotect of one whole process,
counted by strace, those of the loader and for the stacks of threads among them: `empty process`
says what each has at least.  `instructions_per_op` is that of the timed part of one process,
counted by callgrind.  Both may be shorter runs than the timed ones: the record has their arguments.
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
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)


def write(record, folder):
    """Writes the page, the plots and the figures; returns what read() does."""
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
        about="\n".join(f"- {line}" for line in about if not line.startswith("allocator")),
        means="\n".join(means_table(time, memory)),
        time_plot="benchmarks-time.svg",
        memory_plot="benchmarks-memory.svg",
        summary="\n".join(summary(table)),
        time_ratios="\n".join(ratios(table, SPEED_KEYS)),
        memory_ratios="\n".join(ratios(table, MEMORY_KEYS)),
        above_floor="\n".join(above_floor(table)),
        details="\n".join(details(table)),
    )
    (folder / "benchmarks.md").write_text(page, encoding="utf-8")
    with open(folder / "benchmarks.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(every_figure(table))
    return about, table


def main():
    parser = argparse.ArgumentParser(description="Writes a page and plots from a record of run.py.")
    parser.add_argument("record", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    options = parser.parse_args()
    write(options.record, options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
