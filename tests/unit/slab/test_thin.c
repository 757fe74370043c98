/* SPDX-License-Identifier: MIT
 *
 * slab/thin.c: whole pages of free blocks are purged, and no byte else.
 */
#include "engine.h"

#include "slab/thin.h"

#include <string.h>

#define OWNER  5u
#define FILLED 0x5a
#define BLOCKS 4096u /* of the smallest class in a slab */

static bool in_use[BLOCKS];

static size_t block_bytes(const struct hak_slab *slab) {
    return hak_class_table[slab->class].block_bytes;
}

static size_t slab_bytes(const struct hak_slab *slab) {
    return (size_t)slab->units << HAK_UNIT_SHIFT;
}

/* Cuts all blocks of a new slab, or at least so many; all are in use. */
static struct hak_slab *make(unsigned class, unsigned carved) {
    struct hak_slab *slab = hak_slab_new(OWNER, class);
    struct hak_slot slot[HAK_BATCH_MAX + 1];
    assert_non_null(slab);
    memset(in_use, 0, sizeof in_use);
    while (slab->carved < carved && hak_slab_carve(slab, HAK_BATCH_MAX, 0, slot)) {
    }
    memset(in_use, true, slab->carved);
    return slab;
}

static void put(struct hak_slab *slab, unsigned index) {
    struct hak_slot slot = {.block = (void *)(slab->base + index * block_bytes(slab))};
    if (!in_use[index]) return;
    assert_int_equal(hak_slab_put_run(slab, &slot, 1), 1);
    in_use[index] = false;
}

static void put_range(struct hak_slab *slab, unsigned from, unsigned to) {
    for (unsigned i = from; i < to && i < slab->carved; i++) put(slab, i);
}

/* Takes the lowest free blocks. */
static void take(struct hak_slab *slab, unsigned count) {
    struct hak_slot slot[HAK_BATCH_MAX + 1];
    unsigned taken = hak_slab_take(slab, count, slot);
    for (unsigned i = 1; i <= taken; i++)
        in_use[hak_slab_index(slab, (uint64_t)((char *)slot[i].block - slab->base))] = true;
}

/* Where the slab ends for a purge: behind that nothing was touched, or there is nothing. */
static size_t touched(const struct hak_slab *slab) {
    if (!slab->clean) return slab_bytes(slab);
    return hak_align_up(hak_slab_touched(slab), hak_page_bytes());
}

/* Is no block in use in any part of the page at this offset? */
static bool page_is_free(const struct hak_slab *slab, size_t page) {
    size_t size = block_bytes(slab), end = page + hak_page_bytes();
    for (size_t i = page / size; i * size < end && i < slab->carved; i++)
        if (in_use[i]) return false;
    return true;
}

static bool reads_as(const char *from, size_t bytes, int byte) {
    return *from == (char)byte && memcmp(from, from + 1, bytes - 1) == 0;
}

static void fill(struct hak_slab *slab) {
    memset(slab->base, FILLED, touched(slab));
}

/* Each page reads as zeros if no part of it is in use, and else as it was. */
static size_t check_pages(const struct hak_slab *slab, size_t bytes) {
    size_t page = hak_page_bytes(), purged = 0;
    for (size_t at = 0; at < bytes; at += page) {
        bool free = page_is_free(slab, at);
        purged += free ? page : 0;
        if (reads_as(slab->base + at, page, free ? 0 : FILLED)) continue;
        fail_msg("class %u, %u of %u cut: page at %zu was %spurged", slab->class, slab->carved,
                 slab->capacity, at, free ? "not " : "");
    }
    return purged;
}

/* Thins a slab that is filled, twice: the second time there is nothing to do. */
static size_t thin(struct hak_slab *slab) {
    slab->thin = false;
    fill(slab);
    size_t bytes = touched(slab), purged = hak_slab_thin(slab);
    assert_int_equal(purged, check_pages(slab, bytes));
    unsigned long calls = fake_page_calls(FAKE_PURGE);
    assert_int_equal(hak_slab_thin(slab), 0);
    assert_int_equal(fake_page_calls(FAKE_PURGE), calls);
    return purged;
}

/* ---- Free blocks ----------------------------------------------------------------------------- */

