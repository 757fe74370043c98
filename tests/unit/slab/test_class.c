/* SPDX-License-Identifier: MIT
 *
 * slab/class.c: the table is consistent with itself, for every size and every offset.
 */
#include "engine.h"

#include "slab/class.h"

static const struct hak_class *info(unsigned class) {
    return &hak_class_table[class];
}

static void test_table(void **state) {
    (void)state;
    assert_int_equal(info(0)->block_bytes, 0);
    assert_int_equal(info(1)->block_bytes, HAK_MIN_ALIGN);
    assert_int_equal(info(HAK_CLASSES)->block_bytes, HAK_LARGE_MAX);
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        size_t block = info(class)->block_bytes, slab = info(class)->units * HAK_UNIT_BYTES;
        assert_true(block > info(class - 1)->block_bytes);
        assert_int_equal(block % HAK_MIN_ALIGN, 0);
        assert_in_range(info(class)->units, 1, HAK_SUPERSLAB_UNITS);
        assert_true(info(class)->capacity >= 1);
        assert_true(info(class)->capacity * block <= slab);
        if (block > HAK_CLASS_SHARED_MAX) {
            assert_int_equal(info(class)->capacity, 1);
            assert_true(slab - block < HAK_UNIT_BYTES); /* and never touched */
        } else {
            assert_int_equal(info(class)->capacity, slab / block);
            if ((slab % block) * 50 >= slab) {
                fail_msg("class %u: %zu of %zu bytes wasted", class, slab % block, slab);
            }
        }
    }
}

/* Fewer units would waste more: a slab is no longer than it must be. */
static void test_units_are_the_fewest(void **state) {
    (void)state;
    for (unsigned class = 1; info(class)->block_bytes <= HAK_CLASS_SHARED_MAX; class ++) {
        size_t block = info(class)->block_bytes;
        for (size_t units = 1; units < info(class)->units; units++) {
            size_t slab = units * HAK_UNIT_BYTES;
            assert_true(slab < block || (slab % block) * 50 >= slab);
        }
    }
}

/* The smallest class that holds the size, for each of a million of them. */
static void test_every_size(void **state) {
    (void)state;
    assert_int_equal(hak_class_of(0), 1);
    unsigned expected = 1;
    for (size_t size = 1; size <= HAK_LARGE_MAX; size++) {
        if (size > info(expected)->block_bytes) expected++;
        if (hak_class_of(size) != expected) {
            fail_msg("size %zu: class %u, not %u", size, hak_class_of(size), expected);
        }
    }
    assert_int_equal(expected, HAK_CLASSES);
}

/* What is lost to rounding: 15 bytes, an eighth, or above 32 KiB (where the end of a block is never
 * touched) a fourth. */
static void test_rounding(void **state) {
    (void)state;
    for (size_t size = 1; size <= HAK_LARGE_MAX; size++) {
        size_t lost = info(hak_class_of(size))->block_bytes - size;
        bool fits = size <= 128                    ? lost < 16
                    : size <= HAK_CLASS_SHARED_MAX ? lost * 8 <= size
                                                   : lost * 4 <= size;
        if (!fits) fail_msg("size %zu: %zu lost", size, lost);
    }
}

static void test_aligned(void **state) {
    (void)state;
    for (size_t alignment = 1; alignment <= HAK_UNIT_BYTES; alignment *= 2) {
        for (size_t size = 0; size <= HAK_LARGE_MAX; size += size < 5000 ? 1 : 977) {
            unsigned class = hak_class_of_aligned(size, alignment);
            size_t block = info(class)->block_bytes;
            if (!class || block < size || block % alignment) {
                fail_msg("size %zu aligned to %zu: class %u", size, alignment, class);
            }
            for (unsigned lower = hak_class_of(size); lower < class; lower++) {
                assert_true(info(lower)->block_bytes % alignment);
            }
        }
    }
    assert_int_equal(hak_class_of_aligned(1, HAK_UNIT_BYTES), hak_class_of(HAK_UNIT_BYTES));
}

static void test_aligned_beyond(void **state) {
    (void)state;
    assert_int_equal(hak_class_of_aligned(1, 2 * HAK_UNIT_BYTES), 0);
    assert_int_equal(hak_class_of_aligned(HAK_LARGE_MAX + 1, 16), 0);
    assert_int_equal(hak_class_of_aligned(HAK_LARGE_MAX, HAK_UNIT_BYTES), HAK_CLASSES);
    for (size_t alignment = 16; alignment <= HAK_UNIT_BYTES; alignment *= 2) {
        assert_int_equal(hak_class_of_aligned(PTRDIFF_MAX, alignment), 0);
        assert_int_equal(hak_class_of_aligned(SIZE_MAX, alignment), 0);
        assert_int_equal(hak_class_of_aligned(SIZE_MAX - alignment + 1, alignment), 0);
    }
    for (size_t alignment = 2 * HAK_UNIT_BYTES; alignment; alignment *= 2) {
        assert_int_equal(hak_class_of_aligned(SIZE_MAX, alignment), 0);
        assert_int_equal(hak_class_of_aligned(0, alignment), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),      cmocka_unit_test(test_units_are_the_fewest),
        cmocka_unit_test(test_every_size), cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_aligned),    cmocka_unit_test(test_aligned_beyond),
    };
    return cmocka_run_group_tests_name("slab/class", tests, NULL, NULL);
}
