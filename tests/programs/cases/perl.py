# SPDX-License-Identifier: MIT
"""perl: one script."""
from harness import SCRIPTS

NEEDS = {"perl": "perl"}
SERVED = ("perl",)


def run(run):
    return {"output": run.command("perl", SCRIPTS / "perl.pl", env={"PERL_HASH_SEED": "0"})}
