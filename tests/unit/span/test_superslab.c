/* SPDX-License-Identifier: MIT
 *
 * span/superslab.c: claiming and releasing units; S2 (one owner), S3 (empty superslabs go back to
 * their region), S4 (a clean unit reads as zeros).
 */
#include "engine.h"

#include "base/bits.h"
#include "base/counter.h"
#include "span/map.h"
#include "span/purge.h"
#include "span/region.h"
#include "span/superslab.h"

#include <string.h>

#define UNITS HAK_SUPERSLAB_UNITS

struct run {
    struct hak_superslab *superslab;
    unsigned first, count;
    bool dirty;
};

static char *base_of(const struct run *run) {
    return hak_superslab_unit_base(run->superslab, run->first);
}

static struct run claim(unsigned count) {
    struct run run = {.count = count};
    run.superslab = hak_superslab_claim(count, true, &run.first, &run.dirty);
    assert_non_null(run.superslab);
    assert_true(run.first + count <= UNITS);
    assert_int_equal(atomic_load(&run.superslab->kind), HAK_SUPERSLAB_PIECES);
    uint32_t mask = (uint32_t)hak_bits_run(run.first, count);
    assert_int_equal(atomic_load(&run.superslab->free_units) & mask, 0);
    if (!run.dirty) assert_true(engine_is_zero(base_of(&run), count * HAK_UNIT_BYTES)); /* S4 */
    return run;
}

/* Gives a run back, the first `written` units of it written to. */
static void release(struct run run, unsigned written) {
    for (unsigned i = 0; i < written; i++) memset(base_of(&run) + i * HAK_UNIT_BYTES, 0xee, 100);
    hak_superslab_release(run.superslab, run.first, run.count, written);
}

/* The hint that there are `count` units in a row. */
static _Atomic uint64_t *roomy(const struct hak_superslab *superslab, unsigned count) {
    return &superslab->region->roomy_slots[count - 1];
}

static bool is_roomy(const struct hak_superslab *superslab, unsigned count) {
    return atomic_load(roomy(superslab, count)) >> superslab->slot & 1;
}

static void test_lowest_first(void **state) {
    (void)state;
    struct run run[UNITS];
    for (unsigned i = 0; i < UNITS; i++) {
        run[i] = claim(1);
        assert_int_equal(run[i].first, i);
        assert_ptr_equal(run[i].superslab, run[0].superslab);
        for (unsigned count = 1; count < UNITS - i; count++) {
            assert_true(
                is_roomy(run[0].superslab, count)); /* a hint may be stale, but not missing */
        }
    }
    assert_true(claim(1).superslab == run[0].superslab + 1);
    release(run[7], 0);
    release(run[3], 0);
    assert_true(is_roomy(run[0].superslab, 1));
    assert_int_equal(claim(1).first, 3);
    assert_int_equal(claim(1).first, 7);
    claim(1);
    assert_false(is_roomy(run[0].superslab, 1)); /* looked at in vain */
}

/* Every length, with every length of rest. */
static void test_runs_of_every_length(void **state) {
    (void)state;
    for (unsigned first = 1; first <= UNITS; first++) {
        for (unsigned second = 1; second <= UNITS; second++) {
            struct run a = claim(first), b = claim(second);
            assert_int_equal(a.first, 0);
            assert_int_equal(b.superslab == a.superslab, first + second <= UNITS);
            assert_int_equal(b.first, first + second <= UNITS ? first : 0);
            release(a, 0);
            release(b, 0);
            assert_int_equal(atomic_load(&a.superslab->kind), HAK_SUPERSLAB_FREE);
            assert_int_equal(atomic_load(&a.superslab->free_units), 0);
        }
    }
    assert_int_equal(hak_region_count(), 1);
}

/* Each of the 2^31 orders would do; a few thousand random ones are tried. */
static void test_empty_superslab_goes_back(void **state) {
    (void)state;
    struct engine_random random = {7};
    for (int round = 0; round < 300; round++) {
        struct run run[UNITS];
        unsigned runs = 0;
        for (unsigned left = UNITS; left; left -= run[runs++].count) {
            run[runs] = claim(1 + (unsigned)engine_below(&random, left < 9 ? left : 9));
            assert_ptr_equal(run[runs].superslab, run[0].superslab);
        }
        uint64_t empty = hak_counter_read(&hak_counters.superslabs_empty);
        struct hak_superslab *superslab = run[0].superslab;
        while (runs) {
            assert_int_equal(hak_counter_read(&hak_counters.superslabs_empty), empty);
            size_t at = engine_below(&random, runs);
            release(run[at], 0);
            run[at] = run[--runs];
        }
        assert_int_equal(hak_counter_read(&hak_counters.superslabs_empty), empty + 1);
        assert_int_equal(atomic_load(&superslab->region->free_slots) & 1, 1);
    }
}

