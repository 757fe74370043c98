/* SPDX-License-Identifier: MIT
 *
 * Creates and joins many threads and looks whether they leave anything behind:
 *   churn plain|keys|idle THREADS
 *
 * plain: each allocates and frees blocks of many sizes.  keys: it does so in the destructors of
 * pthread keys too, in all the rounds that there are, of keys that were made before and after the
 * allocator's own; the last of them allocates when the thread's heap is gone.  idle: threads that
 * allocate nothing themselves.
 */
#include "life.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 4, WARM_UP = 500, GROWTH_KIB = 1024 };

static pthread_key_t keys[2 * KEYS];
static unsigned destructor_calls; /* threads run one after the other */

/* What a thread keeps under a key. */
struct value {
    void *block;
    unsigned key, round;
};

static void set_key(unsigned key, unsigned round) {
    struct value *value = malloc(sizeof(*value));
    if (!value) life_fail("malloc in round %u", round);
    *value = (struct value){life_take(50 + 300 * round + key, round), key, round};
    if (pthread_setspecific(keys[key], value) != 0)
        life_fail("pthread_setspecific in round %u", round);
}

/* Sets the key again until the rounds are over, so that it runs in each of them. */
static void key_destructor(void *argument) {
    struct value *value = argument;
    destructor_calls++;
    life_give(value->block);
    if (value->round + 1 < PTHREAD_DESTRUCTOR_ITERATIONS) set_key(value->key, value->round + 1);
    life_give(life_take(700, value->round));
    free(value);
}

static void make_keys(size_t first) {
    for (size_t i = first; i < first + KEYS; i++)
        if (pthread_key_create(&keys[i], key_destructor) != 0) life_fail("pthread_key_create");
}

/* Before any constructor, and so before most allocators have made theirs. */
static void make_early_keys(int argc, char **argv, char **environment) {
    (void)argc, (void)argv, (void)environment;
    make_keys(0);
}

__attribute__((section(".preinit_array"), used)) static void (*preinit[])(int, char **, char **) = {
    make_early_keys};

static void allocate_and_free(uint32_t seed) {
    void *blocks[30];
    for (size_t i = 0; i < 30; i++) blocks[i] = life_take(16 + (i * i * 13 + seed) % 2000, seed);
    for (size_t i = 0; i < 30; i++) life_give(blocks[i]);
}

static const char *mode;

static void *run(void *argument) {
    if (strcmp(mode, "idle") != 0) allocate_and_free(*(uint32_t *)argument);
    if (strcmp(mode, "keys") == 0)
        for (unsigned key = 0; key < 2 * KEYS; key++) set_key(key, 0);
    return NULL;
}

int main(int argc, char **argv) {
    life_start(1200);
    mode = argc > 1 ? argv[1] : "plain";
    uint32_t threads = (uint32_t)life_argument(argc, argv, 2, 20000);
    make_keys(KEYS);
    size_t before = 0;
    for (uint32_t i = 0; i < WARM_UP + threads; i++) {
        if (i == WARM_UP) before = life_resident_kib();
        life_join(life_thread(run, &i));
    }
    size_t after = life_resident_kib();
    long growth = (long)after - (long)before;
    life_say("%s: %u threads, resident %zu KiB, grew by %ld KiB (at most %d)", mode, threads, after,
             growth, GROWTH_KIB);
    if (strcmp(mode, "keys") == 0) {
        unsigned want = (WARM_UP + threads) * 2 * KEYS * PTHREAD_DESTRUCTOR_ITERATIONS;
        if (destructor_calls != want)
            life_fail("%u destructor calls, not %u", destructor_calls, want);
    }
    return life_verdict(growth > GROWTH_KIB);
}
