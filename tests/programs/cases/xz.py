# SPDX-License-Identifier: MIT
"""xz: compression and decompression in threads; the compressed file does not depend on the allocator."""
from harness import Failure, digest, make_text

NEEDS = {"xz": "xz-utils"}
SERVED = ("xz",)


def prepare(case):
    (case.inputs / "data").write_text(make_text(1, 5 << 20), encoding="utf-8")


def run(run):
    data = run.inputs / "data"
    results = {}
    for options in (
        ("-T4", "-2", "--block-size=512KiB"),
        ("-T2", "-6", "--check=sha256", "--block-size=2MiB"),
        ("-T1", "-0"),
    ):
        packed = run.work / "packed.xz"
        packed.write_bytes(run.command("xz", "-c", *options, stdin=data))
        results[" ".join(options)] = digest(packed)
        for threads in ("-T1", "-T4"):
            if digest(run.command("xz", "-dc", threads, stdin=packed)) != digest(data):
                raise Failure(f"xz {threads} does not give back what xz {' '.join(options)} packed")
    return results
