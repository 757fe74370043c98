# SPDX-License-Identifier: MIT
"""node: one script, with workers."""
from harness import SCRIPTS

NEEDS = {"node": "nodejs"}
SERVED = ("node",)


def run(run):
    return {"output": run.command("node", SCRIPTS / "node.js")}
