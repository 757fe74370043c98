# SPDX-License-Identifier: MIT
"""zstd: compression at several levels in threads, long distances, a dictionary; and back."""
from harness import Failure, digest, make_text

NEEDS = {"zstd": "zstd"}
SERVED = ("zstd",)


def prepare(case):
    text = make_text(2, 24 << 20)
    (case.inputs / "data").write_text(text, encoding="utf-8")
    (case.inputs / "samples").mkdir()
    for number in range(400):
        (case.inputs / f"samples/{number:03}").write_text(
            text[number * 2000 :][:1000], encoding="utf-8"
        )


def run(run):
    data = run.inputs / "data"
    results = {}
    for options in (
        ("-T4", "-1"),
        ("-T4", "-6", "--long=24"),
        ("-T2", "-10"),
        ("-T3", "-3", "-B512K", "--check"),
    ):
        packed = run.work / "packed.zst"
        packed.write_bytes(run.command("zstd", "-qc", *options, stdin=data))
        results[" ".join(options)] = digest(packed)
        if digest(run.command("zstd", "-qdc", packed)) != digest(data):
            raise Failure(f"zstd -d does not give back what zstd {' '.join(options)} packed")
    run.command(
        "zstd",
        "-q",
        "-T4",
        "--train",
        "-r",
        run.inputs / "samples",
        "--maxdict=20000",
        "-o",
        "dictionary",
    )
    results["dictionary"] = digest(run.work / "dictionary")
    results["with a dictionary"] = digest(
        run.command("zstd", "-qc", "-D", "dictionary", run.inputs / "samples/007")
    )
    return results
