/* SPDX-License-Identifier: MIT
 *
 * heap/idle.c: what a heap looks for in its magazines before it grows.  Looks by the clock:
 * test_bin.c, whole/keeping.c.
 */
#include "engine.h"

#include "heap/heap.h"

/* Takes blocks of a class until the heap has made so many slabs of it, and keeps them. */
static void grow(size_t size, unsigned slabs) {
    uint64_t before = hak_tls.heap->counts.refill_fresh;
    while (hak_tls.heap->counts.refill_fresh < before + slabs) hak_malloc(size);
}

/* A magazine with a block of each of many slabs, which are free otherwise. */
static void scatter(size_t size) {
    enum { MANY = 20000 };
    static void *block[MANY];
    struct engine_random random = {11};
    hak_malloc(16);
    for (int i = 0; i < MANY; i++) block[i] = hak_malloc(size);
    for (int left = MANY; left; left--) {
        uint64_t at = engine_below(&random, (uint64_t)left);
        hak_free(block[at]);
        block[at] = block[left - 1];
    }
}

/* Before it grows a heap flushes magazines that were not used since it last grew. */
static void test_unused_magazines_hold_no_slabs(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* they have one block */
    struct hak_stats stats;
    unsigned class = hak_class_of(64);
    scatter(64);
    struct hak_heap *heap = hak_tls.heap;
    engine_check_census(&stats);
    uint64_t empty = stats.slabs_empty, count = hak_heap_bin_count(heap, class);
    uint32_t slabs = heap->cold[class].slabs;
    assert_true(count > 4 && slabs > 4);
    grow(8 * KIB, HAK_CLASSES / 2); /* a first look at each */
    assert_int_equal(hak_heap_bin_count(heap, class), count);
    for (int round = 0; round < 5; round++) {
        hak_free(hak_malloc(64)); /* which leaves no trace */
        grow(8 * KIB, HAK_CLASSES / 2);
        engine_check_heaps();
    }
    assert_true(hak_heap_bin_count(heap, class) <= 1);
    engine_check_census(&stats);
    assert_true(heap->cold[class].slabs <= 1);
    assert_true(stats.slabs_empty >= empty + slabs - 1);
}

/* Those that were stay. */
static void test_used_magazines_stay(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    unsigned class = hak_class_of(64);
    scatter(64);
    struct hak_heap *heap = hak_tls.heap;
    void *block = NULL;
    for (int round = 0; round < 10; round++) {
        hak_free(block);
        block = round % 2 ? NULL : hak_malloc(64);
        grow(8 * KIB, HAK_CLASSES / 2);
        assert_true(hak_heap_bin_count(heap, class) > 4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_unused_magazines_hold_no_slabs),
        ISOLATED(test_used_magazines_stay),
    };
    return cmocka_run_group_tests_name("heap/idle", tests, NULL, NULL);
}