static void test_dirtiness(void **state) {
    (void)state;
    struct run holder = claim(1), a = claim(4), b = claim(4);
    assert_false(a.dirty || b.dirty);
    release(a, 2);
    assert_int_equal(atomic_load(&a.superslab->dirty_units), 3u << a.first);
    struct run c = claim(2), d = claim(2);
    assert_true(c.dirty);
    assert_false(d.dirty);
    assert_int_equal(c.first, a.first);
    release(d, 0);
    /* A unit stays dirty while it is claimed and released unwritten. */
    release(c, 0);
    assert_int_equal(atomic_load(&a.superslab->dirty_units), 3u << a.first);
    struct run e = claim(3); /* half dirty is dirty */
    assert_true(e.dirty);
    release(e, 3);
    release(b, 4);
    release(holder, 0);
    /* ... and over the time that the whole superslab is free. */
    assert_int_equal(atomic_load(&a.superslab->dirty_units), 0x1ee);
    assert_true(atomic_load(&a.superslab->region->dirty_slots) & 1);
    assert_false(claim(1).dirty);
    assert_true(claim(1).dirty);
}

static void test_purge_of_mixed_runs(void **state) {
    (void)state;
    struct run run[UNITS];
    for (unsigned i = 0; i < UNITS; i++) run[i] = claim(1);
    struct hak_superslab *superslab = run[0].superslab;
    /* free and dirty: 1 2 3, 5, 8 9; free and clean: 4, 10; the others in use */
    for (unsigned i = 1; i <= 10; i++) {
        if (i != 6 && i != 7) release(run[i], i != 4 && i != 10);
    }
    memset(base_of(&run[6]), 0x66, 100);
    unsigned long purges = fake_page_calls(FAKE_PURGE);
    assert_int_equal(hak_superslab_purge(superslab), 6 * HAK_UNIT_BYTES);
    assert_int_equal(fake_page_calls(FAKE_PURGE) - purges, 3);
    assert_int_equal(fake_page_log(FAKE_PURGE, 0).bytes, 2 * HAK_UNIT_BYTES);
    assert_ptr_equal(fake_page_log(FAKE_PURGE, 0).start, base_of(&run[8]));
    assert_int_equal(atomic_load(&superslab->dirty_units), 0);
    assert_int_equal(atomic_load(&superslab->free_units), 0x73e);
    assert_int_equal(base_of(&run[6])[0], 0x66);
    assert_true(engine_is_zero(base_of(&run[1]), 5 * HAK_UNIT_BYTES));
    assert_int_equal(hak_superslab_purge(superslab), 0);
    assert_int_equal(fake_page_calls(FAKE_PURGE) - purges, 3);
}

/* S4 and P4: what could not be purged stays dirty, and is purged later. */
static void test_purge_fails(void **state) {
    (void)state;
    struct run holder = claim(1), a = claim(3), b = claim(1), c = claim(2);
    (void)holder;
    release(a, 3);
    release(c, 2);
    fake_page_fail(FAKE_BIT(FAKE_PURGE), 1, 1);
    assert_int_equal(hak_superslab_purge(a.superslab), 2 * HAK_UNIT_BYTES);
    assert_int_equal(atomic_load(&a.superslab->dirty_units), 7u << a.first);
    struct run again = claim(1);
    assert_true(again.dirty);
    assert_int_equal(again.first, a.first);
    struct run clean = claim(4); /* claim() itself looks whether it reads as zeros */
    assert_false(clean.dirty);
    release(b, 1);
    assert_int_equal(hak_superslab_purge(a.superslab), 3 * HAK_UNIT_BYTES);
}

/* Units that follow others: all of them, or none. */
static void test_claim_at(void **state) {
    (void)state;
    struct run a = claim(3), b = claim(2), c = claim(1);
    release(b, 1);
    _Atomic uint32_t *units = &a.superslab->free_units;
    uint32_t free = atomic_load(units);
    assert_false(hak_superslab_claim_at(a.superslab, 2, 2));
    assert_false(hak_superslab_claim_at(a.superslab, 3, 3));
    assert_false(hak_superslab_claim_at(a.superslab, UNITS - 1, 2));
    assert_false(hak_superslab_claim_at(a.superslab, UNITS, 1));
    assert_int_equal(atomic_load(units), free);
    assert_true(hak_superslab_claim_at(a.superslab, 3, 2));
    assert_false(hak_superslab_claim_at(a.superslab, 4, 1));
    assert_true(hak_superslab_claim_at(a.superslab, 6, UNITS - 6));
    assert_int_equal(atomic_load(units), 0);
    release(b, 2);
    assert_int_equal(atomic_load(units), 0x18);
    (void)c;
}

/* Purging the last used part of a superslab, so to speak: it can become free while it is purged. */
static void test_whole_superslab_purged_in_pieces(void **state) {
    (void)state;
    struct run a = claim(UNITS);
    release(a, UNITS); /* free as a whole: nothing here to purge */
    assert_int_equal(hak_superslab_purge(a.superslab), 0);
    assert_int_equal(atomic_load(&a.superslab->region->free_slots) & 1, 1);
}

enum { CUT = 200 };

