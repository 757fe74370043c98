/* SPDX-License-Identifier: MIT
 *
 * An ordinary threaded program in small: allocates, resizes, frees, and hands blocks from thread to
 * thread, with all contents checked.  For tests in which the surroundings are what is unusual.
 *   mixed THREADS OPERATIONS       (THREADS 0: only main; OPERATIONS 0: does nothing)
 * Prints resident memory and VmPeak; status 0 if all contents were right.
 */
#include "life.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { OWN = 300, SHARED = 512 };

static _Atomic(void *) shared[SHARED];
static long operations;

static size_t draw_size(uint32_t *random) {
    uint32_t draw = life_random(random);
    if (draw % 4000 == 0) return (size_t)1 << (20 + draw / 4000 % 2);
    return LIFE_BLOCK_MIN + (draw >> 8) % ((size_t)16 << (draw % 10));
}

static void *resize(void *block, size_t size, uint32_t seed) {
    if (!block) return life_take(size, seed);
    life_check(block);
    void *moved = realloc(block, size);
    if (!moved) life_fail("realloc(%zu)", size);
    life_fill(moved, size, seed);
    return moved;
}

static void *run(void *argument) {
    uint32_t random = *(uint32_t *)argument * 7919 + 1;
    void *own[OWN] = {NULL};
    for (long i = 0; i < operations; i++) {
        uint32_t draw = life_random(&random);
        void **slot = &own[draw % OWN];
        switch (draw >> 16 & 15) {
        case 0:
            *slot = resize(*slot, draw_size(&random), draw);
            break;
        case 1:
        case 2: /* to whom it may concern */
            *slot = atomic_exchange(&shared[draw / OWN % SHARED], *slot);
            break;
        default:
            life_give(*slot);
            *slot = draw >> 31 ? life_take(draw_size(&random), draw) : NULL;
        }
    }
    for (size_t i = 0; i < OWN; i++) life_give(own[i]);
    return NULL;
}

int main(int argc, char **argv) {
    life_start(300);
    enum { THREADS_MAX = 1000 };
    static pthread_t threads[THREADS_MAX];
    static uint32_t numbers[THREADS_MAX + 1];
    long count = life_argument(argc, argv, 1, 4);
    operations = life_argument(argc, argv, 2, 20000);
    if (count > THREADS_MAX) return 2;
    for (long i = 0; i <= count; i++) numbers[i] = (uint32_t)i + 1;
    for (long i = 0; i < count; i++) threads[i] = life_thread(run, &numbers[i]);
    if (operations > 0) run(&numbers[count]);
    for (long i = 0; i < count; i++) life_join(threads[i]);
    for (size_t i = 0; i < SHARED; i++) life_give(atomic_load(&shared[i]));
    if (life_has_proc())
        life_say("%ld threads: resident %zu KiB, VmPeak %zu KiB", count, life_resident_kib(),
                 life_status_kib("VmPeak"));
    return 0;
}
