/* SPDX-License-Identifier: MIT
 *
 * front/family.c: the malloc family on the fake kernel.  tests/contract has what a user may expect
 * of each function; here is what only a kernel that fails, or a look inside, can show.
 */
#include "engine.h"

#include "front/slow.h"
#include "large/huge.h"
#include "slab/class.h"

#include <string.h>

/* Every size up to 5 KiB and some above: what was dirty before is zero again, wherever it lies. */
static void check_calloc(const char *mode) {
    engine_mode(mode);
    static void *block[8];
    for (size_t size = 0; size <= 5 * MIB; size += size < 5000 ? 1 + size / 64 : size / 3) {
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 8; i++) {
                block[i] = i % 2 ? hak_calloc(1, size) : hak_calloc(size, 1);
                assert_true(engine_is_zero(block[i], size));
                memset(block[i], 0xff, hak_usable_size(block[i]));
            }
            for (int i = 0; i < 8; i++) hak_free(block[i]);
            if (round == 1) hak_tiny_magazine_flush_all();
        }
        if (size % 5 == 0) hak_collect();
    }
}

static void test_calloc_fast(void **state) {
    (void)state;
    check_calloc("fast");
}

static void test_calloc_checked(void **state) {
    (void)state;
    check_calloc("checked");
}

/* S4 with purges that fail: what they left is not zero. */
static void test_calloc_after_failed_purges(void **state) {
    (void)state;
    struct engine_random random = {77};
    static void *block[50];
    fake_page_fail(FAKE_BIT(FAKE_PURGE) | FAKE_BIT(FAKE_UNMAP), 1, FAKE_FOR_EVER);
    for (int round = 0; round < 40; round++) {
        for (size_t i = 0; i < 50; i++) {
            size_t size = engine_size(&random, 4 * MIB);
            block[i] = hak_calloc(1, size);
            assert_true(engine_is_zero(block[i], size));
            memset(block[i], 0xff, hak_usable_size(block[i]));
        }
        for (size_t i = 0; i < 50; i++) hak_free(block[i]);
        hak_collect();
    }
    assert_true(fake_page_failures() > 0);
}

static void test_overflow(void **state) {
    (void)state;
    static const size_t count[] = {SIZE_MAX, SIZE_MAX / 2 + 1, ((size_t)1 << 61) + 2, 1u << 31};
    void *old = hak_malloc(10);
    for (size_t i = 0; i < UNIT_COUNT(count); i++) {
        errno = 0;
        assert_null(hak_calloc(count[i], count[i] == 1u << 31 ? (size_t)1 << 33 : 8));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(hak_reallocarray(old, count[i], (size_t)1 << 40));
        assert_int_equal(errno, ENOMEM);
    }
    static const size_t size[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX, SIZE_MAX - 4096};
    for (size_t i = 0; i < UNIT_COUNT(size); i++) {
        errno = 0;
        assert_null(hak_malloc(size[i]));
        assert_null(hak_realloc(old, size[i]));
        assert_null(hak_calloc(1, size[i]));
        assert_null(hak_aligned_alloc(64, size[i]));
        assert_null(hak_memalign(1 << 20, size[i]));
        assert_null(hak_valloc(size[i]));
        assert_null(hak_pvalloc(size[i]));
        assert_int_equal(errno, ENOMEM);
    }
    hak_free(old);
}

/* ---- realloc --------------------------------------------------------------------------------- */

/* Between every two kinds of block, contents kept. */
static void check_realloc(unsigned failing) {
    static const size_t size[] = {1,       16,       100,      1024,    1025,    5000,
                                  32768,   32769,    100000,   MIB,     MIB + 1, 2 * MIB,
                                  5 * MIB, 31 * MIB, 33 * MIB, 40 * MIB};
    for (size_t i = 0; i < UNIT_COUNT(size); i++) {
        for (size_t j = 0; j < UNIT_COUNT(size); j++) {
            fake_page_fail(failing, 1, FAKE_FOR_EVER);
            unsigned char *block = hak_malloc(size[i]);
            size_t kept = hak_min_size(size[i], size[j]);
            engine_fill(block, kept, i * 100 + j);
            unsigned char *resized = hak_realloc(block, size[j]);
            assert_non_null(resized);
            assert_true(engine_intact(resized, kept, i * 100 + j));
            assert_true(hak_usable_size(resized) >= size[j]);
            engine_fill(resized, size[j], 3);
            hak_free(resized);
        }
    }
    fake_page_fail_never();
    engine_check_span();
    engine_check_heaps();
}