/* A slab from which blocks are given back here and there. */
static void check_places(struct hak_slab *slab) {
    unsigned some = slab->carved / 3;
    assert_int_equal(thin(slab), slab->clean ? 0 : thin(slab)); /* the uncut end */
    put(slab, slab->carved / 2);
    thin(slab);
    put_range(slab, 0, some);
    thin(slab);
    put_range(slab, slab->carved - some, slab->carved);
    thin(slab);
    take(slab, hak_min_size(some, 20));
    thin(slab);
    for (unsigned i = 0; i < slab->carved; i++)
        if (i % 7) put(slab, i);
    thin(slab);
    put_range(slab, 0, slab->carved);
    assert_int_equal(thin(slab), touched(slab));
}

/* Slabs that are cut in full, by half, and that had another use before. */
static void check_classes(void) {
    for (unsigned class = 1; class <= HAK_SHARED_CLASSES; class ++) {
        unsigned capacity = hak_class_table[class].capacity;
        check_places(make(class, capacity));
        check_places(make(class, capacity / 2));
        struct hak_slab *dirty = make(class, capacity / 2);
        dirty->clean = false;
        check_places(dirty);
    }
}

static void test_pages_of_4_kib(void **state) {
    (void)state;
    check_classes();
}

static void test_pages_of_16_kib(void **state) {
    (void)state;
    fake_page_size(16 * KIB);
    check_classes();
}

static void test_pages_of_64_kib(void **state) {
    (void)state;
    fake_page_size(64 * KIB);
    check_classes();
}

static void test_random(void **state) {
    (void)state;
    static const size_t size[] = {16, 96, 1000, 4096, 5000, 20000};
    struct engine_random random = {5};
    for (unsigned i = 0; i < 120; i++) {
        unsigned class = hak_class_of(size[i % UNIT_COUNT(size)]);
        unsigned capacity = hak_class_table[class].capacity;
        struct hak_slab *slab = make(class, (unsigned)engine_below(&random, capacity + 1));
        slab->clean = engine_below(&random, 2);
        for (int round = 0; round < 4 && slab->carved; round++) {
            unsigned from = (unsigned)engine_below(&random, slab->carved);
            put_range(slab, from, from + (unsigned)engine_below(&random, slab->carved));
            take(slab, 1 + (unsigned)engine_below(&random, HAK_BATCH_MAX));
            thin(slab);
        }
    }
}

/* Blocks of many units, free and in use in turn. */
static void test_slab_of_several_units(void **state) {
    (void)state;
    struct hak_slab *slab = make(hak_class_of(30 * KIB), UINT32_MAX);
    assert_int_equal(slab->units, 8);
    for (unsigned i = 0; i < slab->capacity; i += 2) put(slab, i);
    assert_int_equal(thin(slab), 8 * 28 * KIB + 32 * KIB); /* the last one with the slab's end */
    put(slab, 1);                                          /* with its neighbours: one run */
    unsigned long calls = fake_page_calls(FAKE_PURGE);
    hak_slab_thin(slab);
    assert_int_equal(fake_page_calls(FAKE_PURGE) - calls, 8);
    assert_ptr_equal(fake_page_log(FAKE_PURGE, 7).start, slab->base);
    assert_int_equal(fake_page_log(FAKE_PURGE, 7).bytes, 88 * KIB);
}

/* ---- The uncut end --------------------------------------------------------------------------- */

static void test_untouched_end(void **state) {
    (void)state;
    struct hak_slab *slab = make(hak_class_of(1024), 1);
    put_range(slab, 0, slab->carved);
    assert_int_equal(hak_slab_thin(slab), 4 * KIB);
    assert_int_equal(fake_page_log(FAKE_PURGE, 0).bytes, 4 * KIB);
}

static void test_untouched_end_of_a_dirty_slab(void **state) {
    (void)state;
    struct hak_slab *slab = make(hak_class_of(1024), 1);
    slab->clean = false;
    assert_int_equal(thin(slab), 60 * KIB);
    put(slab, 0);
    assert_int_equal(thin(slab), 60 * KIB);
    put_range(slab, 1, slab->carved);
    assert_int_equal(thin(slab), 64 * KIB);
}

