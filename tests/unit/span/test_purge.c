/* SPDX-License-Identifier: MIT
 *
 * span/purge.c: what is free and old enough goes back to the kernel, once; S4, P4.
 */
#include "engine.h"

#include "span/purge.h"
#include "span/region.h"
#include "span/superslab.h"

#include <string.h>

#define UNITS HAK_SUPERSLAB_UNITS
#define ALL   (~(uint32_t)0)

static size_t look(uint32_t now_ms, uint32_t age_ms) {
    return hak_purge_some(now_ms, age_ms, ALL);
}

/* A superslab in pieces with `count` free dirty units; its first one is in use. */
static struct hak_superslab *pieces(unsigned count) {
    unsigned first, rest;
    bool dirty;
    struct hak_superslab *superslab = hak_superslab_claim(UNITS, true, &first, &dirty);
    rest = UNITS - 1 - count;
    memset(superslab->base + HAK_UNIT_BYTES, 0xee, count * HAK_UNIT_BYTES);
    hak_superslab_release(superslab, 1, count, count);
    if (rest) hak_superslab_release(superslab, 1 + count, rest, 0);
    return superslab;
}

/* A free superslab with dirty units, among others that are in use. */
static struct hak_superslab *whole(void) {
    struct hak_superslab *superslab = hak_region_claim(1);
    memset(superslab->base, 0xee, HAK_UNIT_BYTES);
    atomic_store(&superslab->dirty_units, 1);
    return superslab;
}

static void test_age(void **state) {
    (void)state;
    struct hak_superslab *superslab = pieces(3);
    assert_int_equal(look(5000, 100), 0);
    assert_int_equal(look(5099, 100), 0);
    assert_int_equal(look(5100, 100), 3 * HAK_UNIT_BYTES);
    assert_int_equal(atomic_load(&superslab->dirty_units), 0);
    assert_int_equal(look(5100, 0), 0);
    assert_int_equal(fake_page_calls(FAKE_PURGE), 1);
}

/* However long nobody has looked: what was freed just before is young. */
static void test_first_look(void **state) {
    (void)state;
    pieces(1);
    assert_int_equal(look(1000, 100), 0);
    pieces(1); /* another one is freed, in the same superslab or not */
    assert_int_equal(look(900000, 100), HAK_UNIT_BYTES);
    assert_int_equal(look(900100, 100), HAK_UNIT_BYTES);
}

/* Low 32 bits of milliseconds go round every 49 days. */
static void test_clock_goes_round(void **state) {
    (void)state;
    pieces(1);
    assert_int_equal(look(UINT32_MAX - 10, 100), 0);
    assert_int_equal(look(20, 100), 0);
    assert_int_equal(look(90, 100), HAK_UNIT_BYTES);
    pieces(1);
    /* 0 says "not seen" elsewhere */
    assert_int_equal(look(0, 100), 0);
    assert_int_equal(look(101, 100), HAK_UNIT_BYTES);
}

/* Another thread may have read the clock later, and looked before: the superslab is young then, not
 * 49 days old. */
static void test_seen_by_a_thread_that_is_ahead(void **state) {
    (void)state;
    pieces(1);
    assert_int_equal(look(5001, 100), 0);
    assert_int_equal(look(5000, 100), 0);
}

static void test_age_zero_is_at_once(void **state) {
    (void)state;
    pieces(2);
    assert_int_equal(look(0, 0), 2 * HAK_UNIT_BYTES);
}

/* One superslab is old, its neighbour young, another one in use. */
static void test_young_ones_stay(void **state) {
    (void)state;
    struct hak_superslab *a = whole(), *b = whole(), *c = whole(), *d = pieces(1);
    (void)c;
    hak_region_release(a, 1);
    assert_int_equal(look(1000, 500), 0);
    hak_region_release(b, 1);
    unsigned first;
    bool dirty;
    struct hak_superslab *e = hak_superslab_claim(1, true, &first, &dirty); /* of d */
    assert_ptr_equal(e, d);
    hak_superslab_release(e, first, 1, 1);
    assert_true(look(1500, 500) > 0);
    assert_int_equal(atomic_load(&a->dirty_units), 0);
    assert_int_equal(atomic_load(&b->dirty_units), 1);
    assert_int_equal(b->base[0] & 0xff, 0xee);
    assert_true(look(2000, 500) > 0);
    assert_int_equal(atomic_load(&b->dirty_units), 0);
    assert_int_equal(atomic_load(&d->dirty_units), 0);
}

/* A look is bounded, and the next one goes on from there: every region has its turn. */
static void test_some_regions_at_a_time(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    enum { REGIONS = 5 };
    struct hak_superslab *superslab[REGIONS];
    for (unsigned i = 0; i < REGIONS; i++) {
        superslab[i] = whole();
        assert_int_equal(superslab[i]->region->index, i);
        while (atomic_load(&superslab[i]->region->free_slots)) hak_region_claim(1);
    }
    for (unsigned i = 0; i < REGIONS; i++) hak_region_release(superslab[i], 1);
    unsigned long calls = fake_page_calls(FAKE_PURGE);
    assert_true(hak_purge_some(0, 0, 2) > 0);
    assert_int_equal(fake_page_calls(FAKE_PURGE) - calls, 2);
    hak_purge_some(0, 0, 2);
    assert_int_equal(fake_page_calls(FAKE_PURGE) - calls, 4);
    hak_purge_some(0, 0, 2);
    assert_int_equal(fake_page_calls(FAKE_PURGE) - calls, 5);
    assert_int_equal(hak_purge_some(0, 0, 2), 0);
}

