/* SPDX-License-Identifier: MIT
 *
 * slab/slab.c: a slab's blocks come out once and go back; L1 (the untouched end), L2 (counts), H3,
 * S1 (tags), S4 (fresh memory is zero).
 */
#include "engine.h"

#include "base/counter.h"
#include "slab/slab.h"
#include "span/region.h"

#include <string.h>

#define OWNER 5u

static const struct hak_class *info(const struct hak_slab *slab) {
    return &hak_class_table[slab->class];
}

static struct hak_slab *make(unsigned class) {
    struct hak_slab *slab = hak_slab_new(OWNER, class);
    assert_non_null(slab);
    return slab;
}

static void check_counts(const struct hak_slab *slab, unsigned outside) {
    unsigned inside = 0;
    for (const struct hak_block *block = slab->free; block; block = block->next) inside++;
    assert_int_equal(slab->used, outside);
    assert_int_equal(slab->used + inside, slab->carved);
    assert_true(slab->carved <= slab->capacity);
}

/* The index of a block, which must be the start of one that is carved. */
static unsigned index_of(const struct hak_slab *slab, const void *block) {
    size_t offset = (size_t)((const char *)block - slab->base);
    assert_int_equal(offset % info(slab)->block_bytes, 0);
    assert_true(offset / info(slab)->block_bytes < slab->carved);
    assert_ptr_equal(hak_slab_of(block), slab);
    return (unsigned)(offset / info(slab)->block_bytes);
}

static unsigned char taken[4096];

static unsigned take_batch(const struct hak_slab *slab, const struct hak_batch *batch) {
    assert_in_range(batch->count, 1, HAK_BATCH_MAX);
    for (unsigned i = 0; i < batch->count; i++)
        assert_int_equal(taken[index_of(slab, batch->block[i])]++, 0);
    return batch->count;
}

static void put(struct hak_slab *slab, unsigned index) {
    assert_int_equal(taken[index]--, 1);
    hak_slab_put(slab, (struct hak_block *)(void *)(slab->base + index * info(slab)->block_bytes),
                 0);
}

static void test_new(void **state) {
    (void)state;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        struct hak_slab *slab = make(class);
        assert_int_equal(slab->units, hak_class_table[class].units);
        assert_true(slab->clean);
        assert_false(slab->listed);
        check_counts(slab, 0);
        for (size_t at = 0; at < slab->units * HAK_UNIT_BYTES; at += 1000) {
            assert_int_equal(hak_map_tag(slab->base + at), hak_tag_make(OWNER, class));
            assert_ptr_equal(hak_slab_of(slab->base + at), slab);
        }
    }
    engine_check_span();
}

static void test_release(void **state) {
    (void)state;
    struct hak_slab *keeper = make(1), *slab = make(hak_class_of(30000)); /* of several units */
    char *base = slab->base;
    unsigned units = slab->units;
    struct hak_batch batch;
    hak_slab_carve(slab, 1, 0, &batch);
    hak_slab_put(slab, batch.block[0], 0);
    hak_slab_release(slab);
    for (unsigned i = 0; i < units; i++)
        assert_int_equal(hak_map_tag(base + i * HAK_UNIT_BYTES), 0);
    /* Only what was carved is dirty: the next slab that starts behind it is clean (S4). */
    struct hak_superslab *superslab = hak_map_superslab(base);
    assert_int_equal(atomic_load(&superslab->dirty_units), 2);
    assert_false(make(1)->clean);
    assert_true(make(1)->clean);
    (void)keeper;
}

/* Each block once, those of one page at a time, none of them touched before. */
static void test_carve(void **state) {
    (void)state;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        struct hak_slab *slab = make(class);
        struct hak_batch batch;
        unsigned outside = 0, batches = 0;
        size_t size = info(slab)->block_bytes;
        memset(taken, 0, sizeof taken);
        while (hak_slab_carve(slab, HAK_BATCH_MAX, 0, &batch)) {
            char *page = (char *)hak_align_up((uintptr_t)batch.block[0] + 1, HAK_PAGE_BYTES_MIN);
            for (unsigned i = 0; i < batch.count; i++) {
                assert_true((char *)batch.block[i] < page);
                assert_true(engine_is_zero(batch.block[i], size));
            }
            assert_true(batch.zeroed);
            outside += take_batch(slab, &batch);
            check_counts(slab, outside);
            batches++;
        }
        assert_int_equal(outside, slab->capacity);
        size_t pages = slab->units * HAK_UNIT_BYTES / HAK_PAGE_BYTES_MIN;
        if (size <= 64) assert_true(batches >= pages * (HAK_PAGE_BYTES_MIN / size) / HAK_BATCH_MAX);
        if (size == 128) assert_int_equal(batches, pages);
        assert_false(hak_slab_take(slab, 1, 0, &batch, NULL));
    }
}

static void test_carve_up_to(void **state) {
    (void)state;
    struct hak_slab *slab = make(1);
    struct hak_batch batch;
    for (unsigned max = 1; max <= HAK_BATCH_MAX; max++) {
        unsigned before = slab->carved;
        assert_true(hak_slab_carve(slab, max, 0, &batch));
        assert_in_range(slab->carved - before, 1, max);
    }
}

