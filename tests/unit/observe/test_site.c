/* SPDX-License-Identifier: MIT
 *
 * observe/site.c: what the table says of calls whose number and sizes are known.
 */
#include "engine.h"

#include "observe/site.h"
#include "slab/class.h"

#include <string.h>

#define SITE_NOINLINE __attribute__((noinline))

/* Two sites, each of which is called from one place, or it would be a wrapper.  What follows a call
 * keeps it from being a jump. */
#define SITE(name)                                        \
    static SITE_NOINLINE void *name##_call(size_t size) { \
        void *block = hak_malloc(size);                   \
        assert_non_null(block);                           \
        return block;                                     \
    }                                                     \
    static SITE_NOINLINE void *name(size_t size) {        \
        void *block = name##_call(size);                  \
        __asm__ volatile("" ::: "memory");                \
        return block;                                     \
    }

SITE(first_site)
SITE(second_site)

/* The only site that was entered since there were `before` of them. */
static struct hak_site *entered(uint32_t before) {
    assert_int_equal(hak_site_count(), before + 1);
    return &hak_site_table[before];
}

static uint64_t count_of(hak_count_t *counts, unsigned count) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++) sum += hak_counter_read(&counts[i]);
    return sum;
}

static uint64_t taken_of(struct hak_site *site) {
    return site->large ? count_of(site->large->taken, HAK_SITE_SIZES) : 0;
}

/* The first 16 of a size are counted at once, then up to 15 are left out; of very many, 63. */
static void test_large(void **state) {
    (void)state;
    const size_t size = 100 * KIB, bytes = hak_good_size(size);
    static void *block[48];
    for (unsigned i = 0; i < 48; i++) {
        block[i] = first_site(size);
        uint64_t taken = taken_of(entered(1));
        assert_true(i < 16 ? taken == i + 1 : taken <= i + 1 && taken + 15 >= i + 1);
    }
    struct hak_site *site = entered(1);
    assert_int_equal(taken_of(site), 48);
    assert_int_equal(site->large->taken[1], 48); /* 64 to 128 KiB */
    assert_int_equal(site->large->taken_bytes, 48 * bytes);
    for (unsigned i = 0; i < 48; i++) {
        hak_free(block[i]);
        uint64_t freed = site->large->freed;
        assert_true(freed <= i + 1 && freed + 15 >= i + 1);
    }
    assert_true(site->large->freed_bytes == site->large->freed * bytes);
    assert_int_equal(site->large->elsewhere, 0);
    assert_int_equal(site->blocks, 0);
    for (unsigned i = 48; i < 100000; i++) {
        hak_free(first_site(size));
        uint64_t taken = taken_of(site);
        assert_true(taken <= i + 1 && taken + 63 >= i + 1);
    }
}

static void test_two_sites(void **state) {
    (void)state;
    void *first = first_site(100 * KIB), *second = second_site(300 * KIB);
    assert_int_equal(hak_site_count(), 3);
    assert_int_equal(hak_site_table[1].large->taken[1], 1);
    assert_int_equal(hak_site_table[2].large->taken[3], 1);
    hak_free(second);
    assert_int_equal(hak_site_table[1].large->freed, 0);
    assert_int_equal(hak_site_table[2].large->freed_bytes, hak_good_size(300 * KIB));
    hak_free(first);
    assert_int_equal(hak_site_table[1].large->freed, 1);
}

static void test_huge(void **state) {
    (void)state;
    static const size_t sizes[] = {2 * MIB, 5 * MIB, 40 * MIB};
    size_t bytes = 0;
    for (unsigned i = 0; i < 3; i++) {
        void *block = first_site(sizes[i]);
        bytes += sizes[i];
        assert_int_equal(entered(1)->large->taken_bytes, bytes);
        fake_clock_advance(5);
        hak_free(block);
        assert_int_equal(entered(1)->large->freed_bytes, bytes);
    }
    assert_int_equal(entered(1)->large->life[2], 3); /* 4 to 16 ms */
}