static void test_resized(void **state) {
    (void)state;
    fake_page_reuse(true);
    check_realloc(0);
    hak_tiny_magazine_flush_all();
    engine_check_empty();
}

static void test_realloc_without_mremap(void **state) {
    (void)state;
    fake_page_reuse(true);
    check_realloc(FAKE_BIT(FAKE_RESIZE) | FAKE_BIT(FAKE_MOVE));
    engine_check_census(NULL);
}

/* On failure the old block is untouched. */
static void test_realloc_without_memory(void **state) {
    (void)state;
    for (size_t size = 10; size < 60 * MIB; size *= 7) {
        void *block = hak_malloc(size);
        engine_fill(block, size, size);
        hak_tiny_magazine_flush_all();
        fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
        errno = 0;
        void *resized = hak_realloc(block, 300 * MIB);
        fake_page_fail_never();
        if (resized) continue; /* there was a place */
        assert_int_equal(errno, ENOMEM);
        assert_true(engine_intact(block, size, size));
        hak_free(block);
    }
}

/* Not moved: to what fits, unless half of it would be lost. */
static void test_realloc_in_place(void **state) {
    (void)state;
    void *block = hak_malloc(1000);
    for (size_t size = 1024; size >= 512; size -= 8)
        assert_ptr_equal(hak_realloc(block, size), block);
    assert_ptr_not_equal(hak_realloc(block, 100), block);
}

/* A block of 40 KiB, used, behind which the next units are in use; it is made larger by realloc. */
static void *grown(size_t size) {
    void *block = hak_malloc(40 * KIB), *behind = hak_malloc(40 * KIB);
    engine_fill(block, 40 * KIB, 1);
    void *moved = hak_realloc(block, size);
    assert_non_null(moved);
    assert_true(engine_intact(moved, 40 * KIB, 1));
    (void)behind;
    return moved;
}

/* A large block that can't grow where it is moves once, and never again. */
static void test_growing(void **state) {
    (void)state;
    void *block = grown(200 * KIB);
    assert_non_null(hak_huge_of(block));
    assert_int_equal(hak_usable_size(block), 200 * KIB);
    for (size_t size = 200 * KIB; size < 4 * MIB; size += size / 3) {
        engine_fill(block, size, size);
        assert_ptr_equal(hak_realloc(block, size + size / 3), block);
        assert_true(engine_intact(block, size, size));
    }
    hak_free(block);
    /* what it has become too large for goes where blocks of its size are */
    block = grown(900 * KIB);
    engine_fill(block, 100 * KIB, 7);
    assert_ptr_equal(hak_realloc(block, 600 * KIB), block);
    block = hak_realloc(block, 100 * KIB);
    assert_null(hak_huge_of(block));
    assert_true(engine_intact(block, 100 * KIB, 7));
    hak_free(block);
    engine_check_span();
    engine_check_census(NULL);
}

/* Few at a time; those above 1 MiB don't count. */
static void test_growing_blocks_are_few(void **state) {
    (void)state;
    enum { MANY = 60 };
    void *block[MANY];
    unsigned huge = 0;
    for (int i = 0; i < MANY; i++) {
        block[i] = grown(200 * KIB);
        huge += hak_huge_of(block[i]) != NULL;
    }
    assert_in_range(huge, 16, MANY - 1);
    assert_null(hak_huge_of(grown(200 * KIB)));
    block[0] = hak_realloc(block[0], 2 * MIB);
    assert_non_null(hak_huge_of(grown(200 * KIB)));
    assert_null(hak_huge_of(grown(200 * KIB)));
    hak_free(block[1]);
    assert_non_null(hak_huge_of(grown(200 * KIB)));
    /* without address space an ordinary one does */
    hak_free(block[2]);
    fake_page_fail(FAKE_BIT(FAKE_MAP), 1, FAKE_FOR_EVER);
    while (hak_malloc(3 * MIB)) continue;
    assert_null(hak_huge_of(grown(200 * KIB)));
    engine_check_census(NULL);
}

