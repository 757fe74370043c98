/* SPDX-License-Identifier: MIT
 *
 * See overlap.h.
 */
#include "overlap.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct span {
    char *start;
    size_t bytes;
    uint32_t owner; /* 0: not a block of ours to write to */
};

static struct span *spans;
static size_t span_count;
static uint32_t random_state;

static uint32_t draw(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static void span_add(void *start, size_t bytes, uint32_t owner) {
    spans[span_count++] = (struct span){start, bytes, owner};
}

static int compare_starts(const void *a, const void *b) {
    const struct span *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static unsigned count_overlaps(void) {
    unsigned bad = 0;
    qsort(spans, span_count, sizeof(spans[0]), compare_starts);
    for (size_t i = 1; i < span_count; i++)
        if (spans[i].start < spans[i - 1].start + spans[i - 1].bytes) bad++;
    return bad;
}

/* The owner's number, over and over. */
static void span_fill(const struct span *span) {
    for (size_t at = 0; at + 4 <= span->bytes; at += 4) memcpy(span->start + at, &span->owner, 4);
}

static bool span_is_intact(const struct span *span) {
    return span->bytes < 4 || (memcmp(span->start, &span->owner, 4) == 0 &&
                               memcmp(span->start, span->start + 4, span->bytes / 4 * 4 - 4) == 0);
}

/* Mostly small blocks; the size of the misused one often enough that its own memory comes round. */
static size_t draw_size(size_t favourite, size_t i) {
    size_t every = favourite <= 1024 ? 3 : favourite <= 65536 ? 200 : 10000;
    return i % every == 0 ? favourite : draw() % 1024;
}

unsigned overlap_check(size_t count, size_t favourite_size, const struct overlap_area *areas,
                       size_t area_count) {
    size_t bytes = (count + area_count + 1) * sizeof(struct span);
    spans = malloc(bytes);
    if (!spans) exit(2);
    span_count = 0;
    random_state = 20261;
    span_add(spans, bytes, 0);
    for (size_t i = 0; i < area_count; i++) span_add(areas[i].start, areas[i].bytes, 0);

    unsigned bad = 0;
    for (size_t i = 0; i < count; i++) {
        char *block = malloc(draw_size(favourite_size, i));
        if (block) span_add(block, malloc_usable_size(block), (uint32_t)i + 1);
        else bad++;
    }
    bad += count_overlaps();
    if (bad == 0) { /* else writing would only destroy the program */
        for (size_t i = 0; i < span_count; i++)
            if (spans[i].owner) span_fill(&spans[i]);
        for (size_t i = 0; i < span_count; i++)
            if (spans[i].owner && !span_is_intact(&spans[i])) bad++;
        for (size_t i = 0; i < span_count; i++)
            if (spans[i].owner) free(spans[i].start);
    }
    free(spans);
    return bad;
}
