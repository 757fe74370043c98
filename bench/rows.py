# SPDX-License-Identifier: MIT
"""The benchmarks: one row each.  What a program prints as key=value is a metric."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    key: str
    unit: str
    higher_is_better: bool = False
    percentiles: bool = False  # print P95 and P99 over the runs


@dataclass(frozen=True)
class Row:
    name: str
    program: str
    full: str  # arguments
    quick: str
    metrics: tuple
    runs: int = 10
    quick_runs: int = 3
    floor: bool = False  # runs on the floor allocator, so that time above the floor can be told


SPEED = Metric("ops_per_s", "ops/s", higher_is_better=True)
PEAK = Metric("peak_kib", "KiB")
LIVE = Metric("live_kib", "KiB")
FAULTS = Metric("faults", "faults")
TIME = Metric("ns_per_op", "ns", percentiles=True)


def random_mixed(working_set, floor=False):
    return Row(
        f"random mixed, ws {working_set:,}",
        "random_mixed",
        f"20000000 {working_set} 1",
        f"5000000 {working_set} 1",
        (SPEED, LIVE),
        floor=floor,
    )


def battle(blocks):
    memory = tuple(
        Metric(key, "KiB") for key in ("peak_kib", "freed_kib", "flushed_kib", "idle_kib")
    )
    return Row(
        f"battle, {blocks:,} blocks",
        "battle",
        f"{blocks}",
        f"{blocks} 16 0",
        (SPEED, *memory),
        runs=5,
    )


def scenario(name):
    return Row(
        f"scenario {name}", "scenarios", name, name, (TIME, FAULTS, PEAK), runs=50, quick_runs=10
    )


ROWS = (
    random_mixed(400, floor=True),
    random_mixed(10000),
    random_mixed(100000),
    random_mixed(1000000),
    Row(
        "larson, 1 thread",
        "larson",
        "5 8 1000 1024 100 4141 1",
        "1 8 1000 1024 100 4141 1",
        (SPEED, PEAK),
        runs=5,
    ),
    Row(
        "larson, 4 threads",
        "larson",
        "5 8 1000 1024 100 4141 4",
        "1 8 1000 1024 100 4141 4",
        (SPEED, PEAK),
        runs=5,
    ),
    battle(1000000),
    battle(5000000),
    scenario("json"),
    scenario("mir"),
    scenario("vm"),
    scenario("mixed"),
)
