# SPDX-License-Identifier: MIT
"""sqlite3: one script, on a database in a file and on one in memory."""
from harness import SCRIPTS, digest

NEEDS = {"sqlite3": "sqlite3"}
SERVED = ("sqlite3",)


def run(run):
    script = SCRIPTS / "sqlite3.sql"
    check = "PRAGMA integrity_check; SELECT count(*) FROM item"
    return {"output, in a file": run.command("sqlite3", "-batch", "test.db", stdin=script),
            "output, in memory": run.command("sqlite3", "-batch", ":memory:", stdin=script),
            "the file again": run.command("sqlite3", "test.db", check),
            "database file": digest(run.work / "test.db")}
