/* SPDX-License-Identifier: MIT
 *
 * Medians and ratios of figures, and how far a ratio can be trusted.
 */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#define FIGURES_DRAWS   2000
#define FIGURES_OUTSIDE 0.05 /* of the draws, half of it at each side */

static int figures_order(const void *a, const void *b) {
    const double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

/* Sorts. */
static double figures_middle(double *values, size_t count) {
    qsort(values, count, sizeof *values, figures_order);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double figures_median(const double *values, size_t count) {
    if (count == 0) return COMPARE_NONE;
    double *copy = compare_alloc(count, sizeof *copy);
    memcpy(copy, values, count * sizeof *copy);
    const double median = figures_middle(copy, count);
    free(copy);
    return median;
}

double figures_spread(const double *values, size_t count) {
    double least = HUGE_VAL, most = -HUGE_VAL;
    for (size_t i = 0; i < count; i++) {
        least = fmin(least, values[i]);
        most = fmax(most, values[i]);
    }
    return count == 0 ? COMPARE_NONE : (most - least) / 2 / figures_median(values, count);
}

/* xorshift64: the same draws each time, so that the same figures have the same interval. */
static size_t figures_draw(uint64_t *state, size_t count) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (size_t)(*state % count);
}

struct figures_ratio figures_ratio(const double *ours, const double *theirs, size_t count) {
    struct figures_ratio result = {figures_median(ours, count) / figures_median(theirs, count),
                                   COMPARE_NONE, COMPARE_NONE};
    if (count < 2) return result;
    double *drawn = compare_alloc(FIGURES_DRAWS + 2 * count, sizeof *drawn);
    double *a = drawn + FIGURES_DRAWS, *b = a + count;
    uint64_t state = 0x9E3779B97F4A7C15;
    for (size_t draw = 0; draw < FIGURES_DRAWS; draw++) {
        for (size_t i = 0; i < count; i++) {
            const size_t round = figures_draw(&state,
                                              count); /* both of one round: see the header */
            a[i] = ours[round];
            b[i] = theirs[round];
        }
        drawn[draw] = figures_middle(a, count) / figures_middle(b, count);
    }
    qsort(drawn, FIGURES_DRAWS, sizeof *drawn, figures_order);
    const size_t outside = (size_t)(FIGURES_DRAWS * FIGURES_OUTSIDE / 2);
    result.low = drawn[outside];
    result.high = drawn[FIGURES_DRAWS - 1 - outside];
    free(drawn);
    return result;
}
