/* SPDX-License-Identifier: MIT
 *
 * tools/compare/figures.c: medians, spreads, ratios and their intervals.
 */
#include "../../tools/compare/compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NEAR 1e-12

static void assert_near(double expected, double value) {
    assert_true(fabs(expected - value) < NEAR);
}

static void test_median(void **state) {
    (void)state;
    const double values[] = {5, 1, 4, 2, 3};
    assert_near(3, figures_median(values, 5));
    assert_near(3, figures_median(values, 4)); /* of 5 1 4 2: between 2 and 4 */
    assert_near(5, figures_median(values, 1));
    assert_true(isnan(figures_median(values, 0)));
    assert_near(5, values[0]); /* they stay in order */
}

static void test_spread(void **state) {
    (void)state;
    const double values[] = {9, 10, 11}, same[] = {7, 7};
    assert_near(0.1, figures_spread(values, 3));
    assert_near(0, figures_spread(same, 2));
    assert_true(isnan(figures_spread(values, 0)));
}

static void test_ratio_of_equals(void **state) {
    (void)state;
    const double ours[] = {2, 2, 2}, theirs[] = {4, 4, 4};
    const struct figures_ratio ratio = figures_ratio(ours, theirs, 3);
    assert_near(0.5, ratio.ratio);
    assert_near(0.5, ratio.low);
    assert_near(0.5, ratio.high);
}

static void test_one_round(void **state) {
    (void)state;
    const double ours[] = {3}, theirs[] = {2};
    const struct figures_ratio ratio = figures_ratio(ours, theirs, 1);
    assert_near(1.5, ratio.ratio);
    assert_true(isnan(ratio.low) && isnan(ratio.high));
}

/* What slows both down in a round does not widen the interval. */
static void test_rounds_belong_together(void **state) {
    (void)state;
    const double ours[] = {1, 10, 100, 1000, 10000}, theirs[] = {2, 20, 200, 2000, 20000};
    const struct figures_ratio ratio = figures_ratio(ours, theirs, 5);
    assert_near(0.5, ratio.low);
    assert_near(0.5, ratio.high);
}

static void test_interval_holds_the_ratio(void **state) {
    (void)state;
    double ours[20], theirs[20];
    for (int i = 0; i < 20; i++) {
        ours[i] = 90 + (i * 7) % 20;     /* 90 to 109 */
        theirs[i] = 190 + (i * 11) % 20; /* 190 to 209 */
    }
    const struct figures_ratio ratio = figures_ratio(ours, theirs, 20);
    assert_near(99.5 / 199.5, ratio.ratio);
    assert_true(ratio.low < ratio.ratio && ratio.ratio < ratio.high);
    assert_true(ratio.low > 90.0 / 209 && ratio.high < 109.0 / 190);
}

static void test_the_same_figures_have_the_same_interval(void **state) {
    (void)state;
    const double ours[] = {1, 3, 2, 5}, theirs[] = {2, 2, 4, 3};
    const struct figures_ratio first = figures_ratio(ours, theirs, 4);
    const struct figures_ratio second = figures_ratio(ours, theirs, 4);
    assert_true(first.low == second.low && first.high == second.high);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_ratio_of_equals),
        cmocka_unit_test(test_one_round),
        cmocka_unit_test(test_rounds_belong_together),
        cmocka_unit_test(test_interval_holds_the_ratio),
        cmocka_unit_test(test_the_same_figures_have_the_same_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
