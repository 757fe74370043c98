/* SPDX-License-Identifier: MIT
 *
 * span/thp.c: huge pages are taken in a large heap, where they are not dearer than small ones, and
 * tried again where they are.
 */
#include "engine.h"

#include "base/counter.h"
#include "config/option.h"
#include "span/purge.h"
#include "span/region.h"
#include "span/thp.h"

enum { LARGE = 100 }; /* superslabs of a large heap */

static void option(const char *value) {
    assert_int_equal(hak_option_set("thp", value), 0);
}

/* A superslab is taken while so many are in use.  True: it has got a huge page. */
static bool take_beside(uint32_t dense) {
    return hak_thp_touch(hak_region_claim(1)->base, dense);
}

static bool take(void) {
    return take_beside(LARGE);
}

/* How many of `count` superslabs get a huge page. */
static unsigned take_many(unsigned count) {
    unsigned huge = 0;
    while (count--) huge += take();
    return huge;
}

/* So many attempts are made while `seconds` pass, with ten superslabs a second. */
static unsigned attempts(unsigned seconds) {
    unsigned before = fake_touch_calls();
    for (unsigned i = 0; i < seconds; i++) {
        fake_clock_advance(1000);
        take_many(10);
    }
    return fake_touch_calls() - before;
}

static void test_small_heap(void **state) {
    (void)state;
    fake_touch_costs(1000, 100000);
    for (int i = 0; i < 100; i++) {
        fake_clock_advance(1000);
        assert_false(take_beside(1));
    }
    assert_int_equal(fake_touch_calls(), 0);
}

/* Not in its first second: an attempt may take long. */
static void test_cheap(void **state) {
    (void)state;
    fake_touch_costs(1000, 100000);
    assert_int_equal(take_many(64), HAK_STRESS ? 62 : 0);
    fake_clock_advance(1000);
    assert_false(take()); /* a sample of small pages */
    assert_int_equal(take_many(63), 63);
    assert_false(take());
    assert_int_equal(take_many(63), 63);
    assert_int_equal(hak_counter_read(&hak_counters.superslabs_huge), HAK_STRESS ? 188 : 126);
}

static void test_dear(void **state) {
    (void)state;
    fake_touch_costs(1000, 15000000); /* which is lost then: 14.5 ms */
    take();
    assert_in_range(attempts(100), 100 / 2, 150);
    fake_touch_costs(1000, 500000000);
    assert_in_range(attempts(1000), 1000 / 40, 1000 / 30);
}

/* Where they were dear they are found to be cheap, and the other way round. */
static void test_changes(void **state) {
    (void)state;
    fake_touch_costs(100, 10000000);
    take();
    attempts(100);
    fake_touch_costs(1000, 100000);
    attempts(100);
    assert_int_equal(take_many(640), 630);
    fake_touch_costs(1000, 5000000);
    assert_int_equal(take_many(640), 1);
}

/* The kernel knows no such advice; or takes it, and gives a small page. */
static void test_refused(void **state) {
    (void)state;
    fake_touch_costs(1000, 0);
    take();
    assert_in_range(attempts(100), 10, HAK_STRESS ? 1000 : 100);
    fake_touch_costs(1000, 3000);
    assert_in_range(attempts(100), 10, HAK_STRESS ? 1000 : 100);
    assert_int_equal(hak_counter_read(&hak_counters.superslabs_huge), 0);
}

static void test_options(void **state) {
    (void)state;
    fake_touch_costs(1000, 100000);
    option("never");
    assert_int_equal(take_many(200), 0);
    option("always");
    fake_touch_costs(1000, 5000000);
    assert_int_equal(take_many(200), 200);
    assert_true(take_beside(0));
}

static void test_tight(void **state) {
    (void)state;
    fake_touch_costs(1000, 100000);
    take_many(2);
    fake_clock_advance(1000);
    atomic_store(&hak_purge_tight, true);
    assert_int_equal(take_many(200), 0);
    atomic_store(&hak_purge_tight, false);
    assert_int_equal(take_many(62), 62);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_small_heap), ISOLATED(test_cheap),   ISOLATED(test_dear),
        ISOLATED(test_changes),    ISOLATED(test_refused), ISOLATED(test_options),
        ISOLATED(test_tight),
    };
    return cmocka_run_group_tests_name("span/thp", tests, NULL, NULL);
}
