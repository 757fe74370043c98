/* SPDX-License-Identifier: MIT
 *
 * What several tests of the engine need: blocks whose contents are known, a table of them, and the
 * checks that hold whenever no call is being executed.
 */
#ifndef HAK_TESTS_UNIT_ENGINE_H
#define HAK_TESTS_UNIT_ENGINE_H

#include "isolate.h"

#include "fake/fake.h"
#include "hakmem.h"

#include <errno.h>
#include <stdlib.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* A small generator (xorshift64*), so that a run can be repeated. */
struct engine_random {
    uint64_t state;
};
uint64_t engine_random(struct engine_random *random);
size_t engine_below(struct engine_random *random, size_t bound); /* 0 to bound - 1 */

/* A size as programs ask for them: mostly small, a few up to `most`. */
size_t engine_size(struct engine_random *random, size_t most);

/* Writes to a block what engine_intact looks for: all of a small block, of a large one the first
 * and last bytes and some of each page, or each unit. */
void engine_fill(void *block, size_t size, uint64_t seed);
bool engine_intact(const void *block, size_t size, uint64_t seed);
bool engine_is_zero(const void *block, size_t size);

/* A table of blocks in use. */
#define ENGINE_TABLE 512u

struct engine_table {
    struct engine_block {
        unsigned char *block; /* NULL: free */
        size_t size;
        uint64_t seed;
    } row[ENGINE_TABLE];
};

/* Enters a block and fills it; takes one out after a look at its contents (the caller frees it). */
void engine_enter(struct engine_table *table, size_t row, void *block, size_t size);
void *engine_leave(struct engine_table *table, size_t row);

/* Every block has its contents, and none overlaps another. */
void engine_check_table(const struct engine_table *table);
size_t engine_table_bytes(const struct engine_table *table); /* usable ones */
void engine_free_table(struct engine_table *table);

/* mapped = live + cached + free_dirty + purged + metadata + waste, and mapped is what the fake
 * kernel says.  Fills in *stats (NULL: not wanted). */
void engine_check_census(struct hak_stats *stats);

/* What is in every word of span/ (S1 to S3) agrees: masks, kinds, tags, slab descriptors. */
void engine_check_span(void);

/* The free blocks of a slab: L2, L5. */
struct hak_slab;
unsigned engine_count_free(struct hak_slab *slab);

/* H1, H2: every bin of every heap that is whole holds blocks of the heap's own slabs, as many as it
 * says; its lists hold its own slabs. */
void engine_check_heaps(void);

/* Nothing is left in use and nothing mapped but metadata, once everything free is given back. */
void engine_check_empty(void);

/* Ends the running simulated thread and goes on as a new one. */
void engine_next_thread(struct fake_thread *next);

/* A block of a class, by hak_bin_take; NULL: no memory.  And many of them, all there. */
struct hak_block;
struct hak_block *engine_take(struct hak_heap *heap, unsigned class);
void engine_take_all(struct hak_heap *heap, unsigned class, struct hak_block **block,
                     unsigned count);

/* Before the engine's first call: `check` = "fast" or "checked". */
void engine_mode(const char *check);
/* A test in both modes; and its two rows in the table of tests. */
#define ENGINE_BOTH(body)                      \
    static void body##_fast(void **state) {    \
        (void)state;                           \
        engine_mode("fast");                   \
        body();                                \
    }                                          \
    static void body##_checked(void **state) { \
        (void)state;                           \
        engine_mode("checked");                \
        body();                                \
    }
#define ISOLATED_BOTH(body) ISOLATED(body##_fast), ISOLATED(body##_checked)

/* Before the engine's first call, and makes a heap that is no thread's. */
struct hak_heap *engine_heap(const char *check);

#endif
