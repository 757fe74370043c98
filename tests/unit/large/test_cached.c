/* SPDX-License-Identifier: MIT
 *
 * large/cached.c: which blocks come back, and how much is kept.
 */
#include "engine.h"

#include "large/bigcache.h"
#include "large/cached.h"

#include <string.h>

enum { SITE = 3, OTHER = 4, KEEP = 1000 };

static struct hak_superslab *take(size_t size, uint16_t site) {
    bool zeroed = false;
    struct hak_superslab *huge = hak_cached_alloc(size, 16, site, &zeroed);
    assert_non_null(huge);
    assert_true(huge->huge_bytes >= size);
    assert_int_equal(huge->site, site);
    assert_ptr_equal(hak_huge_of(huge->base), huge);
    assert_true(fake_page_is_mapped(huge->base, huge->huge_bytes));
    if (zeroed) assert_true(engine_is_zero(huge->base, 256 * KIB));
    memset(huge->base, 0xee, 4096);
    huge->base[huge->huge_bytes - 1] = 0x33;
    return huge;
}

/* All from one size to 4 MiB have each other's places; above, those of as many superslabs. */
static void test_same_place(void **state) {
    (void)state;
    static const struct {
        size_t first, second;
        bool same;
    } cases[] = {
        {MIB + 1, 4 * MIB, true},        {4 * MIB, MIB + 1, true},     {5 * MIB, 6 * MIB, true},
        {4 * MIB, 4 * MIB + 1, false},   {32 * MIB, 31 * MIB, true},   {33 * MIB, 36 * MIB, true},
        {36 * MIB, 36 * MIB + 1, false}, {100 * MIB, 103 * MIB, true},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct hak_superslab *first = take(cases[i].first, SITE);
        void *base = first->base;
        uint64_t hits = hak_bigcache_stats().hits;
        hak_cached_free(first, 0, KEEP);
        assert_null(hak_huge_of(base));
        struct hak_superslab *second = take(cases[i].second, SITE);
        assert_int_equal(hak_bigcache_stats().hits - hits, cases[i].same);
        if (cases[i].same) assert_ptr_equal(second->base, base);
        hak_cached_free(second, 0, 0);
        hak_cached_collect();
        engine_check_span();
        engine_check_census(NULL);
    }
    engine_check_empty();
}

/* What another site frees is not for this one; nor is it once it has expired. */
static void test_sites_and_time(void **state) {
    (void)state;
    for (int large = 0; large < 2; large++) {
        size_t size = large ? 64 * MIB : 6 * MIB;
        uint32_t now = 1000000 * (1 + (uint32_t)large);
        hak_cached_expire(now); /* a window begins */
        hak_cached_free(take(size, OTHER), now, KEEP);
        uint64_t hits = hak_bigcache_stats().hits;
        hak_cached_free(take(size, SITE), now, KEEP);
        assert_int_equal(hak_bigcache_stats().hits, hits);
        hak_cached_free(take(size, SITE), now, KEEP);
        assert_int_equal(hak_bigcache_stats().hits, hits + 1);
        for (uint32_t ms = 20; ms < KEEP; ms += 20) hak_cached_expire(now + ms);
        assert_true(hak_bigcache_bytes() > 0);
        hak_cached_expire(now + KEEP);
        assert_int_equal(hak_bigcache_bytes(), 0);
        engine_check_census(NULL);
    }
    engine_check_empty();
}

/* Blocks in use and in the cache are at most what was in use at the most, or 8 MiB more. */
static void test_budget(void **state) {
    (void)state;
    static struct hak_superslab *huge[8];
    struct engine_random random = {5};
    size_t live = 0, most = 0;
    fake_page_reuse(true);
    for (int step = 0; step < 1000; step++) {
        size_t i = engine_below(&random, 8);
        if (huge[i]) {
            live -= huge[i]->huge_bytes;
            hak_cached_free(huge[i], 0, UINT32_MAX);
            huge[i] = NULL;
        } else {
            huge[i] = take(MIB + 1 + engine_below(&random, 50 * MIB),
                           (uint16_t)(1 + engine_below(&random, 3)));
            live += huge[i]->huge_bytes;
            if (live > most) most = live;
        }
        size_t bound = most > live + 8 * MIB ? most : live + 8 * MIB;
        assert_true(live + hak_bigcache_bytes() <= bound);
    }
    assert_true(hak_bigcache_stats().hits > 10);
    engine_check_span();
    engine_check_census(NULL);
    for (int i = 0; i < 8; i++)
        if (huge[i]) hak_cached_free(huge[i], 0, UINT32_MAX);
    assert_true(hak_bigcache_bytes() > 8 * MIB);
    for (uint32_t second = 1; second < 60; second++) hak_cached_expire(second * 1000);
    assert_true(hak_bigcache_bytes() <= 8 * MIB); /* it was long ago */
}

