/* SPDX-License-Identifier: MIT
 *
 * policy/keep.c: how long freed huge blocks are kept, by the fixed policy and by what sites teach.
 */
#include "engine.h"

#include "large/bigcache.h"
#include "observe/site.h"
#include "policy/keep.h"

enum { SITE = 5 };

#define BELOW (6 * MIB)
#define ABOVE (100 * MIB)

static void learn(void) {
    assert_int_equal(hak_option_set("learn", "1"), 0);
}

/* A block is freed, and the site asks for the next one after a while. */
static uint32_t free_and_take(size_t bytes, uint32_t *now, uint32_t gap) {
    uint32_t keep = hak_keep_freed(SITE, bytes, *now);
    hak_keep_taken(SITE, *now += gap);
    return keep;
}

static void test_fixed(void **state) {
    (void)state;
    struct hak_steps steps;
    uint32_t now = 1;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(free_and_take(BELOW, &now, 20), HAK_BIGCACHE_USUAL);
        assert_int_equal(free_and_take(ABOVE, &now, 20), 0);
    }
    assert_false(hak_keep_read(SITE, &steps));
    assert_int_equal(hak_option_set("purge_delay_ms", "0"), 0);
    assert_int_equal(hak_keep_freed(SITE, BELOW, now), 0);
    assert_int_equal(hak_option_set("purge_delay_ms", "-1"), 0);
    assert_int_equal(hak_keep_freed(SITE, BELOW, now), HAK_BIGCACHE_USUAL);
    assert_int_equal(hak_keep_freed(SITE, ABOVE, now), 0);
}

/* Gaps of 20 ms: a block above 32 MiB is kept for 100 ms then. */
static void test_learns(void **state) {
    (void)state;
    struct hak_steps steps;
    uint32_t now = UINT32_MAX - 100; /* the clock goes round */
    learn();
    assert_int_equal(free_and_take(ABOVE, &now, 20), 0);
    for (int i = 0; i < 30; i++) free_and_take(ABOVE, &now, 20);
    assert_int_equal(free_and_take(ABOVE, &now, 20), 100);
    assert_true(hak_keep_read(SITE, &steps));
    assert_int_equal(steps.step, 2);
    assert_int_equal(steps.gaps, 32);
    assert_true(steps.paid < steps.fixed);
    assert_int_equal(hak_option_set("learn", "0"), 0);
    assert_int_equal(hak_keep_freed(SITE, ABOVE, now), 0); /* at once */
}

/* Blocks that are never followed by another one are not kept. */
static void test_never(void **state) {
    (void)state;
    uint32_t now = 1, keep = 0;
    learn();
    for (int i = 0; i < 60; i++) keep = hak_keep_freed(SITE, BELOW, now += 10);
    assert_true(keep <= 10); /* which is as good as not */
}

/* The last one freed is the first to be used again. */
static void test_order(void **state) {
    (void)state;
    struct hak_steps steps;
    learn();
    hak_keep_freed(SITE, BELOW, 100);
    hak_keep_freed(SITE, BELOW, 5100);
    hak_keep_taken(SITE, 5150); /* 50 ms */
    assert_true(hak_keep_read(SITE, &steps));
    assert_int_equal(steps.gaps, 1);
    assert_int_equal(steps.cost[2],
                     hak_steps_cost(&(struct hak_steps_price){800, 1000}, 2, BELOW / 4096, 50));
    hak_keep_taken(SITE, 5200); /* 5.1 s */
    hak_keep_taken(SITE, 5300); /* none waits */
    assert_true(hak_keep_read(SITE, &steps));
    assert_int_equal(steps.gaps, 2);
}

static void test_other_sites(void **state) {
    (void)state;
    struct hak_steps steps;
    learn();
    assert_int_equal(hak_keep_freed(0, BELOW, 1), HAK_BIGCACHE_USUAL); /* stands for many */
    assert_false(hak_keep_read(0, &steps));
    hak_keep_freed(SITE, BELOW, 1);
    hak_keep_taken(SITE + 1, 2);
    assert_true(hak_keep_read(SITE, &steps));
    assert_int_equal(steps.gaps, 0);
    assert_false(hak_keep_read(SITE + 1, &steps));
}

static void test_no_memory(void **state) {
    (void)state;
    learn();
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    for (uint16_t site = 1; site < 4000; site++)
        assert_int_equal(hak_keep_freed(site, BELOW, 1), HAK_BIGCACHE_USUAL);
}

static __attribute__((noinline)) void *churn(size_t size) {
    void *block = hak_malloc(size);
    assert_non_null(block);
    return block;
}

/* Through malloc and free: a buffer of 100 MiB that comes and goes is mapped a few times only. */
static void test_whole(void **state) {
    (void)state;
    learn();
    for (int i = 0; i < 200; i++) {
        char *block = churn(ABOVE);
        fake_clock_advance(3);
        block[0] = block[ABOVE - 1] = 1;
        hak_free(block);
        fake_clock_advance(30);
    }
    struct hak_stats stats;
    engine_check_census(&stats);
    assert_true(stats.os_mmap < 30);
    assert_true(stats.bigcache_hits > 150);
    assert_int_equal(stats.live, 0);
    assert_int_equal(stats.bigcache_bytes, hak_good_size(ABOVE));
    fake_clock_advance(5000);
    hak_free(churn(2 * MIB)); /* a call: what is over goes */
    engine_check_census(&stats);
    assert_true(stats.bigcache_bytes <= 4 * MIB);
    hak_collect();
    engine_check_empty();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_fixed), ISOLATED(test_learns),      ISOLATED(test_never),
        ISOLATED(test_order), ISOLATED(test_other_sites), ISOLATED(test_no_memory),
        ISOLATED(test_whole),
    };
    return cmocka_run_group_tests_name("policy/keep", tests, NULL, NULL);
}
