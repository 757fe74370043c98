# SPDX-License-Identifier: MIT
"""python3 with PYTHONMALLOC=malloc, so that every object is a block: one script."""
from harness import SCRIPTS

PYTHON = "/usr/bin/python3"  # Debian's, whatever comes first in the path
NEEDS = {PYTHON: "python3"}
SERVED = ("python3",)
ENVIRONMENT = {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def probe(run):
    run.command(PYTHON, "--version")


def run(run):
    return {"output": run.command(PYTHON, "-X", "faulthandler", SCRIPTS / "python.py",
                                  env=ENVIRONMENT)}