/* ---- Alignment ------------------------------------------------------------------------------- */

static void test_alignment(void **state) {
    (void)state;
    fake_page_reuse(true);
    static void *block[200];
    size_t count = 0;
    for (size_t alignment = 1; alignment <= (size_t)1 << 30; alignment *= 2) {
        for (size_t size = 0; size < 6 * MIB; size = size * 5 + 7) {
            void *one = hak_aligned_alloc(alignment, size);
            assert_non_null(one);
            assert_int_equal((uintptr_t)one % alignment, 0);
            assert_true(hak_usable_size(one) >= size);
            engine_fill(one, size, 9);
            if (count == UNIT_COUNT(block)) hak_free(block[--count]);
            block[count++] = one;
        }
    }
    while (count) hak_free(block[--count]);
    hak_tiny_magazine_flush_all();
    engine_check_empty();
}

static void test_page_sizes(void **state) {
    (void)state;
    fake_page_size(64 * KIB);
    for (size_t size = 0; size < 300 * KIB; size += 9999) {
        assert_int_equal((uintptr_t)hak_valloc(size) % (64 * KIB), 0);
        void *whole = hak_pvalloc(size);
        assert_int_equal((uintptr_t)whole % (64 * KIB), 0);
        assert_true(hak_usable_size(whole) >= hak_align_up(size ? size : 1, 64 * KIB));
    }
    assert_int_equal(hak_good_size(MIB + 1), MIB + 64 * KIB);
}

static void test_good_size(void **state) {
    (void)state;
    fake_page_reuse(true);
    for (size_t size = 0; size < 60 * MIB; size += 1 + size / 50) {
        void *block = hak_malloc(size);
        assert_int_equal(hak_usable_size(block), hak_good_size(size));
        hak_free(block);
    }
    assert_int_equal(hak_good_size(SIZE_MAX), SIZE_MAX);
}

/* ---- Pointers of another allocator ----------------------------------------------------------- */

static unsigned foreign_freed;

static bool foreign_free(void *pointer) {
    foreign_freed++;
    free(pointer);
    return true;
}

static bool foreign_realloc(void *pointer, size_t size, void **result) {
    *result = realloc(pointer, size);
    return true;
}

static bool foreign_usable(const void *pointer, size_t *bytes) {
    (void)pointer;
    *bytes = 77;
    return true;
}

static void test_foreign(void **state) {
    (void)state;
    static const struct hak_other_malloc other = {foreign_free, foreign_realloc, foreign_usable};
    atomic_store(&hak_slow_foreign, &other);
    char *theirs = malloc(100);
    strcpy(theirs, "theirs");
    assert_int_equal(hak_usable_size(theirs), 77);
    theirs = hak_realloc(theirs, 2000);
    assert_string_equal(theirs, "theirs");
    hak_free(theirs);
    assert_int_equal(foreign_freed, 1);
    struct hak_stats stats;
    engine_check_census(&stats);
    assert_int_equal(stats.free_foreign, 1);
    hak_free(hak_malloc(100));
    assert_int_equal(foreign_freed, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_calloc_fast),
        ISOLATED(test_calloc_checked),
        ISOLATED(test_calloc_after_failed_purges),
        ISOLATED(test_overflow),
        ISOLATED(test_resized),
        ISOLATED(test_realloc_without_mremap),
        ISOLATED(test_realloc_without_memory),
        ISOLATED(test_realloc_in_place),
        ISOLATED(test_growing),
        ISOLATED(test_growing_blocks_are_few),
        ISOLATED(test_alignment),
        ISOLATED(test_page_sizes),
        ISOLATED(test_good_size),
        ISOLATED(test_foreign),
    };
    return cmocka_run_group_tests_name("front/family", tests, NULL, NULL);
}
