/* SPDX-License-Identifier: MIT
 *
 * policy/bound.c: when memory counts as tight, by what the fakes say is used; and what the engine
 * does then.
 */
#include "engine.h"

#include "heap/heap.h"
#include "policy/bound.h"
#include "policy/release.h"
#include "span/purge.h"

#define MOST UINT64_MAX

static uint64_t now;

static void set(const char *name, const char *value) {
    assert_int_equal(hak_option_set(name, value), 0);
}

static void start(void) {
    now = 100000;
    fake_clock_set(now);
    fake_helper_allow(false, false, false);
    assert_non_null(hak_malloc(16));
}

static void later(uint64_t ms) {
    now += ms;
    fake_clock_advance(ms);
}

/* So much is resident: is that seen to be too much, a second later? */
static bool tight_at(size_t mib) {
    fake_usage_resident(mib * MIB);
    later(1000);
    bool found = hak_bound_look(now, false);
    assert_int_equal(found, hak_purge_is_tight());
    return found;
}

static void tick(void) {
    struct hak_heap *heap = hak_heap_enter(&hak_tls);
    hak_release_tick(heap);
    hak_heap_leave(&hak_tls);
}

static void test_no_bound(void **state) {
    (void)state;
    start();
    set("limit_mb", "0");
    assert_false(tight_at(1000000));
    assert_int_equal(fake_usage_asked(), 0);
}

/* Above the target; and then until there is an eighth less. */
static void test_lean_target(void **state) {
    (void)state;
    start();
    set("limit_mb", "0");
    set("ss_mem_lean", "1");
    set("ss_mem_lean_target_mb", "80");
    assert_false(tight_at(80));
    assert_true(tight_at(81));
    assert_true(tight_at(71));
    assert_false(tight_at(70));
    assert_false(tight_at(80));
    assert_true(tight_at(100));
    set("ss_mem_lean", "0");
    assert_false(tight_at(100));
}

static void test_own_limit(void **state) {
    (void)state;
    start();
    set("limit_mb", "800");
    assert_false(tight_at(700));
    assert_true(tight_at(701));
    set("limit_mb", "0");
    assert_false(tight_at(701));
}

static void test_nothing_known(void **state) {
    (void)state;
    start();
    set("ss_mem_lean", "1");
    assert_false(tight_at(0));
}

/* A process that has mapped little does not ask. */
static void test_group(void **state) {
    (void)state;
    start();
    fake_usage_group(800 * MIB, 750 * MIB, 0);
    assert_false(tight_at(0));
    assert_int_equal(fake_usage_asked(), 0);
    void *much = hak_malloc(100 * MIB);
    assert_true(tight_at(0));
    fake_usage_group(800 * MIB, 610 * MIB, 0);
    assert_false(tight_at(0));
    fake_usage_group(800 * MIB, 610 * MIB, 1000); /* its tasks wait */
    assert_true(tight_at(0));
    fake_usage_group(MOST, 610 * MIB, 1000);
    later(20000); /* it is looked for again now and then */
    assert_false(tight_at(0));
    hak_free(much);
}

/* The bound that leaves less room counts. */
static void test_two_bounds(void **state) {
    (void)state;
    start();
    set("ss_mem_lean", "1");
    set("ss_mem_lean_target_mb", "500");
    set("limit_mb", "400");
    assert_false(tight_at(350));
    assert_true(tight_at(351));
    set("limit_mb", "4000");
    assert_false(tight_at(430));
    assert_false(tight_at(500));
    assert_true(tight_at(501));
}

/* Seldom where there is much room, often where there is little; who has grown does not wait. */
static void test_how_often(void **state) {
    (void)state;
    start();
    set("limit_mb", "800");
    assert_false(tight_at(10));
    unsigned asked = fake_usage_asked();
    later(500);
    hak_bound_look(now, false);
    assert_int_equal(fake_usage_asked(), asked);
    hak_bound_look(now, true);
    assert_int_equal(fake_usage_asked(), asked + 1);
    hak_bound_look(now, true);
    assert_int_equal(fake_usage_asked(), asked + 1);
    assert_false(tight_at(600));
    asked = fake_usage_asked();
    later(10);
    hak_bound_look(now, false);
    assert_int_equal(fake_usage_asked(), asked + 1);
}