/* L1: behind what is carved nothing is written, whatever the blocks' owners do with them. */
static void test_untouched_end(void **state) {
    (void)state;
    unsigned class = hak_class_of(100);
    struct hak_slab *slab = make(class);
    struct hak_batch batch;
    for (int i = 0; i < 20; i++) {
        hak_slab_carve(slab, 7, 0, &batch);
        char *end = slab->base + slab->carved * info(slab)->block_bytes;
        assert_true(engine_is_zero(end, (size_t)(slab->base + HAK_UNIT_BYTES - end)));
        memset(batch.block[0], 0xff, info(slab)->block_bytes);
    }
}

static const uintptr_t mark = 0x1234567;

static void test_marks(void **state) {
    (void)state;
    struct hak_slab *slab = make(2);
    struct hak_batch batch;
    assert_true(hak_slab_carve(slab, 10, mark, &batch));
    for (unsigned i = 0; i < batch.count; i++) {
        assert_int_equal(batch.block[i]->seal, 0); /* its memory is not touched */
        hak_slab_put(slab, batch.block[i], mark);
        assert_true(hak_block_is_sealed(batch.block[i], mark));
    }
    const struct hak_block *broken = NULL;
    unsigned carved = batch.count;
    assert_true(hak_slab_take(slab, carved, mark, &batch, &broken));
    assert_int_equal(batch.count, carved);
    assert_null(broken);
    for (unsigned i = 0; i < carved; i++) assert_false(hak_block_is_sealed(batch.block[i], mark));
}

/* A slab whose memory was another's may find old seals there. */
static void test_old_marks(void **state) {
    (void)state;
    struct hak_slab *keeper = make(1), *slab = make(2);
    struct hak_batch batch;
    for (int round = 0; round < 2; round++) {
        assert_true(hak_slab_carve(slab, 10, mark, &batch));
        for (unsigned i = 0; i < batch.count; i++) {
            assert_false(hak_block_is_sealed(batch.block[i], mark));
            hak_slab_put(slab, batch.block[i], mark);
        }
        hak_slab_release(slab);
        assert_ptr_equal(make(2), slab);
    }
    assert_false(slab->clean);
    (void)keeper;
}

/* In any order, in batches of any size; never more outside than `used` says. */
static void test_take_and_put(void **state) {
    (void)state;
    struct engine_random random = {3};
    struct hak_slab *slab = make(hak_class_of(500));
    unsigned outside = 0, capacity = slab->capacity;
    memset(taken, 0, sizeof taken);
    for (int step = 0; step < 5000; step++) {
        struct hak_batch batch;
        unsigned max = 1 + (unsigned)engine_below(&random, HAK_BATCH_MAX);
        if (engine_below(&random, 2)) {
            unsigned free = slab->carved - slab->used;
            bool got = hak_slab_take(slab, max, 0, &batch, NULL);
            assert_int_equal(got, free != 0);
            if (got) assert_false(batch.zeroed);
            if (got) assert_int_equal(batch.count, max < free ? max : free);
            if (got || hak_slab_carve(slab, max, 0, &batch)) outside += take_batch(slab, &batch);
        } else {
            for (unsigned i = 0; i < max && outside; i++) {
                unsigned index = (unsigned)engine_below(&random, capacity);
                while (!taken[index]) index = (index + 1) % capacity;
                put(slab, index);
                outside--;
            }
        }
        check_counts(slab, outside);
    }
}

static void test_dirty_slab_is_not_zeroed(void **state) {
    (void)state;
    struct hak_slab *keeper = make(1), *slab = make(9);
    struct hak_batch batch;
    hak_slab_carve(slab, 1, 0, &batch);
    memset(batch.block[0], 0xff, 64);
    hak_slab_put(slab, batch.block[0], 0);
    hak_slab_release(slab);
    struct hak_slab *again = make(4);
    assert_ptr_equal(again, slab);
    assert_false(again->clean);
    assert_true(hak_slab_carve(again, 1, 0, &batch));
    assert_false(batch.zeroed);
    (void)keeper;
}

static void test_retag(void **state) {
    (void)state;
    struct hak_slab *slab = make(hak_class_of(26000)), *neighbour = make(1);
    hak_slab_retag(slab, OWNER + 1);
    assert_int_equal(slab->owner, OWNER + 1);
    assert_int_equal(hak_map_tag(neighbour->base), hak_tag_make(OWNER, 1));
    engine_check_span();
    assert_int_equal(hak_counter_read(&hak_counters.slabs_adopted), 1);
}

static void test_without_memory(void **state) {
    (void)state;
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    for (unsigned class = 1; class <= HAK_CLASSES; class ++)
        assert_null(hak_slab_new(OWNER, class));
    assert_int_equal(hak_counter_read(&hak_counters.slabs_new), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_new),
        ISOLATED(test_release),
        ISOLATED(test_carve),
        ISOLATED(test_carve_up_to),
        ISOLATED(test_untouched_end),
        ISOLATED(test_marks),
        ISOLATED(test_old_marks),
        ISOLATED(test_take_and_put),
        ISOLATED(test_dirty_slab_is_not_zeroed),
        ISOLATED(test_retag),
        ISOLATED(test_without_memory),
    };
    return cmocka_run_group_tests_name("slab/slab", tests, NULL, NULL);
}
