/* SPDX-License-Identifier: MIT
 *
 * What hakmem.h says about size classes: hak_good_size, hak_class_stats_read, and the functions
 * that flush the magazines of one class or of all.
 */
#include "family.h"
#include "hakmem.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum { CLASSES_MAX = 1000 };

/* The index of the class that serves a size; -1: none. */
static int class_of(size_t size) {
    struct hak_class_stats stats;
    size_t block_size = hak_good_size(size);
    for (int i = 0; i < CLASSES_MAX; i++)
        if (hak_class_stats_read(i, &stats) == 0 && stats.block_size == block_size) return i;
    return -1;
}

static struct hak_class_stats read_class(int class_idx) {
    struct hak_class_stats stats;
    assert_int_equal(hak_class_stats_read(class_idx, &stats), 0);
    return stats;
}

static void test_good_size_is_what_malloc_gives(void **state) {
    (void)state;
    for (size_t i = 0; i < family_size_count; i++) {
        void *block = hak_malloc(family_sizes[i]);
        assert_non_null(block);
        assert_int_equal(hak_good_size(family_sizes[i]), hak_usable_size(block));
        assert_true(hak_good_size(family_sizes[i]) >= family_sizes[i]);
        assert_int_equal(hak_good_size(hak_good_size(family_sizes[i])),
                         hak_good_size(family_sizes[i]));
        hak_free(block);
    }
    (void)hak_good_size(SIZE_MAX); /* must answer */
    (void)hak_good_size((size_t)PTRDIFF_MAX);
}

/* Block sizes rise with the index; every index outside is refused. */
static void test_class_table(void **state) {
    (void)state;
    uint64_t last = 0;
    int count = 0;
    for (int i = 0; i < CLASSES_MAX; i++) {
        struct hak_class_stats stats;
        errno = 0;
        if (hak_class_stats_read(i, &stats) != 0) {
            assert_int_equal(errno, EINVAL);
            continue;
        }
        assert_true(stats.block_size > last);
        assert_true(stats.slab_size >= stats.block_size);
        assert_int_equal(stats.block_size % 16, 0);
        last = stats.block_size;
        count++;
    }
    print_message("%d classes, up to %llu bytes\n", count, (unsigned long long)last);
    assert_true(count >= 20);
    static const int outside[] = {-1, INT_MIN, INT_MAX, CLASSES_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct hak_class_stats stats;
        errno = 0;
        assert_int_equal(hak_class_stats_read(outside[i], &stats), -1);
        assert_int_equal(errno, EINVAL);
    }
}

static void test_class_counts(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    static void *blocks[COUNT];
    static const size_t sizes[] = {16, 64, 200, 1000, 5000};
    for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        int class_idx = class_of(sizes[k]);
        assert_true(class_idx >= 0);
        struct hak_class_stats before = read_class(class_idx);
        for (size_t i = 0; i < COUNT; i++) assert_non_null(blocks[i] = hak_malloc(sizes[k]));
        struct hak_class_stats during = read_class(class_idx);
        for (size_t i = 0; i < COUNT; i++) hak_free(blocks[i]);
        struct hak_class_stats after = read_class(class_idx);
        assert_int_equal(during.blocks_live - before.blocks_live, COUNT);
        assert_true(during.slabs * during.slab_size >= COUNT * during.block_size);
        assert_true(during.refills > before.refills);
        assert_int_equal(after.blocks_live, before.blocks_live);
        assert_true(after.flushes > during.flushes);
    }
}

/* Any int is accepted, and what is no class does nothing. */
static void test_flush_accepts_any_int(void **state) {
    (void)state;
    static const int far[] = {INT_MIN, INT_MIN + 1, -1000, -1, 1000, 100000, INT_MAX};
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) hak_tiny_magazine_flush(far[i]);
    for (int i = 0; i < CLASSES_MAX; i++) hak_tiny_magazine_flush(i);
    hak_tiny_magazine_flush_all();
    hak_tiny_magazine_flush_all();
    void *block = hak_malloc(100);
    assert_non_null(block);
    memset(block, 1, 100);
    hak_free(block);
}

/* After a flush the class keeps at most one empty slab; the flush of
 * another class changes nothing. */
static void test_flush_returns_blocks(void **state) {
    (void)state;
    enum { COUNT = 20000, SIZE = 96 };
    static void *blocks[COUNT];
    int class_idx = class_of(SIZE), other = class_of(3000);
    assert_true(class_idx >= 0 && other >= 0);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT; i++) assert_non_null(blocks[i] = hak_malloc(SIZE));
        for (size_t i = 0; i < COUNT; i++) hak_free(blocks[i]);
        struct hak_class_stats freed = read_class(class_idx);
        hak_tiny_magazine_flush(other);
        assert_int_equal(read_class(class_idx).blocks_cached, freed.blocks_cached);
        if (round == 0) hak_tiny_magazine_flush(class_idx);
        else hak_tiny_magazine_flush_all();
        struct hak_class_stats flushed = read_class(class_idx);
        print_message("slabs: %llu after free, %llu after the flush\n",
                      (unsigned long long)freed.slabs, (unsigned long long)flushed.slabs);
        assert_true(flushed.slabs <= freed.slabs);
        uint64_t in_use = flushed.blocks_live * flushed.block_size / flushed.slab_size;
        assert_true(flushed.slabs <= in_use + 2);
    }
}

int main(void) {
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_size_is_what_malloc_gives),
        cmocka_unit_test(test_class_table),
        cmocka_unit_test(test_class_counts),
        cmocka_unit_test(test_flush_accepts_any_int),
        cmocka_unit_test(test_flush_returns_blocks),
    };
    return cmocka_run_group_tests_name("classes", tests, NULL, NULL);
}