/* A block that grows stays its site's. */
static void test_resized(void **state) {
    (void)state;
    char *block = first_site(2 * MIB);
    struct hak_site *site = entered(1);
    block = hak_realloc(block, 50 * MIB);
    assert_int_equal(site->large->resized, 1);
    assert_int_equal(site->large->taken_bytes - site->large->freed_bytes, 50 * MIB);
    block = hak_realloc(block, 50 * MIB);
    assert_int_equal(site->large->resized, 1);
    hak_free(block);
    assert_int_equal(site->large->taken_bytes, site->large->freed_bytes);

    block = first_site(100 * KIB);
    block = hak_realloc(block, 200 * KIB);
    assert_int_equal(site->large->resized, 2);
    assert_int_equal(site->large->taken_bytes - site->large->freed_bytes, hak_good_size(200 * KIB));
    hak_free(block);
    assert_int_equal(site->large->taken_bytes, site->large->freed_bytes);
}

static void test_times(void **state) {
    (void)state;
    fake_clock_set(1000);
    void *block = first_site(100 * KIB);
    struct hak_site *site = entered(1);
    fake_clock_advance(20);
    hak_free(block);
    assert_int_equal(site->large->life[3], 1); /* 16 to 64 ms */
    fake_clock_advance(3000);
    block = first_site(100 * KIB);
    assert_int_equal(site->large->gap[6], 1); /* 1 to 4 s */
    hak_free(block);
    assert_int_equal(count_of(site->large->life, HAK_SITE_TIMES), 1);
    hak_free(first_site(100 * KIB));
    assert_int_equal(site->large->life[0], 1);
    fake_clock_advance((uint64_t)1 << 30);
    first_site(100 * KIB);
    assert_int_equal(site->large->gap[HAK_SITE_TIMES - 1], 1);
    assert_int_equal(count_of(site->large->gap, HAK_SITE_TIMES), 2);
}

/* Late calls are not all looked at, but those that are have their gap. */
static void test_times_of_many(void **state) {
    (void)state;
    for (unsigned i = 0; i < 16 + 64; i++) {
        hak_free(first_site(100 * KIB));
        fake_clock_advance(2);
    }
    struct hak_site *site = entered(1);
    uint64_t lives = count_of(site->large->life, HAK_SITE_TIMES);
    assert_in_range(lives, 8 + 3, 8 + 5);
    assert_int_equal(site->large->life[0], lives);
    assert_in_range(site->large->gap[1], lives - 1, lives);
    assert_true(taken_of(site) + 15 >= 80 && taken_of(site) <= 80);
}

static void test_freed_elsewhere(void **state) {
    (void)state;
    static struct fake_thread first, second;
    fake_thread_switch(&first);
    void *block[3];
    for (int i = 0; i < 3; i++) block[i] = first_site(100 * KIB);
    fake_thread_switch(&second);
    for (int i = 0; i < 3; i++) hak_free(block[i]);
    struct hak_site *site = entered(1);
    assert_int_equal(site->large->freed, 3);
    assert_int_equal(site->large->elsewhere, 3);
    assert_int_equal(count_of(site->large->life, HAK_SITE_TIMES), 3);
}

/* Blocks of a heap's cells that count something else now are not lost. */
static void test_many_sizes(void **state) {
    (void)state;
    enum { ROUNDS = 100 };
    static const size_t sizes[] = {40 * KIB, 60 * KIB, 100 * KIB, 150 * KIB, 300 * KIB, MIB};
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned s = 0; s < 6; s++) hak_free(first_site(sizes[s]));
        for (unsigned s = 0; s < 6; s++) hak_free(second_site(sizes[s]));
    }
    for (unsigned number = 1; number <= 2; number++) {
        uint64_t taken = taken_of(&hak_site_table[number]);
        uint64_t freed = hak_site_table[number].large->freed;
        assert_true(taken <= 6 * ROUNDS && taken + 6 * 15 >= 6 * ROUNDS);
        assert_true(freed <= 6 * ROUNDS && freed + 6 * 15 >= 6 * ROUNDS);
    }
}

