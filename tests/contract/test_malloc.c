/* SPDX-License-Identifier: MIT
 *
 * malloc: alignment, zero sizes, whole usable size, blocks apart from each other, errno.
 * Sizes that must fail are in test_limits.c.
 */
#include "family.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void test_every_size_is_aligned_and_writable(void **state) {
    (void)state;
    for (size_t i = 0; i < family_size_count; i++) {
        size_t size = family_sizes[i];
        void *block = family->malloc(size);
        assert_non_null(block);
        assert_aligned(block, 16);
        assert_true(family->usable_size(block) >= size);
        pattern_write(block, size, i);
        assert_int_equal(pattern_check(block, size, i), size);
        family->free(block);
    }
}

static int compare_pointers(const void *a, const void *b) {
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

static void test_zero_size_gives_unique_blocks(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    static void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = family->malloc(0);
        assert_non_null(blocks[i]);
        assert_aligned(blocks[i], 16);
    }
    qsort(blocks, COUNT, sizeof(blocks[0]), compare_pointers);
    for (size_t i = 1; i < COUNT; i++) assert_ptr_not_equal(blocks[i - 1], blocks[i]);
    for (size_t i = 0; i < COUNT; i++) family->free(blocks[i]);
}

/* 20,000 slots, 200,000 steps: a full slot is checked and freed, an empty one filled. */
static void test_live_blocks_keep_their_contents(void **state) {
    (void)state;
    enum { SLOTS = 20000, STEPS = 200000 };
    static void *blocks[SLOTS];
    static size_t sizes[SLOTS];
    uint64_t random = 0x5EED;
    for (size_t step = 0; step < STEPS + SLOTS; step++) {
        size_t slot = step < STEPS ? random_next(&random) % SLOTS : step - STEPS;
        if (blocks[slot]) {
            assert_int_equal(pattern_check(blocks[slot], sizes[slot], slot), sizes[slot]);
            family->free(blocks[slot]);
            blocks[slot] = NULL;
        } else if (step < STEPS) {
            uint64_t draw = random_next(&random);
            size_t size = (size_t)(draw >> 8) % ((size_t)16 << (draw % 10));
            sizes[slot] = size;
            blocks[slot] = family->malloc(size);
            assert_non_null(blocks[slot]);
            pattern_write(blocks[slot], size, slot);
        }
    }
}

static void test_success_keeps_errno(void **state) {
    (void)state;
    for (size_t i = 0; i < family_size_count; i++) {
        errno = 1234;
        void *block = family->malloc(family_sizes[i]);
        assert_int_equal(errno, 1234);
        assert_non_null(block);
        family->free(block);
    }
}

/* 64 blocks of one size live at once, for every size up to 64 KiB: more than one magazine holds, so
 * slabs are cut, and neighbours would show an overlap. */
static void test_neighbours_do_not_overlap(void **state) {
    (void)state;
    enum { COUNT = 64 };
    void *blocks[COUNT];
    for (size_t i = 0; i < family_size_count && family_sizes[i] <= 65536; i++) {
        size_t size = family_sizes[i];
        for (size_t k = 0; k < COUNT; k++) {
            blocks[k] = family->malloc(size);
            assert_non_null(blocks[k]);
            memset(blocks[k], (int)k, size);
        }
        for (size_t k = 0; k < COUNT; k++) {
            unsigned char *bytes = blocks[k];
            assert_true(size == 0 || (bytes[0] == k && !memcmp(bytes, bytes + 1, size - 1)));
            family->free(blocks[k]);
        }
    }
}

int main(void) {
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_is_aligned_and_writable),
        cmocka_unit_test(test_zero_size_gives_unique_blocks),
        cmocka_unit_test(test_live_blocks_keep_their_contents),
        cmocka_unit_test(test_success_keeps_errno),
        cmocka_unit_test(test_neighbours_do_not_overlap),
    };
    return cmocka_run_group_tests_name(family->name, tests, NULL, NULL);
}
