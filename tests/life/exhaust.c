/* SPDX-License-Identifier: MIT
 *
 * Runs out of memory and recovers:
 *   exhaust LIMIT_MIB
 *
 * Under a limit of the address space, four threads allocate blocks of one size until there
 * are none, free them all, and go on with the next of six sizes; twice.  In the second pass
 * each size must get at least three quarters of what it got in the first: memory of one
 * size class serves all others.
 */
#include "life.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { THREADS = 4, SIZES = 6, PASSES = 2 };

static const size_t sizes[SIZES] = {64, 1000, 10000, 100000, 1 << 20, 5 << 20};
static pthread_barrier_t barrier;
static _Atomic size_t got[PASSES][SIZES];

/* The blocks are a list: there is no memory for an array of them. */
struct link {
    struct link *next;
};

static struct link *fill(size_t size, _Atomic size_t *bytes) {
    struct link *list = NULL, *block;
    errno = 0;
    while ((block = malloc(size)) != NULL) {
        block->next = list;
        list = block;
        atomic_fetch_add(bytes, size);
    }
    if (errno != ENOMEM) life_fail("malloc(%zu) failed with errno %d", size, errno);
    return list;
}

static void empty(struct link *list) {
    while (list) {
        struct link *next = list->next;
        free(list);
        list = next;
    }
}

static void *run(void *argument) {
    for (int pass = 0; pass < PASSES; pass++) {
        for (int i = 0; i < SIZES; i++) {
            struct link *list = fill(sizes[i], &got[pass][i]);
            pthread_barrier_wait(&barrier);
            empty(list);
            pthread_barrier_wait(&barrier);
        }
    }
    return argument;
}

int main(int argc, char **argv) {
    life_start(300);
    rlim_t limit = (rlim_t)life_argument(argc, argv, 1, 256) << 20;
    struct rlimit address_space = {limit, limit};
    if (setrlimit(RLIMIT_AS, &address_space) != 0) life_skip("RLIMIT_AS can't be set");
    if (life_emulated()) life_skip("an emulator ignores RLIMIT_AS");
    pthread_barrier_init(&barrier, NULL, THREADS);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = life_thread(run, NULL);
    for (int i = 0; i < THREADS; i++) life_join(threads[i]);
    bool recovered = true;
    for (int i = 0; i < SIZES; i++) {
        life_say("%8zu bytes: %zu MiB, later %zu MiB, of %zu", sizes[i], got[0][i] >> 20,
                 got[1][i] >> 20, (size_t)limit >> 20);
        if (got[1][i] < got[0][i] / 4 * 3 || got[0][i] < limit / 4) recovered = false;
    }
    if (!recovered) life_fail("not recovered");
    return 0;
}