/* Refills tell what was asked for, but for what is in the magazine. */
static void test_small(void **state) {
    (void)state;
    enum { MANY = 20000 };
    for (int i = 0; i < MANY; i++) {
        first_site(64);
        if (i % 4 == 0) second_site(64);
    }
    uint64_t first = hak_site_table[1].blocks, second = hak_site_table[2].blocks;
    assert_int_equal(hak_site_count(), 3);
    assert_true(first + second >= MANY + MANY / 4);
    assert_true(first + second <= MANY + MANY / 4 + 2 * 64);
    assert_in_range(first, MANY / 2, MANY + MANY / 4);
    assert_int_equal(hak_site_table[1].bytes, first * 64);
    assert_null(hak_site_table[1].large);
}

static void refilled(uintptr_t address, uint32_t blocks) {
    hak_site_refilled((const void *)address, 1, blocks);
}

/* Every place in the table is used, then site 0 counts; all are found again. */
static void test_full(void **state) {
    (void)state;
    enum { MANY = HAK_SITES + 1000 };
    for (int round = 0; round < 2; round++) {
        for (uintptr_t i = 1; i <= MANY; i++) refilled(i << 4, 1);
    }
    assert_int_equal(hak_site_count(), HAK_SITES);
    uint64_t sum = 0;
    unsigned twice = 0;
    for (unsigned i = 0; i < HAK_SITES; i++) {
        sum += hak_site_table[i].blocks;
        twice += i && hak_site_table[i].blocks == 2;
    }
    assert_int_equal(sum, 2 * MANY);
    assert_true(twice > HAK_SITES - HAK_SITES / 16);
    assert_in_range(hak_site_table[0].blocks, 2000, 2000 + HAK_SITES / 8);
    uint64_t rest = hak_site_table[0].blocks;
    refilled(0, 7);
    assert_int_equal(hak_site_table[0].blocks, rest);
}

/* Without memory for its numbers a site's large blocks are counted for site 0. */
static void test_no_memory(void **state) {
    (void)state;
    hak_free(first_site(16)); /* a heap */
    void *block = first_site(100 * KIB);
    hak_free(block);
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    for (int i = 0; i < 2000; i++) hak_free(second_site(100 * KIB));
    fake_page_fail_never();
    engine_check_census(NULL);
}

/* The other ways to allocate know who has called them. */
static void test_family(void **state) {
    (void)state;
    const size_t size = 200 * KIB;
    void *block[6] = {hak_malloc(size),        hak_calloc(1, size),
                      hak_realloc(NULL, size), hak_aligned_alloc(4096, size),
                      hak_memalign(64, size),  hak_valloc(size)};
    void *aligned;
    assert_int_equal(hak_posix_memalign(&aligned, 4096, size), 0);
    block[2] = hak_realloc(block[2], 40 * MIB); /* moves: a block of this call's */
    assert_int_equal(hak_site_count(), 1 + 8);
    for (uint32_t i = 1; i < hak_site_count(); i++) {
        uintptr_t distance = hak_site_table[i].address - (uintptr_t)test_family;
        assert_true(distance < 4096);
    }
    for (int i = 0; i < 6; i++) hak_free(block[i]);
    hak_free(aligned);
}

static void test_first_class_heap(void **state) {
    (void)state;
    struct hak_heap *heap = hak_heap_new();
    void *block = hak_heap_malloc(heap, 100 * KIB);
    struct hak_site *site = entered(1);
    assert_int_equal(taken_of(site), 1);
    hak_free(block);
    assert_int_equal(site->large->freed, 1);
    for (int i = 0; i < 3; i++) assert_non_null(hak_heap_malloc(heap, 3 * MIB));
    hak_heap_destroy(heap);
    uint64_t taken = 0, freed = 0;
    for (uint32_t i = 1; i < hak_site_count(); i++) {
        taken += hak_site_table[i].large->taken_bytes;
        freed += hak_site_table[i].large->freed_bytes;
    }
    assert_int_equal(taken, freed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_large),
        ISOLATED(test_two_sites),
        ISOLATED(test_huge),
        ISOLATED(test_resized),
        ISOLATED(test_times),
        ISOLATED(test_times_of_many),
        ISOLATED(test_freed_elsewhere),
        ISOLATED(test_many_sizes),
        ISOLATED(test_small),
        ISOLATED(test_full),
        ISOLATED(test_no_memory),
        ISOLATED(test_family),
        ISOLATED(test_first_class_heap),
    };
    return cmocka_run_group_tests_name("observe/site", tests, NULL, NULL);
}
