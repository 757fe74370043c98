/* SPDX-License-Identifier: MIT
 *
 * slab/slab.c: a slab's blocks come out once and go back; L1 (the untouched end), L2 (counts), L5
 * (the hint), H3, S1 (tags), S4 (fresh memory is zero).
 */
#include "engine.h"

#include "base/counter.h"
#include "slab/slab.h"
#include "slab/used.h"
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

static bool is_free(struct hak_slab *slab, unsigned index) {
    return *hak_slab_free_word(slab, index / 64) >> index % 64 & 1;
}

static void check_counts(struct hak_slab *slab, unsigned outside) {
    assert_int_equal(slab->used, outside);
    assert_int_equal(slab->used + engine_count_free(slab), slab->carved);
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

/* Blocks that came out of a slab, the lowest first. */
struct batch {
    struct hak_block *block[HAK_BATCH_MAX];
    unsigned count;
};

/* Out of slot[1] to slot[count], which a magazine would have. */
static bool batch_of(struct batch *batch, const struct hak_slot *slot, unsigned count) {
    assert_true(count <= HAK_BATCH_MAX);
    batch->count = count;
    for (unsigned i = 0; i < count; i++) {
        batch->block[i] = slot[count - i].block;
        assert_true(i == 0 || batch->block[i] > batch->block[i - 1]);
        assert_ptr_equal(slot[count - i].used, hak_used_find(batch->block[i]).word);
    }
    return count != 0;
}

static bool take(struct hak_slab *slab, unsigned max, struct batch *batch) {
    struct hak_slot slot[HAK_BATCH_MAX + 1];
    return batch_of(batch, slot, hak_slab_take(slab, max, slot));
}

static bool carve(struct hak_slab *slab, unsigned max, uintptr_t mark, struct batch *batch) {
    struct hak_slot slot[HAK_BATCH_MAX + 1];
    return batch_of(batch, slot, hak_slab_carve(slab, max, mark, slot));
}

static unsigned char taken[4096];

static unsigned take_batch(const struct hak_slab *slab, const struct batch *batch) {
    assert_in_range(batch->count, 1, HAK_BATCH_MAX);
    for (unsigned i = 0; i < batch->count; i++)
        assert_int_equal(taken[index_of(slab, batch->block[i])]++, 0);
    return batch->count;
}

static void put_block(struct hak_slab *slab, struct hak_block *block) {
    assert_int_equal(hak_slab_put_run(slab, &(struct hak_slot){.block = block}, 1), 1);
}

static struct hak_block *block_at(const struct hak_slab *slab, unsigned index) {
    return (struct hak_block *)(void *)(slab->base + index * info(slab)->block_bytes);
}

static void put(struct hak_slab *slab, unsigned index) {
    assert_int_equal(taken[index]--, 1);
    put_block(slab, block_at(slab, index));
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
    struct batch batch;
    carve(slab, 1, 0, &batch);
    put_block(slab, batch.block[0]);
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
        struct batch batch;
        unsigned outside = 0, batches = 0;
        size_t size = info(slab)->block_bytes;
        memset(taken, 0, sizeof taken);
        while (carve(slab, HAK_BATCH_MAX, 0, &batch)) {
            char *page = (char *)hak_align_up((uintptr_t)batch.block[0] + 1, HAK_PAGE_BYTES_MIN);
            for (unsigned i = 0; i < batch.count; i++) {
                assert_true((char *)batch.block[i] < page);
                assert_true(engine_is_zero(batch.block[i], size));
            }
            outside += take_batch(slab, &batch);
            check_counts(slab, outside);
            batches++;
        }
        assert_int_equal(outside, slab->capacity);
        size_t pages = slab->units * HAK_UNIT_BYTES / HAK_PAGE_BYTES_MIN;
        if (size <= 64) assert_true(batches >= pages * (HAK_PAGE_BYTES_MIN / size) / HAK_BATCH_MAX);
        if (size == 128) assert_int_equal(batches, pages);
        assert_false(take(slab, 1, &batch));
    }
}