/* A slab of which nothing was cut at all. */
static void test_uncut(void **state) {
    (void)state;
    struct hak_slab *slab = make(hak_class_of(1024), 0);
    assert_int_equal(hak_slab_thin(slab), 0);
    assert_int_equal(fake_page_calls(FAKE_PURGE), 0);
    slab->clean = false;
    assert_int_equal(thin(slab), 64 * KIB);
}

/* What was made resident ahead is given back, and is not taken for resident any more: blocks are
 * cut from it a page at a time, and read as zeros. */
static void test_populated_ahead(void **state) {
    (void)state;
    struct hak_slab *slab = make(hak_class_of(512), 0);
    struct hak_slot slot[HAK_BATCH_MAX + 1];
    hak_slab_populate(slab, 20 * KIB);
    unsigned count = hak_slab_carve(slab, 10, 0, slot);
    assert_int_equal(count, 10);
    memset(in_use, true, count);
    assert_int_equal(hak_slab_touched(slab), 20 * KIB);
    assert_int_equal(thin(slab), 12 * KIB);
    assert_int_equal(hak_slab_touched(slab), count * 512);
    assert_int_equal(hak_slab_carve(slab, 30, 0, slot), 6);
    memset(in_use + count, true, 6);
    assert_int_equal(hak_slab_carve(slab, 30, 0, slot), 8);
    for (unsigned i = 1; i <= 8; i++) assert_true(engine_is_zero(slot[i].block, 512));
}

/* ---- When ------------------------------------------------------------------------------------ */

static void test_again_when_something_was_put(void **state) {
    (void)state;
    struct hak_slab *slab = make(hak_class_of(2048), UINT32_MAX);
    put_range(slab, 0, 8);
    assert_int_equal(hak_slab_thin(slab), 16 * KIB);
    take(slab, 2);
    assert_int_equal(hak_slab_thin(slab), 0);
    put(slab, 0);
    assert_int_equal(hak_slab_thin(slab), 12 * KIB); /* with what was purged before */
    put(slab, 1);
    assert_int_equal(hak_slab_thin(slab), 16 * KIB);
    assert_int_equal(hak_slab_thin(slab), 0);
}

/* A new slab in the units of one that was thin. */
static void test_new_slab(void **state) {
    (void)state;
    struct hak_slab *keeper = make(1, 1), *slab = make(hak_class_of(2048), UINT32_MAX);
    put_range(slab, 0, slab->capacity);
    assert_int_equal(hak_slab_thin(slab), 64 * KIB);
    hak_slab_release(slab);
    assert_ptr_equal(make(hak_class_of(2048), 1), slab);
    assert_int_equal(thin(slab), slab->clean ? 0 : slab_bytes(slab) - slab->carved * 2 * KIB);
    (void)keeper;
}

/* What the kernel refuses keeps its contents; the rest is given back. */
static void test_failing_purge(void **state) {
    (void)state;
    struct hak_slab *slab = make(hak_class_of(4096), UINT32_MAX);
    for (unsigned i = 0; i < 16; i += 4) put(slab, i);
    fill(slab);
    fake_page_fail(FAKE_BIT(FAKE_PURGE), 2, 1);
    assert_int_equal(hak_slab_thin(slab), 12 * KIB);
    fake_page_fail_never();
    assert_int_equal(fake_page_calls(FAKE_PURGE), 4);
    for (unsigned i = 0; i < 16; i++) {
        bool purged = i % 4 == 0 && i != 4;
        assert_true(reads_as(slab->base + i * 4096, 4096, purged ? 0 : FILLED));
    }
    put(slab, 1);
    assert_int_equal(hak_slab_thin(slab), 20 * KIB);
    assert_true(reads_as(slab->base + 4 * 4096, 4096, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_pages_of_4_kib),
        ISOLATED(test_pages_of_16_kib),
        ISOLATED(test_pages_of_64_kib),
        ISOLATED(test_random),
        ISOLATED(test_slab_of_several_units),
        ISOLATED(test_untouched_end),
        ISOLATED(test_untouched_end_of_a_dirty_slab),
        ISOLATED(test_uncut),
        ISOLATED(test_populated_ahead),
        ISOLATED(test_again_when_something_was_put),
        ISOLATED(test_new_slab),
        ISOLATED(test_failing_purge),
    };
    return cmocka_run_group_tests_name("slab/thin", tests, NULL, NULL);
}
