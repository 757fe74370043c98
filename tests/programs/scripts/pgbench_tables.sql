-- SPDX-License-Identifier: MIT
--
-- The tables of pgbench.  For the same seed they are the same, but for the order of the history
-- and the times in it.
SELECT md5(string_agg(a::text, ',' ORDER BY aid)) FROM pgbench_accounts a;
SELECT md5(string_agg(b::text, ',' ORDER BY bid)) FROM pgbench_branches b;
SELECT md5(string_agg(t::text, ',' ORDER BY tid)) FROM pgbench_tellers t;
SELECT count(*), md5(string_agg(concat_ws(' ', tid, bid, aid, delta), ','
                                ORDER BY tid, bid, aid, delta)) FROM pgbench_history;
SELECT sum(abalance) = (SELECT sum(bbalance) FROM pgbench_branches) FROM pgbench_accounts;
