/* SPDX-License-Identifier: MIT
 *
 * What a program does to blocks that are free: nothing of the allocator's is in them.
 */
#include "engine.h"

#include "heap/bin.h"
#include "slab/used.h"

#include <string.h>

/* In fast mode nothing keeps a program from freeing a block twice.  The second time its units may
 * be in another slab: that is left alone, and the block is lost. */
static void test_freed_twice(void **state) {
    (void)state;
    struct hak_heap *heap = engine_heap("fast");
    static struct hak_block *block[20];
    unsigned class = hak_class_of(5120); /* slabs of three units */
    struct hak_block *keeper = engine_take(heap, hak_class_of(64));
    engine_take_all(heap, class, block, UNIT_COUNT(block));
    struct hak_block *twice = block[15]; /* in the second unit */
    struct hak_slab *slab = hak_slab_of(twice);
    assert_int_equal(slab->units, 3);
    for (size_t i = 0; i < UNIT_COUNT(block); i++) hak_bin_push(heap, class, block[i]);
    hak_bin_clear_all(heap);
    struct hak_block *other = engine_take(heap, hak_class_of(48));
    assert_ptr_equal(hak_slab_of(other), slab);
    uint32_t used = slab->used;
    hak_bin_push(heap, class, twice);
    hak_bin_clear(heap, class);
    assert_int_equal(slab->used, used);
    assert_ptr_not_equal(keeper, NULL);
}

/* No block of a slab, handed out or free, has a seal. */
static void test_marks(void **state) {
    (void)state;
    struct hak_heap *heap = engine_heap("checked");
    static struct hak_block *block[500];
    unsigned class = hak_class_of(48);
    for (int round = 0; round < 3; round++) {
        engine_take_all(heap, class, block, UNIT_COUNT(block));
        for (size_t i = 0; i < UNIT_COUNT(block); i++) {
            assert_false(hak_block_is_sealed(block[i], heap->mark));
            engine_fill(block[i], 48, i);
        }
        for (size_t i = 0; i < UNIT_COUNT(block); i++) {
            assert_true(hak_used_clear(hak_used_find(block[i]))); /* who frees it does that */
            hak_bin_push(heap, class, block[i]);
        }
        if (round == 1) hak_bin_clear_all(heap);
        assert_false(hak_block_is_sealed(block[0], heap->mark));
        for (size_t i = 0; i < UNIT_COUNT(block); i++) assert_false(hak_used_is(block[i])); /* L4 */
    }
}

/* Whatever is written to a free block that has gone back to its slab, each comes out once. */
static void test_write_after_free_in_the_slab(void **state) {
    (void)state;
    struct hak_heap *heap = engine_heap("checked");
    static struct hak_block *block[500], *again[500];
    unsigned class = hak_class_of(48);
    engine_take_all(heap, class, block, UNIT_COUNT(block));
    for (size_t i = 0; i < UNIT_COUNT(block); i += 2) {
        assert_true(hak_used_clear(hak_used_find(block[i])));
        hak_bin_push(heap, class, block[i]);
    }
    hak_bin_clear_all(heap);
    for (size_t i = 0; i < UNIT_COUNT(block); i += 2) memset(block[i], 0xff, 48);
    engine_take_all(heap, class, again, UNIT_COUNT(again));
    for (size_t i = 0; i < UNIT_COUNT(again); i++) {
        assert_true(hak_used_is(again[i]));
        again[i]->next = NULL;
    }
    for (size_t i = 0; i < UNIT_COUNT(again); i++) {
        assert_null(again[i]->next);
        again[i]->next = again[i];
    }
    engine_check_heaps();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_freed_twice),
        ISOLATED(test_marks),
        ISOLATED(test_write_after_free_in_the_slab),
    };
    return cmocka_run_group_tests_name("whole/free_blocks", tests, NULL, NULL);
}
