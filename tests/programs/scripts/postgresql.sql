-- SPDX-License-Identifier: MIT
--
-- Aggregates, joins, windows, JSON, regular expressions, recursion; parallel workers; expressions
-- compiled by LLVM; PL/pgSQL with exceptions; updates and a rewrite of the table.
\set ON_ERROR_STOP on
CREATE TABLE item AS
  SELECT i AS id, i * 7919 % 97 AS grp, md5(i::text) AS name, (i * 31 % 1009) / 8.0 AS price,
    jsonb_build_object('n', i, 'list', jsonb_build_array(i % 7, i % 11, repeat('x', i % 40))) AS doc
  FROM generate_series(1, 120000) i;
CREATE INDEX item_name ON item (name);
CREATE INDEX item_doc ON item USING gin (doc jsonb_path_ops);
ANALYZE item;

SELECT grp, count(*), sum(price), min(name), max(length(doc::text))
  FROM item GROUP BY grp ORDER BY grp;
SELECT md5(string_agg(a.name || b.name, '' ORDER BY a.id))
  FROM item a JOIN item b ON a.id = b.id + 5 WHERE a.grp < 20;
SELECT id, rank() OVER w, sum(price) OVER w
  FROM item WHERE id % 500 = 0 WINDOW w AS (PARTITION BY grp ORDER BY id) ORDER BY id;
SELECT count(*) FROM item WHERE doc @> '{"list": [3]}';
SELECT md5(string_agg(regexp_replace(name, '([a-f]+)(\d)', '\2<\1>', 'g'), '' ORDER BY id))
  FROM item WHERE id < 20000;
WITH RECURSIVE t(n, path) AS (
    SELECT 1, ARRAY[1] UNION ALL SELECT n + 1, path || n FROM t WHERE n < 1500)
  SELECT sum(cardinality(path)) FROM t;

SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT count(*), sum(hashtext(name)), count(DISTINCT name) FROM item WHERE length(name) > 3;
CREATE INDEX item_price ON item (price, name);

SET jit = on;
SET jit_above_cost = 0;
SET jit_inline_above_cost = 0;
SET jit_optimize_above_cost = 0;
SELECT grp % 10, sum(price * 2 + id), max(upper(name))
  FROM item WHERE price > 5 GROUP BY 1 ORDER BY 1;
SET jit = off;

CREATE FUNCTION collatz(n bigint) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  steps int := 0;
  seen bigint[] := '{}';
BEGIN
  WHILE n <> 1 LOOP
    n := CASE WHEN n % 2 = 0 THEN n / 2 ELSE 3 * n + 1 END;
    seen := seen || n;
    steps := steps + 1;
  END LOOP;
  BEGIN
    PERFORM 1 / (steps % 2);
  EXCEPTION WHEN division_by_zero THEN
    steps := -steps;
  END;
  RETURN steps + cardinality(seen);
END $$;
SELECT sum(collatz(i)) FROM generate_series(1, 3000) i;

UPDATE item SET name = repeat(name, grp) WHERE id % 9 = 0;
DELETE FROM item WHERE id % 4 = 0;
VACUUM FULL ANALYZE item;
SELECT count(*), sum(length(name)), md5(string_agg(name, '' ORDER BY id)) FROM item;
