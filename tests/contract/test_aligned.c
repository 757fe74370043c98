/* SPDX-License-Identifier: MIT
 *
 * aligned_alloc, memalign, posix_memalign, valloc, pvalloc: alignments from 1 byte to 1 GiB, sizes
 * from nothing to several superslabs.  Alignments that may or must fail are in test_limits.c.
 */
#include "family.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const size_t sizes[] = {0,       1,      8,     16,    17,    48,     100,     1000,
                               4096,    5000,   16384, 40000, 65536, 100000, 1 << 20, (1 << 20) + 1,
                               2 << 20, 3 << 20};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

/* The first and last page of a block are enough above 64 KiB: writing
 * all of it is test_malloc's. */
static void check_block(void *block, size_t alignment, size_t size) {
    assert_non_null(block);
    assert_aligned(block, alignment);
    size_t usable = family->usable_size(block);
    assert_true(usable >= size);
    size_t edge = usable < 65536 ? usable : 4096;
    memset(block, 0xC3, edge);
    memset((char *)block + usable - edge, 0xC3, edge);
}

static void *by_posix_memalign(size_t alignment, size_t size) {
    void *block = NULL;
    errno = 1234;
    assert_int_equal(family->posix_memalign(&block, alignment, size), 0);
    assert_int_equal(errno, 1234);
    return block;
}

static void check_all(void *(*allocate)(size_t, size_t), size_t first, size_t last) {
    enum { COUNT = 12 };
    void *blocks[COUNT];
    for (size_t alignment = first; alignment <= last; alignment *= 2) {
        for (size_t i = 0; i < SIZES; i++) {
            size_t count = alignment > ((size_t)16 << 20) ? 2 : COUNT;
            for (size_t k = 0; k < count; k++) {
                blocks[k] = allocate(alignment, sizes[i]);
                check_block(blocks[k], alignment, sizes[i]);
            }
            for (size_t k = 0; k < count; k++) family->free(blocks[k]);
        }
    }
}

static void test_aligned_alloc(void **state) {
    (void)state;
    check_all(family->aligned_alloc, 1, (size_t)64 << 20);
}

static void test_memalign(void **state) {
    (void)state;
    check_all(family->memalign, 1, (size_t)64 << 20);
}

static void test_posix_memalign(void **state) {
    (void)state;
    check_all(by_posix_memalign, sizeof(void *), (size_t)64 << 20);
}

/* Address space for these is large, memory is not: two pages of each block are touched. */
static void test_alignments_up_to_1_gib(void **state) {
    (void)state;
    for (size_t alignment = (size_t)128 << 20; alignment <= (size_t)1 << 30; alignment *= 2) {
        for (size_t i = 0; i < SIZES; i++) {
            void *block = by_posix_memalign(alignment, sizes[i]);
            check_block(block, alignment, sizes[i]);
            family->free(block);
        }
    }
}

/* 4 GiB and beyond may be refused, but must be answered: a block or ENOMEM. */
static void test_alignments_beyond_1_gib(void **state) {
    (void)state;
    for (unsigned shift = 31; shift < 64; shift++) {
        void *block = NULL;
        int error = family->posix_memalign(&block, (size_t)1 << shift, 100);
        if (error == 0) {
            check_block(block, (size_t)1 << shift, 100);
            family->free(block);
        } else {
            assert_int_equal(error, ENOMEM);
            assert_null(block);
        }
    }
}

static void test_posix_memalign_refuses_bad_alignments(void **state) {
    (void)state;
    static const size_t bad[] = {0,  1,  2,  4,   3,    5,    7,        12,           20,
                                 24, 40, 48, 100, 4095, 4097, SIZE_MAX, SIZE_MAX - 7, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        void *marker = &marker, *out = marker;
        errno = 1234;
        assert_int_equal(family->posix_memalign(&out, bad[i], 100), EINVAL);
        assert_ptr_equal(out, marker);
        assert_int_equal(errno, 1234);
    }
}

