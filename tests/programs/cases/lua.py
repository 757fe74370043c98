# SPDX-License-Identifier: MIT
"""lua5.4: one script."""
from harness import SCRIPTS

NEEDS = {"lua5.4": "lua5.4"}
SERVED = ("lua5.4",)


def probe(run):
    run.command("lua5.4", "-v")


def run(run):
    return {"output": run.command("lua5.4", SCRIPTS / "lua.lua")}