/* What a place held before counts, too, as long as it may be resident. */
static void test_budget_of_reused_places(void **state) {
    (void)state;
    struct hak_superslab *huge = take(4 * MIB, SITE);
    hak_cached_free(huge, 0, KEEP);
    assert_int_equal(hak_bigcache_bytes(), 4 * MIB);
    assert_ptr_equal(take(MIB + 1, SITE), huge);
    hak_cached_free(huge, 0, KEEP);
    assert_int_equal(hak_bigcache_bytes(), 4 * MIB);
    hak_cached_collect();
    engine_check_empty();
    /* one that it has not to the last byte is not rounded up */
    huge = take(MIB + 4096, SITE);
    hak_cached_free(huge, 0, KEEP);
    assert_int_equal(hak_bigcache_bytes(), MIB + 4096);
}

/* Small blocks are given the memory of cached ones, and no other. */
static void test_yields(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* purges at once */
    struct hak_stats before, after;
    void *huge[8];
    for (int i = 0; i < 8; i++) huge[i] = hak_malloc(3 * MIB);
    for (int i = 0; i < 8; i++) hak_free(huge[i]);
    engine_check_census(&before);
    assert_int_equal(before.bigcache_bytes, 8 * 3 * MIB);
    for (int i = 0; i < 200; i++) hak_malloc(64 * KIB); /* 12.5 MiB, of 32 that are there */
    engine_check_census(&after);
    assert_int_equal(after.mapped, before.mapped);
    assert_true(after.bigcache_evicted >= 3);
    assert_true(after.bigcache_bytes >= 3 * MIB);
    assert_true(after.free_dirty + after.live >= 8 * 3 * MIB);
    engine_check_span();
}

static void test_zeros(void **state) {
    (void)state;
    bool zeroed = true;
    hak_cached_free(take(6 * MIB, SITE), 0, KEEP);
    struct hak_superslab *huge = hak_cached_alloc(6 * MIB, 16, SITE, &zeroed);
    assert_false(zeroed);
    assert_int_equal(hak_bigcache_stats().hits, 1);
    hak_cached_free(huge, 0, 0);
    hak_cached_free(take(64 * MIB, SITE), 0, KEEP);
    zeroed = true;
    huge = hak_cached_alloc(64 * MIB, 16, SITE, &zeroed);
    assert_true(zeroed);
    assert_int_equal(hak_bigcache_stats().hits, 1);
    assert_true(engine_is_zero(huge->base, huge->huge_bytes));
    hak_cached_free(huge, 0, 0);
}

/* Places of another shape than their size has usually. */
static void test_not_cached(void **state) {
    (void)state;
    bool zeroed = false;
    struct hak_superslab *huge = hak_cached_alloc(3 * MIB, 4 * MIB, SITE, &zeroed);
    hak_cached_free(huge, 0, KEEP); /* has no room for what else is of its class */
    assert_int_equal(hak_bigcache_bytes(), 0);
    huge = take(64 * MIB, SITE);
    size_t bytes = huge->huge_bytes;
    huge = hak_huge_resize(huge, 64 * MIB + 4096);
    hak_cached_resized(bytes, huge->huge_bytes);
    hak_cached_free(huge, 0, KEEP);
    assert_int_equal(hak_bigcache_bytes(), 0);
    huge = take(64 * MIB, SITE);
    huge = hak_huge_resize(huge, 80 * MIB); /* a usual size */
    hak_cached_resized(64 * MIB, 80 * MIB);
    hak_cached_free(huge, 0, KEEP);
    assert_int_equal(hak_bigcache_bytes(), 80 * MIB);
    assert_int_equal(hak_cached_round(64 * MIB + 1), 72 * MIB);
    assert_int_equal(hak_cached_round(6 * MIB + 1), 6 * MIB + 4096);
    hak_cached_collect();
    engine_check_empty();
}

/* Without memory for a rounded size the size itself will do. */
static void test_address_space(void **state) {
    (void)state;
    take(2 * MIB, SITE); /* keeps its region */
    fake_page_limit(fake_page_mapped(HAK_PAGE_HEAP) + fake_page_mapped(HAK_PAGE_META) + 66 * MIB);
    bool zeroed = false;
    struct hak_superslab *huge = hak_cached_alloc(65 * MIB, 16, SITE, &zeroed);
    assert_non_null(huge);
    assert_int_equal(huge->huge_bytes, 65 * MIB);
    hak_cached_free(huge, 0, KEEP);
    assert_int_equal(hak_bigcache_bytes(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_same_place), ISOLATED(test_sites_and_time),
        ISOLATED(test_budget),     ISOLATED(test_budget_of_reused_places),
        ISOLATED(test_yields),     ISOLATED(test_zeros),
        ISOLATED(test_not_cached), ISOLATED(test_address_space),
    };
    return cmocka_run_group_tests_name("large/cached", tests, NULL, NULL);
}
