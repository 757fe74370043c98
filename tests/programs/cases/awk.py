# SPDX-License-Identifier: MIT
"""mawk and gawk: one program on a large text."""
from harness import SCRIPTS, digest, make_text

NEEDS = {"mawk": "mawk", "gawk": "gawk"}
SERVED = ("mawk", "gawk")


def prepare(case):
    (case.inputs / "text").write_text(make_text(5, 5 << 20), encoding="utf-8")


def probe(run):
    for awk in SERVED:
        run.command(awk, "BEGIN {}")


def run(run):
    return {awk: digest(run.command(awk, "-f", SCRIPTS / "awk.awk", run.inputs / "text"))
            for awk in SERVED}
