# SPDX-License-Identifier: MIT
"""zstd: several levels in threads, long distances, a dictionary; and back."""
from harness import Failure, digest, make_text

NEEDS = {"zstd": "zstd"}
SERVED = ("zstd",)


def prepare(case):
    text = make_text(2, 24 << 20)
    (case.inputs / "data").write_text(text, encoding="utf-8")
    (case.inputs / "samples").mkdir()
    for number in range(400):
        sample = text[number * 2000:][:1000]
        (case.inputs / f"samples/{number:03}").write_text(sample, encoding="utf-8")


def run(run):
    data = run.inputs / "data"
    samples = run.inputs / "samples"
    packed = run.work / "packed.zst"
    results = {}
    for options in ("-T4 -1", "-T4 -6 --long=24", "-T2 -10", "-T3 -3 -B512K --check"):
        packed.write_bytes(run.command("zstd", "-qc", *options.split(), stdin=data))
        results[options] = digest(packed)
        if digest(run.command("zstd", "-qdc", packed)) != digest(data):
            raise Failure(f"zstd -d does not give back what zstd {options} packed")
    run.command("zstd", "-q", "-T4", "--train", "-r", samples, "--maxdict=20000", "-o", "words")
    results["dictionary"] = digest(run.work / "words")
    results["with it"] = digest(run.command("zstd", "-qc", "-D", "words", samples / "007"))
    return results
