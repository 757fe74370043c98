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
    traced: str = ""  # arguments of the run under strace; empty: those of the timed runs
    instructions: str = ""  # arguments of the run under callgrind; empty: there is none

    @property
    def others(self):
        """Metrics that are shown, but not compared one by one."""
        keys = {metric.key for metric in self.metrics}
        counted = (INSTRUCTIONS,) if self.instructions else ()
        return tuple(
            metric
            for metric in (PEAK, RESIDENT, FAULTS, SYSCALLS, *counted)
            if metric.key not in keys
        )


SPEED = Metric("ops_per_s", "ops/s", higher_is_better=True)
PEAK = Metric("peak_kib", "KiB")
LIVE = Metric("live_kib", "KiB")
RESIDENT = Metric("resident_kib", "KiB")
FAULTS = Metric("faults", "faults")  # in the timed part
SYSCALLS = Metric("syscalls", "calls")  # about memory, of the whole process
SYSCALL_RATE = Metric("syscalls_per_mop", "calls per million ops")
INSTRUCTIONS = Metric("instructions_per_op", "instructions")  # in the timed part
TIME = Metric("ns_per_op", "ns", percentiles=True)
CPU = Metric("cpu_seconds", "s")
SPREAD = Metric("resident_to_live", "x")


def random_mixed(working_set, counted, floor=False):
    """`counted` cycles under callgrind; a tenth more comes before and fills the slots."""
    return Row(
        f"random mixed, ws {working_set:,}",
        "random_mixed",
        f"20000000 {working_set} 1",
        f"5000000 {working_set} 1",
        (SPEED, LIVE),
        floor=floor,
        instructions=f"{counted} {working_set} 1",
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
        instructions=f"{min(blocks, 1000000)} 16 0",
    )


def scenario(name):
    return Row(
        f"scenario {name}",
        "scenarios",
        name,
        name,
        (TIME, FAULTS, PEAK),
        runs=50,
        quick_runs=10,
        instructions=name,
    )


def larson(threads):
    name = f"larson, {threads} thread{'s' if threads > 1 else ''}"
    short = f"1 8 1000 1000 100 4141 {threads}"
    return Row(
        name,
        "larson",
        f"2 8 1000 1000 100 4141 {threads}",
        short,
        (SPEED, PEAK, SYSCALL_RATE),  # it runs for a time, so calls alone say nothing
        quick_runs=2,  # a second each, and no less
        traced=short,
    )


def simple(name, program, full, quick, *metrics, **others):
    """A row whose program runs for about a second, or about a fifth of one."""
    shown = (SPEED, CPU, PEAK, *metrics)
    return Row(name, program, full, quick, shown, **others)


def churn(together):
    """strace stops each thread when it starts and when it ends, so it gets fewer."""
    return simple(
        f"churn, {together} threads",
        "churn",
        f"25000 {together}",
        f"5000 {together}",
        SYSCALL_RATE,
        traced=f"2000 {together}",
    )


def handoff(name, shape, producers, consumers, others=""):
    """others: seed, min, max and depth, where they are not the program's own."""
    ends = f"{shape} {producers} {consumers}"
    full, quick = (f"{ends} {blocks} {others}".rstrip() for blocks in (4000000, 1000000))
    return simple(f"handoff {name}", "handoff", full, quick)


def lifetimes(threads):
    each = 10000000 // threads
    return simple(
        f"lifetimes, {threads} threads",
        "lifetimes",
        f"{threads} {each}",
        f"{threads} {each // 5}",
    )


def latency(threads):
    """A thread's operations take longer where there are more threads than processors."""
    metrics = tuple(
        Metric(f"{call}_{quantile}", "ns")
        for call in ("malloc", "free")
        for quantile in ("p50", "p99", "p999", "p9999", "max")
    )
    return Row(
        f"latency, {threads} thread{'s' if threads > 1 else ''}",
        "latency",
        f"{threads} {20000000 // max(threads, 4)}",
        f"{threads} 1000000",
        metrics,
    )


def orders(order, call):
    return simple(
        f"{call}, freed {order}",
        "orders",
        f"{order} {call} 10000 500",
        f"{order} {call} 10000 200",
        instructions=f"{order} {call} 10000 50",
    )


def grow(kind, full, quick, counted):
    return simple(
        f"realloc, {kind}",
        "grow",
        f"{kind} {full}",
        f"{kind} {quick}",
        instructions=f"{kind} {counted}",
    )


ROWS = (
    # What the others have before they begin: memory, and the loader's system calls.
    Row("empty process", "random_mixed", "1 1 1", "1 1 1", (RESIDENT,)),
    random_mixed(400, 1000000, floor=True),
    random_mixed(10000, 1000000),
    random_mixed(100000, 4000000),
    random_mixed(1000000, 10000000),
    larson(1),
    larson(2),
    larson(4),
    larson(8),
    handoff("1:1", "pipe", 1, 1),
    handoff("4:1", "pipe", 4, 1),
    handoff("1:4", "pipe", 1, 4),
    handoff("2:2, long queues", "pipe", 2, 2, "1 16 256 1000"),
    handoff("ring of 8", "ring", 8, 0),
    lifetimes(2),
    lifetimes(16),
    lifetimes(64),
    latency(1),
    latency(2),
    latency(8),
    simple("sharing, active", "sharing", "active 2 2500 100000", "active 2 500 100000"),
    simple("sharing, passive", "sharing", "passive 2 2500 100000", "passive 2 500 100000"),
    churn(2),
    churn(64),
    orders("lifo", "malloc"),
    orders("fifo", "malloc"),
    orders("random", "malloc"),
    orders("fifo", "calloc"),
    orders("random", "aligned"),
    grow("vector", "10000", "2000", "500"),
    grow("string", "20000 16 8192", "4000 16 8192", "1000 16 8192"),
    grow("shrink", "1000000 16 65536", "200000 16 65536", "50000 16 65536"),
    simple("bleeding", "bleeding", "100 32768", "100 8192", SPREAD, instructions="100 4096"),
    battle(1000000),
    battle(5000000),
    scenario("json"),
    scenario("mir"),
    scenario("vm"),
    scenario("mixed"),
)
