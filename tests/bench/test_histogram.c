/* SPDX-License-Identifier: MIT
 *
 * bench/histogram.h: every value is in a bucket that is not far from it, and quantiles are right.
 */
#include "histogram.h"

#include <stdio.h>
#include <stdlib.h>

static void check(int good, const char *what, uint64_t value) {
    if (good) return;
    fprintf(stderr, "%s: %llu\n", what, (unsigned long long)value);
    exit(1);
}

/* The bucket's largest value is not below the value, and at most 1/64 above it. */
static void check_value(uint64_t value) {
    size_t index = histogram_index(value);
    check(index < HISTOGRAM_BUCKETS, "no bucket", value);
    uint64_t shown = histogram_value(index);
    check(shown >= value && shown - value <= value / 64, "bucket too far", value);
    check(histogram_index(shown) == index, "bucket has another index", value);
    check(shown == UINT64_MAX || histogram_index(shown + 1) == index + 1, "gap", value);
}

int main(void) {
    static struct histogram all, half;
    for (uint64_t value = 0; value < 100000; value++) check_value(value);
    for (unsigned bit = 17; bit < 64; bit++) {
        uint64_t power = (uint64_t)1 << bit;
        for (uint64_t near = 0; near < 3; near++) {
            check_value(power + near);
            check_value(power - near);
            check_value(power + power / 3 + near);
        }
    }
    check_value(UINT64_MAX);

    check(histogram_quantile(&all, 0.5) == 0, "an empty histogram", 0);
    for (uint64_t value = 1; value <= 1000; value++) histogram_add(value % 2 ? &all : &half, value);
    histogram_merge(&all, &half);
    check(all.count == 1000 && all.most == 1000, "merged", all.count);
    uint64_t median = histogram_quantile(&all, 0.5);
    check(median >= 500 && median <= 508, "median", median);
    check(histogram_quantile(&all, 1) == 1000, "largest", histogram_quantile(&all, 1));
    check(histogram_quantile(&all, 0) == 1, "smallest", histogram_quantile(&all, 0));
    return 0;
}
