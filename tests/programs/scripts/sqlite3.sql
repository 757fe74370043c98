-- SPDX-License-Identifier: MIT
--
-- Inserts, indexes, joins, windows, sorting in threads, full text, JSON, vacuum; then everything
-- that is in the database.
.bail on
PRAGMA threads = 2;
PRAGMA cache_size = -2000;
CREATE TABLE item (id INTEGER PRIMARY KEY, grp INT, name TEXT, price REAL, doc BLOB);
CREATE TABLE log (id INT, what TEXT);
CREATE TRIGGER item_deleted AFTER DELETE ON item
  BEGIN INSERT INTO log VALUES (old.id, 'gone'); END;

BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
  INSERT INTO item
    SELECT i, i * 7919 % 97, printf('%x-%d', i * 2654435761 % 4294967296, i),
           (i * 31 % 1009) / 8.0, zeroblob(i * 37 % 300)
    FROM n;
COMMIT;
CREATE INDEX item_name ON item (name, grp);
CREATE INDEX item_price ON item (price DESC) WHERE grp < 50;

SELECT grp, count(*), sum(price), min(name), max(length(doc)) FROM item GROUP BY grp ORDER BY grp;
SELECT a.id, b.id FROM item a JOIN item b ON a.name = b.name AND a.id % 1000 = 0 ORDER BY 1;
SELECT id, rank() OVER (PARTITION BY grp ORDER BY price, id),
       sum(price) OVER (ORDER BY id ROWS 5 PRECEDING)
  FROM item WHERE id % 100 = 0 ORDER BY id;
SELECT id, name FROM item ORDER BY substr(name, 3), id LIMIT 200 OFFSET 20000;

UPDATE item SET name = name || hex(doc), doc = zeroblob(length(doc) * 3) WHERE id % 5 = 0;
DELETE FROM item WHERE id % 3 = 0;
SELECT count(*), sum(id) FROM log;
SELECT sum(length(name)), sum(length(doc)) FROM item;

CREATE VIRTUAL TABLE words USING fts5 (body);
INSERT INTO words
  SELECT replace(substr(name, 1, 40), '-', ' ') || ' w' || (id % 500) FROM item WHERE id < 15000;
SELECT count(*) FROM words WHERE words MATCH 'w17 OR w18';
SELECT rowid, snippet(words, 0, '<', '>', '...', 4)
  FROM words WHERE words MATCH 'w1*' ORDER BY rank, rowid LIMIT 50;

SELECT grp, json_group_array(json_object('id', id, 'price', price))
  FROM item WHERE id % 50 = 0 GROUP BY grp;
SELECT count(*), sum(value ->> 'x')
  FROM json_each((SELECT json_group_array(json_object('x', id)) FROM item));
SELECT group_concat(name, ',') FROM (SELECT name FROM item WHERE grp = 3 ORDER BY id);

SAVEPOINT before;
DELETE FROM item;
ROLLBACK TO before;
RELEASE before;
VACUUM;
REINDEX;
ANALYZE;
PRAGMA integrity_check;
.dump
