/* SPDX-License-Identifier: MIT
 *
 * heap/slots.c: arrays have room for what was asked, and are used again.
 */
#include "engine.h"

#include "config/option.h"
#include "heap/slots.h"

#include <string.h>

static struct hak_heap *make(void) {
    hak_option_init();
    struct hak_heap *heap = hak_heap_make(HAK_HEAP_THREAD);
    assert_non_null(heap);
    return heap;
}

static void test_none(void **state) {
    (void)state;
    struct hak_slot *none = hak_slots_none();
    assert_null(none->block);
    assert_int_equal(hak_slots_room(none, 100), 0);
    hak_slots_keep(make(), none); /* nothing to keep */
}

static void test_every_size(void **state) {
    (void)state;
    struct hak_heap *heap = make();
    for (size_t blocks = 1; blocks < 2048; blocks++) {
        struct hak_slot *base = hak_slots_new(heap, blocks);
        assert_int_equal((uintptr_t)base % HAK_CACHE_LINE, 0);
        assert_null(base->block);
        assert_int_equal(hak_slots_room(base, blocks), blocks);
        memset(base + 1, 0xff, blocks * sizeof *base);
        hak_slots_keep(heap, base);
    }
}

/* Those that are kept are given out again, each once, before there are new ones. */
static void test_kept(void **state) {
    (void)state;
    struct hak_heap *heap = make();
    struct hak_slot *small = hak_slots_new(heap, 15), *two = hak_slots_new(heap, 15);
    struct hak_slot *large = hak_slots_new(heap, 16);
    hak_slots_keep(heap, small);
    hak_slots_keep(heap, large);
    hak_slots_keep(heap, two);
    assert_ptr_equal(hak_slots_new(heap, 8), two);
    assert_ptr_equal(hak_slots_new(heap, 15), small);
    assert_null(two->block);
    assert_null(small->block);
    assert_ptr_not_equal(hak_slots_new(heap, 15), large);
    assert_ptr_equal(hak_slots_new(heap, 31), large);
    assert_int_equal(hak_slots_room(large, 100), 31);
}

static void test_without_memory(void **state) {
    (void)state;
    struct hak_heap *heap = make();
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    while (hak_slots_new(heap, 2047)) {
    }
    fake_page_fail_never();
    assert_non_null(hak_slots_new(heap, 2047));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_none),
        ISOLATED(test_every_size),
        ISOLATED(test_kept),
        ISOLATED(test_without_memory),
    };
    return cmocka_run_group_tests_name("heap/slots", tests, NULL, NULL);
}
