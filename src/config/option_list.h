/* SPDX-License-Identifier: MIT
 *
 * The one table of options: everything else about them (names, checks, environment variables, the
 * reference in docs/) is made from these rows.  Included with HAK_OPTION defined; no include guard.
 *
 *   HAK_OPTION(ID, name, TYPE, WHEN, initial, least, most, words, help)
 *
 *   TYPE  BOOL, INT, SIZE (bytes; K, M, G), WORD (one of `words`: its index), TEXT
 *   WHEN  START: fixed once the process runs; RUN: hak_option_set changes it at any time
 *   words for an INT or SIZE: what stands for the least value; NULL: nothing does
 *   help  one line, with the unit
 */
HAK_OPTION(PROFILE, "profile", WORD, RUN, HAK_PROFILE_BALANCED, 0, 3, "speed|balanced|lean|learn",
           "a set of values for the options that trade memory for speed")
HAK_OPTION(CHECK, "check", WORD, START, HAK_CHECK_CHECKED, 0, 1, "fast|checked",
           "checked: stop at a double free, an interior or a wild pointer")
HAK_OPTION(ON_ERROR, "on_error", WORD, RUN, HAK_ON_ERROR_ABORT, 0, 1, "abort|report",
           "after a misuse was reported: end the process, or ignore the call and go on")
HAK_OPTION(FOREIGN, "foreign", WORD, RUN, HAK_FOREIGN_FORWARD, 0, 1, "forward|report",
           "a pointer of libc's own heap: hand it to libc and say so once, or treat it as a misuse")
HAK_OPTION(VERBOSE, "verbose", BOOL, START, 0, 0, 1, NULL,
           "write one line at start: version, program, profile, check mode")
HAK_OPTION(STATS, "stats", BOOL, RUN, 0, 0, 1, NULL, "write statistics at exit")
HAK_OPTION(STATS_FORMAT, "stats_format", WORD, RUN, HAK_STATS_FORMAT_TEXT, 0, 1, "text|json",
           "how statistics are written")
HAK_OPTION(STATS_FILE, "stats_file", TEXT, START, 0, 0, 0, NULL,
           "where statistics go: empty for standard error, fd:N, or a file to append to (%p: the "
           "process id)")
HAK_OPTION(SITES_FILE, "sites_file", TEXT, START, 0, 0, 0, NULL,
           "the file that the table of call sites goes to at exit, for `hakmem sites` (%p: the "
           "process id); empty: none")
HAK_OPTION(SS_OS_STATS, "ss_os_stats", BOOL, RUN, 0, 0, 1, NULL,
           "write the counts of system calls at exit")
HAK_OPTION(PURGE_DELAY_MS, "purge_delay_ms", INT, RUN, 1000, -1, 3600000, NULL,
           "milliseconds that free memory is kept before it goes back to the system; -1: for ever")
HAK_OPTION(BACKGROUND, "background", WORD, RUN, HAK_BACKGROUND_AUTO, 0, 2, "auto|on|off",
           "a thread that gives memory back in an idle process; auto: once there is enough of it; "
           "on: from the start")
HAK_OPTION(THP, "thp", WORD, RUN, HAK_THP_ADAPTIVE, 0, 2, "adaptive|never|always",
           "huge pages for small blocks; adaptive: in a large heap, where they cost no more than "
           "small ones; always: whatever they cost")
HAK_OPTION(SS_MEM_LEAN, "ss_mem_lean", BOOL, RUN, 0, 0, 1, NULL,
           "hold the process's resident memory at ss_mem_lean_target_mb: above that nothing that "
           "is free is kept")
HAK_OPTION(SS_MEM_LEAN_TARGET_MB, "ss_mem_lean_target_mb", INT, RUN, 10, 0, 1 << 30, NULL,
           "resident MiB of the process that ss_mem_lean aims at")
HAK_OPTION(SS_MEM_LEAN_DECOMMIT, "ss_mem_lean_decommit", WORD, RUN, HAK_DECOMMIT_DONTNEED, 0, 2,
           "off|free|dontneed",
           "with ss_mem_lean, how pages go back: not at all, when the system needs them "
           "(MADV_FREE), or at once")
HAK_OPTION(LIMIT_MB, "limit_mb", INT, RUN, -1, -1, 1 << 30, "auto",
           "MiB of memory near which nothing that is free is kept: of the process's resident "
           "memory; auto: the limit of its control group, and what that uses; 0: none")
HAK_OPTION(LIMIT_HARD_MB, "limit_hard_mb", INT, RUN, 0, 0, 1 << 30, NULL,
           "MiB of blocks and what is kept with them above which an allocation fails (ENOMEM); "
           "0: none")
HAK_OPTION(LEARN, "learn", BOOL, RUN, 0, 0, 1, NULL,
           "learn for each call site how long its freed blocks above 1 MiB are kept")
HAK_OPTION(POLICY_FILE, "policy_file", TEXT, START, 0, 0, 0, NULL,
           "what `hakmem learn` has learned in another run: kept to, or with `learn` begun with")
HAK_OPTION(MAGAZINE_BYTES, "magazine_bytes", SIZE, RUN, 1 << 20, 0, 64 << 20, NULL,
           "most bytes of free blocks that a thread keeps in one size class")
HAK_OPTION(MAGAZINE_BLOCKS, "magazine_blocks", INT, RUN, 1024, 1, 2048, NULL,
           "most free blocks that a thread keeps in one size class")
