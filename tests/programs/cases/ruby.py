# SPDX-License-Identifier: MIT
"""ruby: one script."""
from harness import SCRIPTS

NEEDS = {"ruby": "ruby"}
SERVED = ("ruby",)


def run(run):
    return {"output": run.command("ruby", "--disable=gems", SCRIPTS / "ruby.rb")}
