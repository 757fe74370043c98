# SPDX-License-Identifier: MIT
"""xz: in threads, there and back; the compressed file does not depend on the allocator."""
from harness import Failure, digest, make_text

NEEDS = {"xz": "xz-utils"}
SERVED = ("xz",)


def prepare(case):
    (case.inputs / "data").write_text(make_text(1, 5 << 20), encoding="utf-8")


def run(run):
    data = run.inputs / "data"
    packed = run.work / "packed.xz"
    results = {}
    for options in ("-T4 -2 --block-size=512KiB", "-T2 -6 --check=sha256 --block-size=2MiB",
                    "-T1 -0"):
        packed.write_bytes(run.command("xz", "-c", *options.split(), stdin=data))
        results[options] = digest(packed)
        for threads in ("-T1", "-T4"):
            if digest(run.command("xz", "-dc", threads, stdin=packed)) != digest(data):
                raise Failure(f"xz {threads} does not give back what xz {options} packed")
    return results
