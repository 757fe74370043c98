# SPDX-License-Identifier: MIT
"""sort in threads and with temporary files, join; bash, and the small programs a script calls."""
from harness import SCRIPTS, digest, make_text

NEEDS = {"sort": "coreutils", "tar": "tar", "find": "findutils", "bash": "bash", "gzip": "gzip",
         "grep": "grep", "sed": "sed", "diff": "diffutils"}
SERVED = ("sort", "join", "uniq", "tar", "find", "xargs", "bash", "gzip", "grep", "sed", "diff",
          "sha256sum")


def prepare(case):
    (case.inputs / "text").write_text(make_text(6, 8 << 20), encoding="utf-8")
    (case.inputs / "short").write_text(make_text(8, 1 << 20), encoding="utf-8")


def probe(run):
    for program in SERVED:
        run.command(program, "--version")


def run(run):
    def sort(*options, name="text"):
        return run.command("sort", "-T", run.work, *options, run.inputs / name)
    (run.work / "one").write_bytes(sort("-u", "-k1,1"))
    (run.work / "two").write_bytes(sort("-u", "-k1,1", name="short"))
    return {"sort --parallel": digest(sort("--parallel=4")),
            "sort -S": digest(sort("--parallel=4", "-S", "1M", "--compress-program=gzip")),
            "sort by keys": digest(sort("--parallel=3", "-s", "-k3,3r", "-k2,2V", "-k1,1f")),
            "join": digest(run.command("join", "one", "two")),
            "bash": run.command("bash", SCRIPTS / "shell.sh", run.inputs)}