/* glibc sets errno when posix_memalign has no memory, which POSIX allows and hakmem does not do. */
static void test_posix_memalign_without_memory(void **state) {
    (void)state;
    static const size_t too_large[] = {SIZE_MAX, SIZE_MAX - 64, (size_t)PTRDIFF_MAX,
                                       (size_t)PTRDIFF_MAX + 1};
    for (size_t i = 0; i < 4; i++) {
        for (size_t alignment = sizeof(void *); alignment <= ((size_t)1 << 30); alignment *= 2) {
            void *marker = &marker, *out = marker;
            errno = 1234;
            assert_int_equal(family->posix_memalign(&out, alignment, too_large[i]), ENOMEM);
            assert_ptr_equal(out, marker);
            if (!family->glibc) assert_int_equal(errno, 1234);
        }
    }
}

/* Before 2.38, glibc's aligned_alloc is its memalign and rounds the alignment up, where
 * C17 asks for a null pointer. */
static void test_aligned_alloc_refuses_bad_alignments(void **state) {
    (void)state;
    static const size_t bad[] = {0, 3, 5, 12, 24, 100, 4097, SIZE_MAX};
    if (family->glibc) skip();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        errno = 0;
        assert_null(family->aligned_alloc(bad[i], 96));
        assert_int_equal(errno, EINVAL);
    }
}

static void test_memalign_rounds_bad_alignments_up(void **state) {
    (void)state;
    static const struct {
        size_t asked, given;
    } rows[] = {{0, 16},  {1, 16},    {3, 16},      {17, 32},
                {24, 32}, {100, 128}, {4097, 8192}, {(2 << 20) + 1, 4 << 20}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        void *block = family->memalign(rows[i].asked, 500);
        check_block(block, rows[i].given, 500);
        family->free(block);
    }
}

static void test_valloc_and_pvalloc(void **state) {
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < SIZES; i++) {
        void *a = family->valloc(sizes[i]), *b = family->pvalloc(sizes[i]);
        check_block(a, page, sizes[i]);
        check_block(b, page, (sizes[i] + page - 1) / page * page);
        family->free(a);
        family->free(b);
    }
}

/* Aligned blocks among plain ones, freed in another order: all contents must stay. */
static void test_aligned_blocks_keep_their_contents(void **state) {
    (void)state;
    enum { SLOTS = 2000, STEPS = 40000 };
    static void *blocks[SLOTS];
    static size_t lengths[SLOTS];
    uint64_t random = 0xA119;
    for (size_t step = 0; step < STEPS + SLOTS; step++) {
        size_t slot = step < STEPS ? random_next(&random) % SLOTS : step - STEPS;
        if (blocks[slot]) {
            assert_int_equal(pattern_check(blocks[slot], lengths[slot], slot), lengths[slot]);
            family->free(blocks[slot]);
            blocks[slot] = NULL;
        } else if (step < STEPS) {
            uint64_t draw = random_next(&random);
            size_t alignment = (size_t)1 << (draw % 14);
            lengths[slot] = (size_t)(draw >> 8) % 6000;
            blocks[slot] = draw >> 63 ? family->malloc(lengths[slot])
                                      : family->memalign(alignment, lengths[slot]);
            assert_non_null(blocks[slot]);
            pattern_write(blocks[slot], lengths[slot], slot);
        }
    }
}

int main(void) {
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aligned_alloc),
        cmocka_unit_test(test_memalign),
        cmocka_unit_test(test_posix_memalign),
        cmocka_unit_test(test_alignments_up_to_1_gib),
        cmocka_unit_test(test_alignments_beyond_1_gib),
        cmocka_unit_test(test_posix_memalign_refuses_bad_alignments),
        cmocka_unit_test(test_posix_memalign_without_memory),
        cmocka_unit_test(test_aligned_alloc_refuses_bad_alignments),
        cmocka_unit_test(test_memalign_rounds_bad_alignments_up),
        cmocka_unit_test(test_valloc_and_pvalloc),
        cmocka_unit_test(test_aligned_blocks_keep_their_contents),
    };
    return cmocka_run_group_tests_name(family->name, tests, NULL, NULL);
}
