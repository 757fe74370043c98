/* SPDX-License-Identifier: MIT
 *
 * grow vector|string|shrink count least most seed: realloc as programs use it.
 *
 *   vector   from `least` bytes by doubling to `most`: std::vector, Python's lists and others
 *   string   by 1 to 64 bytes at a time, to `most`, each time to the exact size: lines being read
 *   shrink   allocated with `most`, cut to a random part of that: what a buffer was for
 *
 * `count` of them, 16 alive and growing in turns.  What was written stays and is checked.  One
 * operation is one realloc.
 */
#include "common.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TOGETHER = 16 };

enum { VECTOR, STRING, SHRINK };

struct grower {
    unsigned char *block;
    size_t size;
};

static size_t least = 16, most = 1 << 20;
static uint32_t state;
static uint64_t operations;

static size_t next_size(size_t kind, size_t size) {
    switch (kind) {
    case VECTOR:
        return size * 2;
    case STRING:
        return size + bench_between(&state, 1, 64);
    default:
        return bench_between(&state, least, size);
    }
}

/* False: it has grown enough, and is freed. */
static int step(size_t kind, struct grower *grower) {
    if (!grower->block) {
        grower->size = kind == SHRINK ? most : least;
        grower->block = bench_malloc(grower->size);
        return 1;
    }
    size_t size = next_size(kind, grower->size);
    if (size > most || (kind == SHRINK && grower->size < most)) {
        bench_free(grower->block);
        grower->block = NULL;
        return 0;
    }
    /* The mark depends on the address, so it is looked at here, and the contents below. */
    bench_check(grower->block);
    size_t kept = size < grower->size ? size : grower->size;
    memset(grower->block + 8, (int)kept, kept - 8 > 64 ? 64 : kept - 8);
    unsigned char *moved = realloc(grower->block, size);
    if (!moved) bench_fail("out of memory for %zu bytes", size);
    for (size_t i = 8; i < kept && i < 72; i++)
        if (moved[i] != (unsigned char)kept)
            bench_fail("realloc to %zu bytes lost byte %zu", size, i);
    grower->block = bench_stamp(moved, size);
    grower->size = size;
    operations++;
    return 1;
}

int main(int argc, char **argv) {
    size_t kind = 0, count = 10000, seed = 1;
    const struct bench_argument arguments[] = {{"kind=vector|string|shrink", &kind, 0},
                                               {"count", &count, 1},
                                               {"least", &least, 16},
                                               {"most", &most, 16},
                                               {"seed", &seed, 0}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    if (least > most) bench_fail("least must not exceed most");
    state = bench_seed(seed);

    static struct grower growers[TOGETHER];
    struct bench_run run = {0};
    bench_begin(&run);
    for (size_t done = 0; done < count;)
        for (size_t i = 0; i < TOGETHER; i++) done += !step(kind, &growers[i]);
    bench_end(&run);
    for (size_t i = 0; i < TOGETHER; i++)
        if (growers[i].block) bench_free(growers[i].block);
    bench_print("grow", &run, operations, NULL);
    return 0;
}