/* Free superslabs that are neighbours go back in one call; those in pieces run by run. */
static void test_calls_are_joined(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_superslab *one[6];
    for (int i = 0; i < 6; i++) one[i] = whole();
    for (int i = 0; i < 6; i++) {
        if (i != 3) hak_region_release(one[i], 1);
    }
    assert_true(look(0, 0) > 0);
    assert_int_equal(fake_page_calls(FAKE_PURGE), 2);
    assert_ptr_equal(fake_page_log(FAKE_PURGE, 1).start, one[0]->base);
    assert_int_equal(fake_page_log(FAKE_PURGE, 1).bytes, 3 * HAK_SUPERSLAB_BYTES);
    assert_ptr_equal(fake_page_log(FAKE_PURGE, 0).start, one[4]->base);
}

/* Allocated bits go with whole superslabs; not where nothing was cut since. */
static void test_bits_go_too(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_superslab *cut[2], *other = whole();
    for (int i = 0; i < 2; i++) cut[i] = pieces(UNITS - 1);
    assert_ptr_equal(cut[1], cut[0] + 1);
    for (int i = 0; i < 2; i++) hak_superslab_release(cut[i], 0, 1, 1);
    fake_page_fail(FAKE_BIT(FAKE_PURGE_META), 1, 1);
    assert_true(look(0, 0) > 0);
    assert_int_equal(fake_page_calls(FAKE_PURGE_META), 1); /* and it failed */
    struct hak_superslab *again = whole();
    assert_ptr_equal(again, cut[0]);
    hak_region_release(again, 1);
    hak_region_release(other, 1);
    assert_true(look(0, 0) > 0);
    assert_int_equal(fake_page_calls(FAKE_PURGE_META), 2);
    struct fake_entry purge = fake_page_log(FAKE_PURGE_META, 0);
    assert_ptr_equal(purge.start, other->meta);
    assert_int_equal(purge.bytes, 2 * sizeof(struct hak_meta));

    hak_region_release(whole(), 1);
    assert_true(look(0, 0) > 0);
    assert_int_equal(fake_page_calls(FAKE_PURGE), 3);
    assert_int_equal(fake_page_calls(FAKE_PURGE_META), 2);
}

/* P4: what fails stays dirty and is tried again by the next look. */
static void test_failure_is_tried_again(void **state) {
    (void)state;
    struct hak_superslab *a = whole(), *b = pieces(2);
    hak_region_release(a, 1);
    fake_page_fail(FAKE_BIT(FAKE_PURGE), 1, FAKE_FOR_EVER);
    assert_int_equal(look(0, 0), 0);
    assert_int_equal(fake_page_failures(), 2);
    assert_int_equal(atomic_load(&a->dirty_units), 1);
    assert_int_equal(atomic_load(&b->dirty_units), 6);
    assert_int_equal(look(0, 0), 0);
    assert_int_equal(fake_page_failures(), 4);
    fake_page_fail_never();
    assert_true(look(0, 0) > 0);
    assert_int_equal(atomic_load(&a->dirty_units) | atomic_load(&b->dirty_units), 0);
}

/* What is in use when a look comes is looked at when it is free again. */
static void test_freed_after_a_look(void **state) {
    (void)state;
    struct hak_superslab *a = whole(), *b = whole();
    hak_region_release(a, 1);
    struct hak_superslab *again = hak_region_claim(1);
    assert_ptr_equal(again, a);
    assert_int_equal(look(0, 0), 0); /* dirty, but claimed */
    hak_region_release(a, 1);
    hak_region_release(b, 1);
    look(0, 0);
    assert_int_equal(atomic_load(&a->dirty_units) | atomic_load(&b->dirty_units), 0);
}

static void test_all(void **state) {
    (void)state;
    struct hak_superslab *a = whole(), *b = pieces(4);
    hak_region_release(a, 1);
    assert_true(hak_purge_all() > 0);
    assert_true(fake_page_is_mapped(b->base, HAK_SUPERSLAB_BYTES));
    hak_superslab_release(b, 0, 1, 1);
    hak_purge_all();
    assert_int_equal(fake_page_mapped(HAK_PAGE_HEAP), 0);
    assert_int_equal(hak_purge_all(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_age),
        ISOLATED(test_first_look),
        ISOLATED(test_clock_goes_round),
        ISOLATED(test_seen_by_a_thread_that_is_ahead),
        ISOLATED(test_age_zero_is_at_once),
        ISOLATED(test_young_ones_stay),
        ISOLATED(test_some_regions_at_a_time),
        ISOLATED(test_calls_are_joined),
        ISOLATED(test_bits_go_too),
        ISOLATED(test_failure_is_tried_again),
        ISOLATED(test_freed_after_a_look),
        ISOLATED(test_all),
    };
    return cmocka_run_group_tests_name("span/purge", tests, NULL, NULL);
}