/* ---- What is done ---------------------------------------------------------------------------- */

static void litter(void) {
    static void *block[4000];
    for (unsigned i = 0; i < 4000; i++) block[i] = hak_malloc(1000);
    for (unsigned i = 0; i < 4000; i++) hak_free(block[i]);
}

static void test_tight_gives_back(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* nothing is kept anyway */
    start();
    set("limit_mb", "0");
    litter();
    assert_true(hak_purge_dirty() >= 2 * MIB);
    set("ss_mem_lean", "1");
    fake_usage_resident(100 * MIB);
    later(1000);
    tick();
    tick();
    assert_true(hak_purge_is_tight());
    assert_true(hak_purge_dirty() < MIB);
    hak_free(hak_malloc(3 * MIB)); /* is not kept */
    struct hak_stats stats;
    engine_check_census(&stats);
    assert_int_equal(stats.bigcache_bytes, 0);
    litter();
    later(10);
    tick();
    assert_true(hak_purge_dirty() < MIB);
    unsigned class = hak_class_of(1000);
    assert_true(hak_tls.heap->cold[class].capacity <= 8);
    engine_check_heaps();
}

/* A process that grows looks before the next tick. */
static void test_growth(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    start();
    set("limit_mb", "0");
    set("ss_mem_lean", "1");
    fake_usage_resident(100 * MIB);
    later(1000);
    assert_false(hak_purge_is_tight());
    void *block = hak_malloc(20 * MIB);
    assert_true(hak_purge_is_tight());
    hak_free(block);
}

static void test_decommit_off(void **state) {
    (void)state;
    start();
    set("ss_mem_lean", "1");
    set("ss_mem_lean_decommit", "off");
    fake_usage_resident(100 * MIB);
    litter();
    unsigned long purges = fake_page_calls(FAKE_PURGE);
    later(5000);
    tick();
    tick();
    assert_int_equal(fake_page_calls(FAKE_PURGE), purges);
    hak_collect(); /* the program's own word counts */
    assert_true(fake_page_calls(FAKE_PURGE) > purges);
}

/* Offered once; what is offered is not taken for zeros. */
static void test_decommit_free(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    start();
    set("ss_mem_lean", "1");
    set("ss_mem_lean_decommit", "free");
    fake_usage_resident(100 * MIB);
    litter();
    unsigned long offers = fake_page_calls(FAKE_OFFER);
    for (unsigned i = 0; i < 5; i++) {
        later(1000);
        tick();
    }
    assert_true(fake_page_calls(FAKE_OFFER) > offers);
    assert_true(hak_purge_dirty() >= 2 * MIB);
    offers = fake_page_calls(FAKE_OFFER);
    for (unsigned i = 0; i < 5; i++) {
        later(1000);
        tick();
    }
    assert_int_equal(fake_page_calls(FAKE_OFFER), offers);
    litter();
    char *zeros = hak_calloc(1, 100000);
    assert_true(engine_is_zero(zeros, 100000));
}

static void test_hard_limit(void **state) {
    (void)state;
    start();
    set("limit_hard_mb", "64");
    void *half = hak_malloc(30 * MIB), *block;
    assert_non_null(half);
    errno = 0;
    assert_null(hak_malloc(40 * MIB));
    assert_int_equal(errno, ENOMEM);
    assert_null(hak_realloc(half, 70 * MIB));
    size_t count = 0;
    while ((block = hak_malloc(100000))) count++;
    assert_int_equal(errno, ENOMEM);
    assert_true(count >= 200 && count < 340);
    hak_free(half);
    assert_non_null(hak_malloc(100000));
    set("limit_hard_mb", "0");
    assert_non_null(hak_malloc(100 * MIB));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_no_bound),      ISOLATED(test_lean_target),
        ISOLATED(test_own_limit),     ISOLATED(test_nothing_known),
        ISOLATED(test_group),         ISOLATED(test_two_bounds),
        ISOLATED(test_how_often),     ISOLATED(test_tight_gives_back),
        ISOLATED(test_growth),        ISOLATED(test_decommit_off),
        ISOLATED(test_decommit_free), ISOLATED(test_hard_limit),
    };
    return cmocka_run_group_tests_name("policy/bound", tests, NULL, NULL);
}
