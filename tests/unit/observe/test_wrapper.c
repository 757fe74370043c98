/* SPDX-License-Identifier: MIT
 *
 * observe/wrapper.c: what a wrapper allocates counts for those that call it.
 */
#include "engine.h"

#include "observe/wrapper.h"
#include "os/unwind.h"

#include <string.h>

#define NOINLINE __attribute__((noinline))

/* What follows a call keeps it from being a jump. */
#define AFTER_CALL() __asm__ volatile("" ::: "memory")

/* The ways to allocate, each a wrapper. */
#define WRAPPER(name, call)                   \
    static NOINLINE void *name(size_t size) { \
        void *block = (call);                 \
        assert_non_null(block);               \
        return block;                         \
    }

WRAPPER(by_malloc, hak_malloc(size))
WRAPPER(by_calloc, hak_calloc(1, size))
WRAPPER(by_realloc, hak_realloc(NULL, size))
WRAPPER(by_growth, hak_realloc(hak_malloc(40 * KIB), size))
WRAPPER(by_alignment, hak_aligned_alloc(64, size))
WRAPPER(by_wrapper, by_malloc(size))

typedef void *wrapper_function(size_t size);

/* Places that call one. */
#define PLACE(name)                                                      \
    static NOINLINE void *name(wrapper_function *wrapper, size_t size) { \
        void *block = wrapper(size);                                     \
        AFTER_CALL();                                                    \
        return block;                                                    \
    }

PLACE(place_1)
PLACE(place_2)
PLACE(place_3)
PLACE(place_4)

typedef void *place_function(wrapper_function *wrapper, size_t size);

static place_function *const places[] = {place_1, place_2, place_3, place_4};

/* The only one that calls the places, or they would be wrappers. */
static NOINLINE void *take_at(unsigned place, wrapper_function *wrapper, size_t size) {
    void *block = places[place](wrapper, size);
    AFTER_CALL();
    return block;
}

/* Is there a way to find callers here? */
static void need_tables(void) {
    if (!hak_unwind_find((uintptr_t)__builtin_return_address(0)).known) skip(); /* old libc */
}

/* What every site has taken, by number. */
static uint64_t taken(uint32_t number) {
    const struct hak_site *site = &hak_site_table[number];
    uint64_t sum = 0;
    for (unsigned i = 0; site->large && i < HAK_SITE_SIZES; i++)
        sum += hak_counter_read(&site->large->taken[i]);
    return sum;
}

/* The number of the site that a place is: of which many calls there have been counted. */
static uint32_t site_of(unsigned place, wrapper_function *wrapper, size_t size) {
    enum { CALLS = 200 };
    uint64_t before[64];
    uint32_t count = hak_site_count(), found = 0;
    for (uint32_t i = 1; i < count; i++) before[i] = taken(i);
    for (unsigned i = 0; i < CALLS; i++) hak_free(take_at(place, wrapper, size));
    for (uint32_t i = 1; i < count; i++) {
        if (taken(i) - before[i] < CALLS / 2) continue;
        assert_int_equal(found, 0);
        found = i;
    }
    return found;
}

/* From all places, in no order: not every call is looked at. */
static void call_often(wrapper_function *wrapper, size_t size, unsigned calls) {
    uint32_t random = 1;
    for (unsigned i = 0; i < calls; i++) {
        random = random * 1664525 + 1013904223;
        hak_free(take_at(random >> 30, wrapper, size));
    }
}

/* After some calls from each place the wrapper is known. */
static void check_wrapper(wrapper_function *wrapper, size_t size) {
    call_often(wrapper, size, 1000);
    uint32_t site[4];
    for (unsigned i = 0; i < 4; i++) {
        site[i] = site_of(i, wrapper, size);
        assert_int_not_equal(site[i], 0);
        for (unsigned other = 0; other < i; other++) assert_int_not_equal(site[i], site[other]);
        uintptr_t address = hak_site_table[site[i]].address;
        assert_in_range(address, (uintptr_t)places[i], (uintptr_t)places[i] + 200);
    }
    engine_check_census(NULL);
}

static void test_large(void **state) {
    (void)state;
    need_tables();
    check_wrapper(by_malloc, 100 * KIB);
}

