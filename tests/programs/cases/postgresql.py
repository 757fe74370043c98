# SPDX-License-Identifier: MIT
"""PostgreSQL: initdb; pgbench with its tables compared; queries of many kinds; dump and restore."""
import signal

from harness import SCRIPTS, Failure, digest, find_program

BIN = "/usr/lib/postgresql/*/bin/"
NEEDS = {BIN + name: "postgresql" for name in ("initdb", "postgres", "pgbench", "psql", "pg_dump")}
SERVED = ("initdb", "postgres", "pgbench", "psql")

OPTIONS = ("-D data -c listen_addresses= -c fsync=off -c autovacuum_naptime=1 -c work_mem=2MB"
           " -c max_connections=20 -c dynamic_shared_memory_type=mmap"
           " -c restart_after_crash=off").split()
LOAD = "-c 6 -j 2 -t 300 -M prepared --random-seed=1 postgres".split()


def program(name):
    return find_program(BIN + name)


def content(dump):
    """A digest of a dump, without the order of rows and the random key of newer versions."""
    return digest(b"\n".join(sorted(line for line in dump.splitlines()
                                    if b"restrict" not in line)))


def probe(run):
    for name in SERVED:
        run.command(program(name), "--version")


def use(run):
    """What clients do with the server that runs."""
    where = ("-h", run.work, "-U", "tester")
    sql = (program("psql"), *where, "-qAtX", "-f", "-")
    results = {}
    run.command(program("pgbench"), *where, "-i", "-s", "2", "-q", "postgres", chatty=True)
    load = run.text(program("pgbench"), *where, *LOAD, chatty=True)
    results["transactions"] = [line for line in load.splitlines()
                               if "actually processed" in line or "failed" in line]
    results["tables"] = run.command(*sql, "postgres", stdin=SCRIPTS / "pgbench_tables.sql")
    results["queries"] = run.command(*sql, "postgres", stdin=SCRIPTS / "postgresql.sql")
    dump = run.command(program("pg_dump"), *where, "-t", "item", "postgres")
    run.command(*sql, "template1", stdin=b"CREATE DATABASE again;")
    run.command(*sql, "-v", "ON_ERROR_STOP=1", "again", stdin=dump)
    again = run.command(program("pg_dump"), *where, "-t", "item", "again")
    results["dump"] = content(dump)
    if content(again) != content(dump):
        raise Failure("the dump and a dump of what was restored from it differ")
    return results


def run(run):
    run.command(program("initdb"), "-D", "data", "-U", "tester", "-A", "trust", "--no-locale",
                "-E", "UTF8", "--no-sync", chatty=True, nobody=True)
    pid_file = run.work / "data/postmaster.pid"
    server = run.server(program("postgres"), *OPTIONS, "-k", run.work, stop=signal.SIGINT,
                        ready=lambda: "\nready" in pid_file.read_text(encoding="utf-8"),
                        nobody=True)
    with server:
        results = use(run)
    log = (run.work / "server.log").read_text(encoding="utf-8", errors="replace")
    if "terminated by signal" in log or "PANIC" in log:
        raise Failure("a process of PostgreSQL crashed", log)
    return results
