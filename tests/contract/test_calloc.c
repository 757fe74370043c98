/* SPDX-License-Identifier: MIT
 *
 * calloc: zeros in fresh memory and in memory that was dirty before, whichever call dirtied it and
 * in whichever state it was freed.  Overflows are in test_limits.c.
 */
#include "family.h"

#include <errno.h>
#include <string.h>

static void test_every_size_is_zeroed(void **state) {
    (void)state;
    for (size_t i = 0; i < family_size_count; i++) {
        size_t size = family_sizes[i];
        unsigned char *block = family->calloc(1, size);
        assert_non_null(block);
        assert_aligned(block, 16);
        assert_int_equal(zero_check(block, size), size);
        memset(block, 0xA5, size);
        family->free(block);
    }
}

/* Eight blocks at a time, so that some come from a magazine and some from a slab or superslab. */
static void test_dirty_memory_is_zeroed_again(void **state) {
    (void)state;
    enum { COUNT = 8 };
    unsigned char *blocks[COUNT];
    for (size_t i = 0; i < family_size_count; i++) {
        size_t size = family_sizes[i];
        size_t count = size > ((size_t)1 << 20) ? 1 : COUNT;
        for (size_t k = 0; k < count; k++) {
            blocks[k] = family->malloc(size);
            assert_non_null(blocks[k]);
            memset(blocks[k], 0xA5, family->usable_size(blocks[k]));
        }
        for (size_t k = 0; k < count; k++) family->free(blocks[k]);
        for (size_t k = 0; k < count; k++) {
            blocks[k] = family->calloc(size, 1);
            assert_non_null(blocks[k]);
            assert_int_equal(zero_check(blocks[k], size), size);
            memset(blocks[k], 0x5A, size);
        }
        for (size_t k = 0; k < count; k++) family->free(blocks[k]);
    }
}

/* Memory freed by way of another class: small blocks fill and leave whole slabs, then a larger
 * calloc takes their units; and the other way round. */
static void test_memory_of_other_classes_is_zeroed(void **state) {
    (void)state;
    enum { BYTES = 4 << 20 };
    static const size_t sizes[] = {48, 300, 4000, 20000, 150000, 1 << 20, 3 << 20};
    static void *blocks[BYTES / 48];
    for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t dirty = sizes[i % 7], clean = sizes[(3 * i + 1) % 7];
        size_t count = BYTES / dirty;
        for (size_t k = 0; k < count; k++) {
            blocks[k] = family->malloc(dirty);
            assert_non_null(blocks[k]);
            memset(blocks[k], 0xFF, dirty);
        }
        for (size_t k = 0; k < count; k++) family->free(blocks[k]);
        (void)family->malloc_trim(0);
        count = BYTES / clean;
        for (size_t k = 0; k < count; k++) {
            blocks[k] = family->calloc(1, clean);
            assert_non_null(blocks[k]);
            assert_int_equal(zero_check(blocks[k], clean), clean);
        }
        for (size_t k = 0; k < count; k++) family->free(blocks[k]);
    }
}

/* realloc leaves a dirty tail behind when it shrinks, and moves away from dirty blocks when it
 * grows; aligned blocks may begin inside a larger one. */
static void test_after_realloc_and_memalign(void **state) {
    (void)state;
    for (size_t i = 0; i < family_size_count; i += 7) {
        size_t size = family_sizes[i];
        unsigned char *block = family->malloc(size + 1);
        memset(block, 0xEE, size + 1);
        block = family->realloc(block, size / 3 + 1);
        assert_non_null(block);
        unsigned char *aligned = family->memalign(256, size + 1);
        assert_non_null(aligned);
        memset(aligned, 0xEE, size + 1);
        family->free(block);
        family->free(aligned);
        for (size_t part = 1; part <= 3; part++) {
            unsigned char *zeroed = family->calloc(part, size / part + 1);
            assert_non_null(zeroed);
            size_t length = part * (size / part + 1);
            assert_int_equal(zero_check(zeroed, length), length);
            memset(zeroed, 0xEE, length);
            family->free(zeroed);
        }
    }
}

static void test_no_elements_gives_unique_blocks(void **state) {
    (void)state;
    void *a = family->calloc(0, 16), *b = family->calloc(16, 0), *c = family->calloc(0, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_true(a != b && b != c && a != c);
    family->free(a);
    family->free(b);
    family->free(c);
}

static void test_success_keeps_errno(void **state) {
    (void)state;
    for (size_t i = 0; i < family_size_count; i++) {
        errno = 1234;
        void *block = family->calloc(family_sizes[i], 1);
        assert_int_equal(errno, 1234);
        assert_non_null(block);
        family->free(block);
    }
}

int main(void) {
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_is_zeroed),
        cmocka_unit_test(test_dirty_memory_is_zeroed_again),
        cmocka_unit_test(test_memory_of_other_classes_is_zeroed),
        cmocka_unit_test(test_after_realloc_and_memalign),
        cmocka_unit_test(test_no_elements_gives_unique_blocks),
        cmocka_unit_test(test_success_keeps_errno),
    };
    return cmocka_run_group_tests_name(family->name, tests, NULL, NULL);
}