/* Superslabs with one free unit each; from CUT on, with two in a row. */
static void cut_up(struct run run[][2], int count) {
    for (int i = 0; i < count; i++) {
        run[i][0] = claim(i < CUT ? UNITS - 1 : UNITS - 2);
        run[i][1] = claim(i < CUT ? 1 : 2);
    }
    for (int i = 0; i < count; i++) {
        release(run[i][1], 1);
        atomic_fetch_or(roomy(run[i][0].superslab, 2), (uint64_t)1 << run[i][0].superslab->slot);
    }
}

/* A search does not look into superslabs that were found not to have such a run. */
static void test_search_goes_on(void **state) {
    (void)state;
    static struct run run[CUT + 1][2];
    cut_up(run, CUT + 1);
    unsigned whole = 0;
    while (claim(2).superslab != run[CUT][0].superslab) whole++; /* after some looks in vain */
    assert_in_range(whole, 1, 8);
    for (int i = 0; i < CUT; i++) assert_false(is_roomy(run[i][0].superslab, 2));
    for (int i = 1; i <= CUT; i++) release(run[i][0], 0);
}

/* Without memory for a whole superslab, all of the others are looked into. */
static void test_search_to_the_end(void **state) {
    (void)state;
    static struct run run[CUT + 1][2];
    cut_up(run, CUT + 1);
    while (hak_region_claim(1)->region == run[0][0].superslab->region) {
    }
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    while (hak_region_claim(1)) {
    }
    assert_ptr_equal(claim(2).superslab, run[CUT][0].superslab);
    unsigned first;
    bool dirty;
    assert_null(hak_superslab_claim(2, true, &first, &dirty));
    for (int i = 0; i < CUT; i++) claim(1);
    assert_null(hak_superslab_claim(1, true, &first, &dirty));
}

/* A hint that is wrong costs a look, and is put right. */
static void test_stale_hints(void **state) {
    (void)state;
    struct run a = claim(UNITS), b = claim(UNITS);
    atomic_fetch_or(roomy(a.superslab, 5), 3);
    struct run c = claim(5);
    assert_ptr_not_equal(c.superslab, a.superslab);
    assert_ptr_not_equal(c.superslab, b.superslab);
    assert_false(is_roomy(a.superslab, 5) || is_roomy(b.superslab, 5));
    release(a, 0);
    atomic_fetch_or(roomy(a.superslab, 5), 1); /* a free one now */
    assert_ptr_equal(claim(5).superslab, c.superslab);
    assert_false(is_roomy(a.superslab, 5));
    /* A missing one is repaired by the next unit freed there. */
    struct run d = claim(1);
    atomic_fetch_and(roomy(d.superslab, 1), ~((uint64_t)1 << d.superslab->slot));
    release(d, 0);
    assert_true(is_roomy(d.superslab, 1));
}

static void test_without_memory(void **state) {
    (void)state;
    unsigned first;
    bool dirty;
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    assert_null(hak_superslab_claim(1, true, &first, &dirty));
    fake_page_fail_never();
    struct run a = claim(20);
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    claim(12); /* what is there can be had */
    release(a, 20);
    claim(20);
}

/* A dense superslab is touched as one huge page, and counts as dirty; when it was purged, again. */
static void test_huge_page(void **state) {
    (void)state;
    unsigned first;
    bool dirty;
    assert_int_equal(hak_option_set("thp", "always"), 0);
    fake_touch_costs(1000, 100000);
    assert_non_null(hak_superslab_claim(UNITS, false, &first, &dirty));
    assert_int_equal(fake_touch_calls(), 0);
    struct run a = claim(UNITS), b = claim(3);
    assert_int_equal(fake_touch_calls(), 2);
    assert_ptr_equal(fake_touch_last(), b.superslab->base);
    assert_true(a.dirty && b.dirty);
    assert_int_equal(hak_purge_all(), (UNITS - 3) * HAK_UNIT_BYTES); /* what was not used */
    assert_int_equal(atomic_load(&b.superslab->dirty_units), 7);
    release(a, 1);
    claim(UNITS); /* there it is still */
    assert_int_equal(fake_touch_calls(), 2);
    release(a, 1);
    hak_purge_some(1000, 500, 9); /* sees it */
    hak_purge_all();
    a = claim(2);
    assert_ptr_equal(a.superslab, b.superslab);
    struct run c = claim(UNITS - 3); /* where a was */
    assert_int_equal(fake_touch_calls(), 3);
    assert_int_equal(hak_purge_some(5000, 1000, 9), 0); /* it is young */
    assert_int_equal(hak_purge_some(6000, 1000, 9), 3 * HAK_UNIT_BYTES);
    release(c, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_lowest_first),
        ISOLATED(test_runs_of_every_length),
        ISOLATED(test_empty_superslab_goes_back),
        ISOLATED(test_dirtiness),
        ISOLATED(test_purge_of_mixed_runs),
        ISOLATED(test_purge_fails),
        ISOLATED(test_claim_at),
        ISOLATED(test_whole_superslab_purged_in_pieces),
        ISOLATED(test_search_goes_on),
        ISOLATED(test_search_to_the_end),
        ISOLATED(test_stale_hints),
        ISOLATED(test_without_memory),
        ISOLATED(test_huge_page),
    };
    return cmocka_run_group_tests_name("span/superslab", tests, NULL, NULL);
}