static void test_huge(void **state) {
    (void)state;
    need_tables();
    check_wrapper(by_malloc, 3 * MIB);
}

/* Through frames of the library's own. */
static void test_family(void **state) {
    (void)state;
    need_tables();
    check_wrapper(by_calloc, 100 * KIB);
    check_wrapper(by_calloc, 3 * MIB);
    check_wrapper(by_realloc, 100 * KIB);
    check_wrapper(by_growth, 100 * KIB);
    check_wrapper(by_growth, 3 * MIB);
    check_wrapper(by_alignment, 100 * KIB);
}

static void test_wrapped_twice(void **state) {
    (void)state;
    need_tables();
    call_often(by_malloc, 100 * KIB, 1000);
    check_wrapper(by_wrapper, 100 * KIB);
}

/* Nothing is lost while it turns out to be one, and nothing counted twice. */
static void test_sum(void **state) {
    (void)state;
    enum { CALLS = 1000 };
    call_often(by_malloc, 100 * KIB, CALLS);
    uint64_t sum = 0;
    for (uint32_t i = 1; i < hak_site_count(); i++) sum += taken(i);
    assert_in_range(sum, CALLS - 4 * 15, CALLS);
}

/* Nor of a size that was asked for once, before it was known. */
static void test_sum_of_two(void **state) {
    (void)state;
    enum { CALLS = 1000 };
    hak_free(take_at(0, by_malloc, 300 * KIB));
    call_often(by_malloc, 100 * KIB, CALLS);
    hak_free(take_at(1, by_malloc, 300 * KIB));
    uint64_t sum = 0;
    for (uint32_t i = 1; i < hak_site_count(); i++) {
        sum += taken(i);
        if (hak_site_table[i].large) assert_in_range(hak_site_table[i].large->taken[3], 0, 2);
    }
    assert_in_range(sum, CALLS - 4 * 15, CALLS + 2);
}

/* Blocks up to 32 KiB count for the callers, too. */
static void test_small(void **state) {
    (void)state;
    need_tables();
    enum { CALLS = 20000 };
    uint32_t random = 1;
    for (unsigned i = 0; i < CALLS; i++) {
        random = random * 1664525 + 1013904223;
        take_at(random >> 30, by_malloc, 64);
    }
    assert_int_equal(hak_site_count(), 1 + 1 + 4);
    uint64_t wrapped = hak_site_table[1].blocks, sum = 0;
    for (unsigned i = 2; i < 6; i++) {
        assert_true(hak_site_table[i].blocks > CALLS / 8);
        sum += hak_site_table[i].blocks;
    }
    assert_true(wrapped < CALLS / 10);
    assert_in_range(sum + wrapped, CALLS, CALLS + 64);
}

/* Two callers make no wrapper, however often they call. */
static void test_no_wrapper(void **state) {
    (void)state;
    for (unsigned i = 0; i < 1000; i++) hak_free(take_at(i & 1, by_malloc, i & 2 ? MIB : 2 * MIB));
    assert_int_equal(hak_site_count(), 2);
}

/* A third one that comes late is seen, too. */
static void test_late(void **state) {
    (void)state;
    need_tables();
    for (unsigned i = 0; i < 1000; i++) hak_free(take_at(0, by_malloc, 2 * MIB));
    assert_int_equal(hak_site_count(), 2);
    for (unsigned i = 0; i < 400; i++) hak_free(take_at(i % 3, by_malloc, 2 * MIB));
    assert_int_equal(hak_site_count(), 2 + 3);
}

/* Of an address that is nowhere on the stack nothing is found, and nothing read. */
static void test_elsewhere(void **state) {
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        uintptr_t address = 0;
        assert_int_equal(hak_wrapper_site(HAK_CALL((const void *)state), true, &address), 1);
        assert_ptr_equal(address, state);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_large),         ISOLATED(test_huge),       ISOLATED(test_family),
        ISOLATED(test_wrapped_twice), ISOLATED(test_sum),        ISOLATED(test_sum_of_two),
        ISOLATED(test_small),         ISOLATED(test_no_wrapper), ISOLATED(test_late),
        ISOLATED(test_elsewhere),
    };
    return cmocka_run_group_tests_name("observe/wrapper", tests, NULL, NULL);
}
