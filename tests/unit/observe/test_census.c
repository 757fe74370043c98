/* SPDX-License-Identifier: MIT
 *
 * observe/census.c: where every mapped byte is, for each kind of place that it can be in.
 */
#include "engine.h"

#include "heap/registry.h"
#include "observe/census.h"

static struct hak_census census;

static void take(void) {
    hak_census_take(&census);
    assert_int_equal(census.mapped, census.live + census.cached + census.free_dirty +
                                        census.purged + census.metadata + census.waste);
}

static void test_nothing(void **state) {
    (void)state;
    take();
    assert_int_equal(census.mapped, 0);
    for (unsigned class = 0; class <= HAK_CLASSES; class ++)
        assert_int_equal(census.class[class].slabs, 0);
}

/* One block of each class in use. */
static void test_live(void **state) {
    (void)state;
    uint64_t live = 0;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        size_t size = hak_class_table[class].block_bytes;
        hak_malloc(size);
        live += size;
        take();
        assert_int_equal(census.live, live);
        assert_int_equal(census.class[class].slabs, 1);
        assert_int_equal(census.class[class].outside - census.class[class].magazine, 1);
    }
    assert_int_equal(census.free_dirty, 0);
}

static void test_magazine_and_slab(void **state) {
    (void)state;
    void *block[30];
    unsigned class = hak_class_of(100);
    for (int i = 0; i < 30; i++) block[i] = hak_malloc(100);
    take();
    uint64_t cached = census.cached;
    for (uint64_t i = 0; i < 5; i++) hak_free(block[i]);
    take();
    assert_int_equal(census.cached - cached, 5 * 112);
    assert_int_equal(census.live, 25 * 112);
    hak_tiny_magazine_flush_all();
    take();
    assert_int_equal(census.live, 25 * 112);
    assert_int_equal(census.class[class].magazine, 0);
    assert_int_equal(census.class[class].outside, 25);
    assert_int_equal(census.cached, census.class[class].inside * 112);
}

/* Blocks between two threads: in the outbox, in the inbox, in the chain that is worked off. */
static void test_transit(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    static struct fake_thread other;
    void *block[200];
    for (int i = 0; i < 200; i++) block[i] = hak_malloc(100);
    struct fake_thread *first = fake_thread_switch(&other);
    hak_malloc(16);
    for (uint64_t i = 0; i < 200; i++) {
        hak_free(block[i]);
        take();
        assert_int_equal(census.transit, (i + 1) * 112);
        assert_int_equal(census.live, (199 - i) * 112 + 16);
    }
    fake_thread_switch(first);
    hak_tiny_magazine_flush_all();
    take();
    assert_in_range(census.transit, 0, 31 * 112); /* in the other thread's outbox */
    assert_int_equal(census.live, 16);
}

static void test_huge(void **state) {
    (void)state;
    void *in_region = hak_malloc(3 * MIB + 1), *alone = hak_malloc(50 * MIB + 1);
    take();
    assert_int_equal(census.huge_blocks, 2);
    assert_int_equal(census.huge_bytes, 3 * MIB + 4 * KIB + hak_good_size(50 * MIB + 1));
    assert_int_equal(census.live, census.huge_bytes);
    assert_int_equal(census.waste, 4 * MIB - 3 * MIB - 4 * KIB);
    hak_free(alone);
    hak_free(in_region);
    take();
    assert_int_equal(census.huge_blocks, 0);
    assert_int_equal(census.live, 0);
    assert_int_equal(census.free_dirty, 3 * MIB + 64 * KIB); /* the units it reached into */
}

static void test_free_units(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* purged at once */
    void *block[4];
    for (int i = 0; i < 4; i++) block[i] = hak_malloc(200 * KIB); /* 4 units each, one block */
    for (int i = 0; i < 4; i += 2) hak_free(block[i]);
    hak_tiny_magazine_flush_all();
    take();
    assert_int_equal(census.free_dirty, 8 * HAK_UNIT_BYTES);
    uint64_t purged = census.purged;
    hak_collect();
    take();
    assert_int_equal(census.free_dirty, 0);
    assert_int_equal(census.purged, purged + 8 * HAK_UNIT_BYTES);
    assert_int_equal(census.live, 2 * hak_usable_size(block[1]));
}

/* The untouched end of a slab is resident only if its units had been used before. */
static void test_uncut_end(void **state) {
    (void)state;
    void *keeper = hak_malloc(1000), *large = hak_malloc(60 * KIB);
    take();
    uint64_t dirty = census.free_dirty;
    assert_int_equal(dirty, 0);
    hak_free(large);
    hak_tiny_magazine_flush_all(); /* its unit is dirty and free */
    hak_malloc(2000);
    take();
    const struct hak_census_class *class = &census.class[hak_class_of(2000)];
    uint64_t cut = (class->inside + class->outside) * 2048;
    assert_int_equal(census.free_dirty, HAK_UNIT_BYTES - cut);
    hak_free(keeper);
}

static void test_ends_of_slabs(void **state) {
    (void)state;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        take();
        uint64_t waste = census.waste;
        const struct hak_class *info = &hak_class_table[class];
        hak_malloc(info->block_bytes);
        take();
        assert_int_equal(census.waste - waste, info->units * HAK_UNIT_BYTES -
                                                   (uint64_t)info->capacity * info->block_bytes);
    }
}

static void test_counts_of_all_heaps(void **state) {
    (void)state;
    static struct fake_thread other;
    hak_malloc(100);
    hak_free(NULL);
    struct fake_thread *first = fake_thread_switch(&other);
    hak_malloc(100);
    hak_free(NULL);
    hak_free(NULL);
    fake_thread_end();
    fake_thread_switch(first);
    take();
    assert_int_equal(census.counts.free_null, 3);
    assert_int_equal(census.counts.refill_fresh, 2);
    assert_int_equal(census.heaps_parked, 1);
    assert_int_equal(census.class[hak_class_of(100)].refills, 2);
}

static void test_first_class_heap(void **state) {
    (void)state;
    struct hak_heap *heap = hak_heap_new();
    for (int i = 0; i < 100; i++) hak_heap_malloc(heap, 100);
    hak_heap_malloc(heap, 3 * MIB);
    take();
    assert_int_equal(census.live, 100 * 112 + 3 * MIB);
    hak_heap_destroy(heap);
    take();
    assert_int_equal(census.live, 0);
    assert_int_equal(census.cached, 0);
}

/* Units that a fork took from whoever had claimed them are waste. */
static void test_forgotten_unit(void **state) {
    (void)state;
    unsigned first;
    bool dirty;
    hak_malloc(100);
    take();
    uint64_t waste = census.waste;
    hak_superslab_claim(3, true, &first, &dirty);
    take();
    assert_int_equal(census.waste - waste, 3 * HAK_UNIT_BYTES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_nothing),
        ISOLATED(test_live),
        ISOLATED(test_magazine_and_slab),
        ISOLATED(test_transit),
        ISOLATED(test_huge),
        ISOLATED(test_free_units),
        ISOLATED(test_uncut_end),
        ISOLATED(test_ends_of_slabs),
        ISOLATED(test_counts_of_all_heaps),
        ISOLATED(test_first_class_heap),
        ISOLATED(test_forgotten_unit),
    };
    return cmocka_run_group_tests_name("observe/census", tests, NULL, NULL);
}
