/* SPDX-License-Identifier: MIT
 *
 * policy/steps.c: the arithmetic beside what theory says.
 */
#include "unit.h"

#include "policy/steps.h"

static const struct hak_steps_price price = {.fault_ns = 800, .hold_ms = 1000};

enum { PAGES = 512 };

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % bound;
}

static uint64_t least_cost(uint32_t gap) {
    uint64_t least = UINT64_MAX;
    for (unsigned step = 0; step < HAK_STEPS; step++) {
        uint64_t cost = hak_steps_cost(&price, step, PAGES, gap);
        if (cost < least) least = cost;
    }
    return least;
}

static void repeat(struct hak_steps *steps, uint32_t gap, int times) {
    while (times--) hak_steps_gap(steps, &price, PAGES, gap);
}

static void test_cost(void **state) {
    (void)state;
    const uint64_t fault = PAGES * 800;
    assert_int_equal(hak_steps_cost(&price, 0, PAGES, 1), fault + HAK_STEPS_CALL_NS);
    assert_int_equal(hak_steps_cost(&price, 0, PAGES, 0), 0); /* the next call found it there */
    assert_int_equal(hak_steps_cost(&price, 2, PAGES, 100), fault / 10);
    assert_int_equal(hak_steps_cost(&price, 2, PAGES, 101), fault / 10 + fault + HAK_STEPS_CALL_NS);
    assert_int_equal(hak_steps_cost(&price, 5, PAGES, 5000), 5 * fault);
    assert_int_equal(hak_steps_cost(&price, 3, PAGES, HAK_STEPS_NEVER),
                     2 * fault + HAK_STEPS_CALL_NS);
    /* The largest block, price and time stay within 64 bits. */
    const struct hak_steps_price dear = {.fault_ns = 1000000, .hold_ms = 1};
    assert_true(hak_steps_cost(&dear, 5, (size_t)1 << 20, HAK_STEPS_NEVER) >
                hak_steps_cost(&dear, 5, (size_t)1 << 19, HAK_STEPS_NEVER));
}

/* Keeping for as long as it costs a fault is at most twice as dear as knowing the gap. */
static void test_ski_rental(void **state) {
    (void)state;
    for (uint32_t gap = 0; gap < 100000; gap = gap * 21 / 20 + 1)
        assert_true(hak_steps_cost(&price, 3, PAGES, gap) <=
                    2 * least_cost(gap) + HAK_STEPS_CALL_NS);
}

/* Less than 8 % more than the least is as good as that. */
static void check_good(const struct hak_steps *steps, uint32_t gap) {
    uint64_t cost = hak_steps_cost(&price, steps->step, PAGES, gap);
    assert_true(cost <= least_cost(gap) + least_cost(gap) / 100 * 9);
}

/* For gaps that are alike it comes to a step that costs no more than any other. */
static void test_same_gaps(void **state) {
    (void)state;
    static const uint32_t gaps[] = {0, 5, 50, 500, 900, 1100, 5000, 60000, HAK_STEPS_NEVER};
    for (size_t i = 0; i < UNIT_COUNT(gaps); i++) {
        for (unsigned fixed = 0; fixed <= 3; fixed += 3) {
            struct hak_steps steps;
            hak_steps_init(&steps, fixed);
            repeat(&steps, gaps[i], 60);
            check_good(&steps, gaps[i]);
            assert_int_equal(steps.state, HAK_STEPS_LEARN);
            assert_true(steps.paid <= steps.fixed);
        }
    }
}

static void test_one_step_at_a_time(void **state) {
    (void)state;
    struct hak_steps steps;
    hak_steps_init(&steps, 0);
    for (unsigned gap = 0, before = 0; gap < 40; gap++, before = steps.step) {
        repeat(&steps, 500, 1);
        assert_true(steps.step - before <= 1);
        if (gap < 2) assert_int_equal(steps.step, 0); /* three in a row, the first at the third */
    }
    assert_int_equal(steps.step, 3);
    assert_int_equal(steps.moves, 3);
}

/* Gaps on both sides of what a step keeps don't make it go back and forth. */
static void test_quiet(void **state) {
    (void)state;
    struct hak_steps steps;
    hak_steps_init(&steps, 3);
    for (int i = 0; i < 1000; i++) repeat(&steps, i % 2 ? 900 : 1100, 1);
    assert_true(steps.moves <= 5);
}

/* Gaps of a mixture: what is paid comes near the best fixed step with hindsight. */
static void test_hindsight(void **state) {
    (void)state;
    static const uint32_t mixtures[][4] = {
        {1, 1, 1, 5000}, {20, 50, 70, 90}, {300, 2000, 4000, 30000}, {5, 5, 20000, 20000}};
    for (size_t m = 0; m < UNIT_COUNT(mixtures); m++) {
        struct hak_steps steps;
        uint64_t fixed[HAK_STEPS] = {0}, best = UINT64_MAX;
        hak_steps_init(&steps, 3);
        for (int i = 0; i < 2000; i++) {
            uint32_t gap = mixtures[m][random_below(4)];
            for (unsigned step = 0; step < HAK_STEPS; step++)
                fixed[step] += hak_steps_cost(&price, step, PAGES, gap);
            repeat(&steps, gap, 1);
        }
        for (unsigned step = 0; step < HAK_STEPS; step++)
            if (fixed[step] < best) best = fixed[step];
        assert_int_equal(steps.fixed, fixed[3]);
        assert_true(steps.paid < best + best / 4);
    }
}

/* The site changes half way, and so does the step. */
static void test_phases(void **state) {
    (void)state;
    struct hak_steps steps;
    hak_steps_init(&steps, 3);
    repeat(&steps, 20000, 50);
    check_good(&steps, 20000);
    repeat(&steps, 5, 100);
    check_good(&steps, 5);
    assert_int_equal(steps.state, HAK_STEPS_LEARN);
}

/* Gaps that are always what the step is worst for: the loss ends with a window. */
static void test_adversary(void **state) {
    (void)state;
    struct hak_steps steps;
    hak_steps_init(&steps, 3);
    for (int i = 0; i < 5000; i++) {
        uint32_t worst = 0;
        uint64_t loss = 0;
        for (uint32_t gap = 1; gap < 60000; gap = gap * 2 + 1) {
            uint64_t paid = hak_steps_cost(&price, steps.step, PAGES, gap);
            uint64_t fixed = hak_steps_cost(&price, 3, PAGES, gap);
            if (paid > fixed && paid - fixed > loss) {
                loss = paid - fixed;
                worst = gap;
            }
        }
        if (!worst) worst = steps.step == 3 ? 20000 : 1; /* lures it away */
        repeat(&steps, worst, 1);
    }
    assert_int_equal(steps.state, HAK_STEPS_FROZEN);
    assert_int_equal(steps.step, 3);
    assert_true(steps.paid < steps.fixed + steps.fixed / 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cost),      cmocka_unit_test(test_ski_rental),
        cmocka_unit_test(test_same_gaps), cmocka_unit_test(test_one_step_at_a_time),
        cmocka_unit_test(test_quiet),     cmocka_unit_test(test_hindsight),
        cmocka_unit_test(test_phases),    cmocka_unit_test(test_adversary),
    };
    return cmocka_run_group_tests_name("policy/steps", tests, NULL, NULL);
}
