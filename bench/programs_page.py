# SPDX-License-Identifier: MIT
"""The page about real programs, from what programs.py --record has kept."""

import json
import statistics

import programs

OURS = "hakmem"
FAST = "fast"  # hakmem without its checks: shown, but not a rival of itself
OWN = "own"  # the allocator that a program brings: not one of all programs

# Metric: title, the unit that is shown, what to divide by, digits.
SHOWN = (
    ("cpu_s", "Processor time", "s", 1, 3),
    ("peak_kib", "Peak resident memory", "MiB", 1024, 1),
    ("idle_kib", "Servers: resident memory one second after the load", "MiB", 1024, 1),
)

PAGE = """# Real programs

Written by `bench/publish.py` from `programs.json`; nothing here was typed.  The runs were made by
`bench/programs.py --runs {runs}`, each comparison by `hakmem compare`: {processors} processors,
{architecture}, Linux {kernel}.

Each figure is a median and, in parentheses, its ratio to glibc's with an interval of 95 %.
`fast` is hakmem with `HAKMEM_CHECK=fast`; `own` is what the program brings by itself.

## Geometric means, x glibc

{means}

hakmem, as it comes, against the other allocators: {verdict}
{tables}
"""


def names_of(documents):
    names = []
    for document in documents:
        names += [one["name"] for one in document["allocators"] if one["name"] not in names]
    return names


def cell(metric, divide, digits):
    text = f"{metric['median'] / divide:.{digits}f}"
    if metric["ratio_to_glibc"] is None:
        return text
    text += f" ({metric['ratio_to_glibc']:.3f}"
    if metric["low"] is not None:
        text += f", {metric['low']:.3f} to {metric['high']:.3f}"
    return text + ")"


def table(documents, key, divide, digits):
    names = names_of(documents)
    yield "| program | " + " | ".join(names) + " |"
    yield "|---|" + "---|" * len(names)
    for document in documents:
        found = {one["name"]: one for one in document["allocators"]}
        cells = []
        for name in names:
            one = found.get(name)
            if not one or one["problem"]:
                cells.append("-" if not one else "fails")
            else:
                cells.append(cell(one["metrics"][key], divide, digits))
        yield f"| {document['program']} | " + " | ".join(cells) + " |"


def tables(documents):
    for key, title, unit, divide, digits in SHOWN:
        chosen = [
            document
            for document in documents
            if all(key in one["metrics"] for one in document["allocators"] if not one["problem"])
        ]
        if chosen:
            yield f"\n## {title}, {unit}\n"
            yield from table(chosen, key, divide, digits)


def means_of(documents):
    """{allocator: {metric: geometric mean of its ratios to glibc}} of those that ran everything."""
    found = programs.ratios(documents)
    return {
        name: {key: statistics.geometric_mean(of.values()) for key, of in metrics.items()}
        for name, metrics in found.items()
        if len(metrics["cpu_s"]) == len(documents)
    }


def means_table(documents):
    means = means_of(documents)
    yield "| allocator | processor time | wall time | peak memory |"
    yield "|---|---|---|---|"
    for name in sorted(means, key=lambda name: means[name]["cpu_s"]):
        row = means[name]
        yield f"| {name} | {row['cpu_s']:.3f} | {row['wall_s']:.3f} | {row['peak_kib']:.3f} |"


def farthest(documents, key):
    """(ratio to the best other allocator of the program, program) where hakmem is worst."""
    worst = (0, "")
    for document in documents:
        values = {
            one["name"]: one["metrics"][key]["median"]
            for one in document["allocators"]
            if not one["problem"] and one["name"] not in (FAST, OWN)
        }
        others = [value for name, value in values.items() if name != OURS]
        if OURS in values and others:
            worst = max(worst, (values[OURS] / min(others), document["program"]))
    return worst


def verdict(documents):
    means = means_of(documents)
    sentences = []
    for key, what in (("cpu_s", "processor time"), ("peak_kib", "peak memory")):
        others = {
            name: row[key] for name, row in means.items() if name not in (OURS, FAST, OWN)
        }
        place = 1 + sum(value < means[OURS][key] for value in others.values())
        best = min(others, key=others.get)
        ratio, program = farthest(documents, key)
        sentences.append(
            f"place {place} of {len(others) + 1} by {what}, {means[OURS][key] / others[best]:.3f} "
            f"x the best ({best}); at worst {ratio:.3f} x a program's best ({program})"
        )
    return "; ".join(sentences) + "."


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def page(documents):
    machine = documents[0]["machine"]
    return PAGE.format(
        runs=documents[0]["allocators"][0]["runs"],
        means="\n".join(means_table(documents)),
        verdict=verdict(documents),
        tables="\n".join(tables(documents)),
        **machine,
    )
