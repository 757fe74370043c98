/* SPDX-License-Identifier: MIT
 *
 * Optimal string alignment, three rows at a time.
 */
#include "config/nearest.h"

#include <limits.h>
#include <string.h>

static unsigned nearest_min(unsigned a, unsigned b) {
    return a < b ? a : b;
}

unsigned hak_nearest_distance(struct hak_slice from, struct hak_slice to) {
    const char *a = from.start, *b = to.start;
    unsigned char rows[3][HAK_NEAREST_BYTES];
    if (from.length >= HAK_NEAREST_BYTES || to.length >= HAK_NEAREST_BYTES) return UINT_MAX;

    unsigned char *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= to.length; j++) above[j] = (unsigned char)j;
    memset(before, 0, sizeof rows[0]);

    for (size_t i = 1; i <= from.length; i++) {
        row[0] = (unsigned char)i;
        for (size_t j = 1; j <= to.length; j++) {
            unsigned best = above[j - 1] + (a[i - 1] != b[j - 1] ? 1u : 0u);
            best = nearest_min(best, nearest_min(above[j] + 1u, row[j - 1] + 1u));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                best = nearest_min(best, before[j - 2] + 1u);
            }
            row[j] = (unsigned char)best;
        }
        unsigned char *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[to.length];
}

void hak_nearest_start(struct hak_nearest *search, struct hak_slice wanted) {
    search->wanted = wanted;
    search->distance = (wanted.length < 6 ? 1 : (unsigned)wanted.length / 3) + 1;
    search->best = -1;
}

void hak_nearest_offer(struct hak_nearest *search, struct hak_slice name, int value) {
    unsigned distance = hak_nearest_distance(search->wanted, name);
    if (distance >= search->distance) return;
    search->distance = distance;
    search->best = value;
}
