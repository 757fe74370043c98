# SPDX-License-Identifier: MIT
"""Figures of a row's results (allocator -> list of what each run printed), as they are shown."""

import statistics

from rows import SPEED


def series(found, metric):
    return sorted(float(values[metric.key]) for values in found if metric.key in values)


def percentile(values, percent):
    """The smallest value that at least `percent` % of the values do not exceed."""
    return values[max(0, -(-len(values) * percent // 100) - 1)]


def ratio(metric, value, best):
    """Above 1: better than the best peer."""
    if value == best:
        return 1.0
    if value == 0 or best == 0:
        return float("inf") if (best == 0) == metric.higher_is_better else 0.0
    return value / best if metric.higher_is_better else best / value


def nanoseconds(found):
    timed = [values for values in found if "seconds" in values]
    return statistics.median(float(v["seconds"]) / float(v["ops"]) * 1e9 for v in timed)


def number(value, digits=1):
    """Short; below 100 with so many digits behind the point."""
    if value >= 1e6:
        return f"{value / 1e6:,.2f} M"
    return f"{value:,.0f}" if value >= 100 else f"{value:.{digits}f}"


def best_of(medians, metric):
    peers = [value for name, value in medians.items() if name not in ("hakmem", "floor")]
    if not peers:
        return None
    return max(peers) if metric.higher_is_better else min(peers)


def print_metric(results, metric):
    """Returns (hakmem's median, best peer's, ratio) for the summary, or None."""
    values = {
        name: series(found, metric)
        for name, found in results.items()
        if name != "floor" or metric is SPEED
    }
    values = {name: found for name, found in values.items() if found}
    medians = {name: statistics.median(found) for name, found in values.items()}
    best = best_of(medians, metric)
    extra = f"{'P95':>10} {'P99':>10}" if metric.percentiles else ""
    print(
        f"  {metric.key + ' (' + metric.unit + ')':22} {'median':>10} {'min':>10} {'max':>10} "
        f"{'to best':>8} {extra}"
    )
    order = sorted(medians, key=medians.get, reverse=metric.higher_is_better)
    for name in order:
        found = values[name]
        compared = f"{ratio(metric, medians[name], best):8.3f}" if best is not None else f"{'':8}"
        extra = (
            f"{number(percentile(found, 95)):>10} {number(percentile(found, 99)):>10}"
            if metric.percentiles
            else ""
        )
        print(
            f"    {name:20} {number(medians[name]):>10} "
            f"{number(found[0]):>10} {number(found[-1]):>10} "
            f"{compared} {extra}".rstrip()
        )
    if "hakmem" not in medians or best is None:
        return None
    return medians["hakmem"], best, ratio(metric, medians["hakmem"], best)


def print_others(results, metrics):
    """Medians only, one column a metric."""
    columns = [
        {
            name: statistics.median(found)
            for name in results
            if (found := series(results[name], metric))
        }
        for metric in metrics
    ]
    shown = [(metric, column) for metric, column in zip(metrics, columns) if column]
    if not shown:
        return
    print(f"  {'medians':22} " + " ".join(f"{metric.key:>12}" for metric, _ in shown))
    for name in results:
        cells = (number(column[name]) if name in column else "" for _, column in shown)
        print(
            f"    {name:20} "
            + " ".join(
                f"{cell:>{max(12, len(metric.key))}}" for cell, (metric, _) in zip(cells, shown)
            ).rstrip()
        )


def print_above_floor(results):
    if "floor" not in results:
        return
    floor = nanoseconds(results["floor"])
    above = {name: nanoseconds(found) - floor for name, found in results.items() if name != "floor"}
    peers = [value for name, value in above.items() if name != "hakmem"]
    print(f"  time above the floor ({floor:.2f} ns/op)")
    for name in sorted(above, key=above.get):
        compared = f"{min(peers) / above[name]:8.3f}" if peers and above[name] > 0 else ""
        print(f"    {name:20} {above[name]:>7.2f} ns {'':22} {compared}".rstrip())


def print_summary(summary):
    if not summary:
        return
    print("hakmem against the best peer of each line (above 1: better)")
    for name, metric, (ours, best, compared) in summary:
        print(f"  {name:26} {metric.key:12} {number(ours):>10} {number(best):>10} {compared:8.3f}")
