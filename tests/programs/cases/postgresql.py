# SPDX-License-Identifier: MIT
"""PostgreSQL: initdb, pgbench, then queries of many kinds (parallel, compiled, PL/pgSQL), dump and restore."""
import signal

from harness import Failure, digest, find_program

BIN = "/usr/lib/postgresql/*/bin/"
NEEDS = {BIN + name: "postgresql" for name in ("initdb", "postgres", "pgbench", "psql", "pg_dump")}
SERVED = ("postgres", "psql", "pgbench", "initdb")

OPTIONS = ("-D data -k {work} -c listen_addresses= -c fsync=off -c autovacuum_naptime=1 -c max_connections=20"
           " -c dynamic_shared_memory_type=mmap -c restart_after_crash=off -c work_mem=2MB").split()

# What pgbench left is the same each time but for the order of its history and the time stamps in it.
TABLES = """
SELECT md5(string_agg(a::text, ',' ORDER BY aid)) FROM pgbench_accounts a;
SELECT md5(string_agg(b::text, ',' ORDER BY bid)) FROM pgbench_branches b;
SELECT md5(string_agg(t::text, ',' ORDER BY tid)) FROM pgbench_tellers t;
SELECT count(*), md5(string_agg(concat_ws(' ', tid, bid, aid, delta), ',' ORDER BY tid, bid, aid, delta))
  FROM pgbench_history;
SELECT sum(abalance) = (SELECT sum(bbalance) FROM pgbench_branches) FROM pgbench_accounts;
"""

QUERIES = r"""
\set ON_ERROR_STOP on
CREATE TABLE item AS SELECT i AS id, i * 7919 % 97 AS grp, md5(i::text) AS name, (i * 31 % 1009) / 8.0 AS price,
    jsonb_build_object('n', i, 'list', jsonb_build_array(i % 7, i % 11, repeat('x', i % 40))) AS doc
  FROM generate_series(1, 120000) i;
CREATE INDEX item_name ON item (name);
CREATE INDEX item_doc ON item USING gin (doc jsonb_path_ops);
ANALYZE item;
SELECT grp, count(*), sum(price), min(name), max(length(doc::text)) FROM item GROUP BY grp ORDER BY grp;
SELECT md5(string_agg(a.name || b.name, '' ORDER BY a.id)) FROM item a JOIN item b ON a.id = b.id + 5 WHERE a.grp < 20;
SELECT id, rank() OVER w, sum(price) OVER w FROM item WHERE id % 500 = 0 WINDOW w AS (PARTITION BY grp ORDER BY id);
SELECT count(*) FROM item WHERE doc @> '{"list": [3]}';
SELECT md5(string_agg(regexp_replace(name, '([a-f]+)(\d)', '\2<\1>', 'g'), '' ORDER BY id)) FROM item WHERE id < 20000;
WITH RECURSIVE t(n, path) AS (SELECT 1, ARRAY[1] UNION ALL SELECT n + 1, path || n FROM t WHERE n < 1500)
  SELECT sum(cardinality(path)) FROM t;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT count(*), sum(hashtext(name)), count(DISTINCT name) FROM item WHERE length(name) > 3;
CREATE INDEX item_price ON item (price, name);
SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0;
SELECT grp % 10, sum(price * 2 + id), max(upper(name)) FROM item WHERE price > 5 GROUP BY 1 ORDER BY 1;
RESET jit_above_cost;
CREATE FUNCTION collatz(n bigint) RETURNS int LANGUAGE plpgsql AS $$
DECLARE steps int := 0; seen bigint[] := '{}';
BEGIN
  WHILE n <> 1 LOOP
    n := CASE WHEN n % 2 = 0 THEN n / 2 ELSE 3 * n + 1 END; seen := seen || n; steps := steps + 1;
  END LOOP;
  BEGIN PERFORM 1 / (steps % 2); EXCEPTION WHEN division_by_zero THEN steps := -steps; END;
  RETURN steps + cardinality(seen);
END $$;
SELECT sum(collatz(i)) FROM generate_series(1, 3000) i;
UPDATE item SET name = repeat(name, grp) WHERE id % 9 = 0;
DELETE FROM item WHERE id % 4 = 0;
VACUUM FULL ANALYZE item;
SELECT count(*), sum(length(name)), md5(string_agg(name, '' ORDER BY id)) FROM item;
"""


def program(name):
    return find_program(BIN + name)


def content(dump):
    """A digest of a dump, without the order of its rows and the random key that newer versions write."""
    return digest(b"\n".join(sorted(line for line in dump.splitlines() if b"restrict" not in line)))


def probe(run):
    for name in SERVED:
        run.command(program(name), "--version")


def run(run):
    as_nobody = {"nobody": True}
    client = ("-h", run.work, "-U", "tester")
    sql = (program("psql"), *client, "-qAtX", "-f", "-")
    results = {}
    run.command(program("initdb"), "-D", "data", "-U", "tester", "-A", "trust", "--no-locale", "-E", "UTF8",
                "--no-sync", chatty=True, **as_nobody)
    with run.server(program("postgres"), *(word.format(work=run.work) for word in OPTIONS), stop=signal.SIGINT,
                    ready=lambda: "\nready" in (run.work / "data/postmaster.pid").read_text(encoding="utf-8"),
                    **as_nobody):
        run.command(program("pgbench"), *client, "-i", "-s", "2", "-q", "postgres", chatty=True)
        load = run.text(program("pgbench"), *client, "-c", "6", "-j", "2", "-t", "300", "-M", "prepared",
                        "--random-seed=1", "postgres", chatty=True)
        results["transactions"] = [line for line in load.splitlines() if "actually" in line or "failed" in line]
        results["tables of pgbench"] = run.command(*sql, "postgres", stdin=TABLES.encode())
        results["queries"] = run.command(*sql, "postgres", stdin=QUERIES.encode())
        dump = run.command(program("pg_dump"), *client, "-t", "item", "postgres")
        run.command(*sql, "template1", stdin=b"CREATE DATABASE again;")
        run.command(*sql, "-v", "ON_ERROR_STOP=1", "again", stdin=dump)
        again = run.command(program("pg_dump"), *client, "-t", "item", "again")
    log = (run.work / "server.log").read_text(encoding="utf-8", errors="replace")
    if "terminated by signal" in log or "PANIC" in log:
        raise Failure("a process of PostgreSQL crashed", log)
    results["dump"] = content(dump)
    if content(again) != content(dump):
        raise Failure("the dump and the dump of what was restored from it differ")
    return results