static void test_carve_up_to(void **state) {
    (void)state;
    struct hak_slab *slab = make(1);
    struct batch batch;
    for (unsigned max = 1; max <= HAK_BATCH_MAX; max++) {
        unsigned before = slab->carved;
        assert_true(carve(slab, max, 0, &batch));
        assert_in_range(slab->carved - before, 1, max);
    }
}

/* Where the pages have been touched already, as many as are wanted. */
static void test_carve_dirty(void **state) {
    (void)state;
    struct hak_slab *slab = make(hak_class_of(500));
    struct batch batch;
    slab->clean = false;
    for (unsigned left = slab->capacity; left; left -= batch.count) {
        assert_true(carve(slab, 50, 0, &batch));
        assert_int_equal(batch.count, hak_min_size(left, 50));
    }
}

/* L1: behind what is carved nothing is written, whatever the blocks' owners do with them. */
static void test_untouched_end(void **state) {
    (void)state;
    unsigned class = hak_class_of(100);
    struct hak_slab *slab = make(class);
    struct batch batch;
    for (int i = 0; i < 20; i++) {
        carve(slab, 7, 0, &batch);
        char *end = slab->base + slab->carved * info(slab)->block_bytes;
        assert_true(engine_is_zero(end, (size_t)(slab->base + HAK_UNIT_BYTES - end)));
        memset(batch.block[0], 0xff, info(slab)->block_bytes);
    }
}

static const uintptr_t mark = 0x1234567;

/* Every block of every class is found again by its bit, and nothing in it is touched. */
static void test_every_block(void **state) {
    (void)state;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        struct hak_slab *slab = make(class), *neighbour = make(class);
        struct batch batch;
        size_t size = info(slab)->block_bytes;
        while (carve(slab, HAK_BATCH_MAX, mark, &batch)) {
            for (unsigned i = 0; i < batch.count; i++) engine_fill(batch.block[i], size, i);
        }
        while (carve(neighbour, HAK_BATCH_MAX, mark, &batch)) {
        }
        for (unsigned index = slab->capacity; index--;) {
            struct hak_block *block = block_at(slab, index);
            put_block(slab, block);
            assert_true(is_free(slab, index));
            assert_int_equal(slab->used, slab->capacity - 1);
            assert_true(take(slab, HAK_BATCH_MAX, &batch));
            assert_int_equal(batch.count, 1);
            assert_ptr_equal(batch.block[0], block);
        }
        check_counts(neighbour, neighbour->capacity);
        carve(slab, HAK_BATCH_MAX, mark, &batch);
        assert_true(engine_intact(slab->base, size, 0));
        check_counts(slab, slab->capacity);
    }
}

/* Blocks come out by address, however they went in. */
static void test_lowest_first(void **state) {
    (void)state;
    struct hak_slab *slab = make(hak_class_of(16));
    struct batch batch;
    memset(taken, 0, sizeof taken);
    while (carve(slab, HAK_BATCH_MAX, 0, &batch)) take_batch(slab, &batch);
    for (unsigned i = 0; i < slab->capacity; i += 3) put(slab, slab->capacity - 1 - i);
    const struct hak_block *last = NULL;
    while (take(slab, 7, &batch)) {
        take_batch(slab, &batch);
        assert_true(batch.block[0] > last);
        last = batch.block[batch.count - 1];
    }
    check_counts(slab, slab->capacity);
}

/* As many at once as are of the slab. */
static void test_runs(void **state) {
    (void)state;
    struct hak_slab *one = make(hak_class_of(30000)), *two = make(one->class); /* several units */
    struct batch batch;
    struct hak_slot slot[8];
    while (carve(one, HAK_BATCH_MAX, 0, &batch) || carve(two, HAK_BATCH_MAX, 0, &batch)) {
    }
    for (unsigned i = 0; i < 8; i++)
        slot[i].block = block_at(i < 5 ? two : one, i < 5 ? i : one->capacity - 1);
    assert_int_equal(hak_slab_put_run(two, slot, 2), 2);
    assert_int_equal(hak_slab_put_run(two, slot + 2, 6), 3);
    assert_int_equal(hak_slab_put_run(two, slot + 5, 3), 0);
    assert_int_equal(hak_slab_put_run(one, slot + 5, 1), 1);
    check_counts(two, two->capacity - 5);
    check_counts(one, one->capacity - 1);
}

