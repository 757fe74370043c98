/* SPDX-License-Identifier: MIT
 *
 * "Did you mean": the nearest of several names by edit distance.  Works in a few hundred bytes of
 * stack and a bounded time; longer names than it can hold are near to nothing.
 */
#ifndef HAK_CONFIG_NEAREST_H
#define HAK_CONFIG_NEAREST_H

#include "config/slice.h"

/* One more than the longest name that is compared. */
#define HAK_NEAREST_BYTES 40

struct hak_nearest {
    struct hak_slice wanted;
    unsigned distance; /* of the best so far; to begin with, one more than is accepted */
    int best;          /* -1: none near enough */
};

/* Insertions, deletions, changes and swaps of neighbours between two names; UINT_MAX if one of them
 * is too long. */
unsigned hak_nearest_distance(struct hak_slice from, struct hak_slice to);

/* A third of the wanted name's letters may differ, and always one. */
void hak_nearest_start(struct hak_nearest *search, struct hak_slice wanted);
void hak_nearest_offer(struct hak_nearest *search, struct hak_slice name, int value);

#endif