/* In fast mode nothing keeps a program from freeing a block twice: it comes out once all the same,
 * and what is counted is right again. */
static void test_freed_twice(void **state) {
    (void)state;
    struct hak_slab *slab = make(hak_class_of(100));
    struct batch batch;
    while (carve(slab, HAK_BATCH_MAX, 0, &batch)) {
    }
    for (int i = 0; i < 2; i++) put_block(slab, block_at(slab, 70));
    put_block(slab, block_at(slab, 200));
    assert_true(take(slab, 10, &batch));
    assert_int_equal(batch.count, 2);
    assert_ptr_equal(batch.block[0], block_at(slab, 70));
    assert_ptr_equal(batch.block[1], block_at(slab, 200));
    check_counts(slab, slab->capacity);
    for (int i = 0; i < 3; i++) put_block(slab, block_at(slab, 5));
    assert_true(take(slab, 1, &batch));
    assert_false(take(slab, 1, &batch));
    assert_false(take(slab, 1, &batch));
    check_counts(slab, slab->capacity);
}

/* What a fork in the middle of a call leaves: more counted as used than are outside. */
static void test_recount(void **state) {
    (void)state;
    struct hak_slab *slab = make(hak_class_of(100));
    struct batch batch;
    hak_slab_recount(slab);
    check_counts(slab, 0);
    slab->used = 5; /* carving: before `carved` is set */
    assert_false(take(slab, 1, &batch));
    hak_slab_recount(slab);
    check_counts(slab, 0);
    memset(taken, 0, sizeof taken);
    unsigned outside = 0;
    while (carve(slab, HAK_BATCH_MAX, 0, &batch)) outside += take_batch(slab, &batch);
    for (unsigned i = 0; i < 100; i++) put(slab, 5 * i);
    slab->used += 3;
    hak_slab_recount(slab);
    check_counts(slab, outside - 100);
}

/* A slab whose memory was another's may find old seals there. */
static void test_old_marks(void **state) {
    (void)state;
    struct hak_slab *keeper = make(1), *slab = make(2);
    struct batch batch;
    for (int round = 0; round < 2; round++) {
        assert_true(carve(slab, 10, mark, &batch));
        for (unsigned i = 0; i < batch.count; i++) {
            assert_false(hak_block_is_sealed(batch.block[i], mark));
            hak_block_link(batch.block[i], NULL, mark);
            put_block(slab, batch.block[i]);
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
        struct batch batch;
        unsigned max = 1 + (unsigned)engine_below(&random, HAK_BATCH_MAX);
        if (engine_below(&random, 2)) {
            unsigned free = slab->carved - slab->used;
            bool got = take(slab, max, &batch);
            assert_int_equal(got, free != 0);
            if (got) assert_int_equal(batch.count, max < free ? max : free);
            if (got || carve(slab, max, 0, &batch)) outside += take_batch(slab, &batch);
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
    struct batch batch;
    carve(slab, 1, 0, &batch);
    memset(batch.block[0], 0xff, 64);
    put_block(slab, batch.block[0]);
    hak_slab_release(slab);
    struct hak_slab *again = make(4);
    assert_ptr_equal(again, slab);
    assert_false(again->clean);
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
        ISOLATED(test_new),          ISOLATED(test_release),
        ISOLATED(test_carve),        ISOLATED(test_carve_up_to),
        ISOLATED(test_carve_dirty),  ISOLATED(test_untouched_end),
        ISOLATED(test_every_block),  ISOLATED(test_lowest_first),
        ISOLATED(test_runs),         ISOLATED(test_freed_twice),
        ISOLATED(test_recount),      ISOLATED(test_old_marks),
        ISOLATED(test_take_and_put), ISOLATED(test_dirty_slab_is_not_zeroed),
        ISOLATED(test_retag),        ISOLATED(test_without_memory),
    };
    return cmocka_run_group_tests_name("slab/slab", tests, NULL, NULL);
}
