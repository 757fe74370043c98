/* SPDX-License-Identifier: MIT
 *
 * Loads and unloads the library in a program that runs on libc's malloc, and uses it by its hak_
 * names, in threads too:
 *   reload ROUNDS           (the library: HAKMEM_LIB)
 */
#include "life.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 2, BLOCKS = 60, WARM_UP = 200, GROWTH_KIB = 1024 };

static void *(*library_malloc)(size_t);
static void (*library_free)(void *);

static void *use(void *argument) {
    uint32_t seed = *(uint32_t *)argument;
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = 16 + i * i / 8;
        blocks[i] = library_malloc(size);
        if (!blocks[i]) life_fail("hak_malloc(%zu)", size);
        life_fill(blocks[i], size, seed + (uint32_t)i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        life_check(blocks[i]);
        library_free(blocks[i]);
    }
    return NULL;
}

static void load_and_use(const char *path, uint32_t round) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) life_fail("%s", dlerror());
    *(void **)&library_malloc = dlsym(library, "hak_malloc");
    *(void **)&library_free = dlsym(library, "hak_free");
    if (!library_malloc || !library_free) life_fail("%s", dlerror());
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = life_thread(use, &round);
    use(&round);
    life_give(life_take(100 + round, round)); /* libc's, unharmed */
    for (int i = 0; i < THREADS; i++) life_join(threads[i]);
    if (dlclose(library) != 0) life_fail("%s", dlerror());
}

int main(int argc, char **argv) {
    life_start(600);
    const char *path = getenv("HAKMEM_LIB");
    uint32_t rounds = (uint32_t)life_argument(argc, argv, 1, 1000);
    if (!path) life_skip("HAKMEM_LIB is not set");
    size_t before = 0;
    for (uint32_t i = 0; i < WARM_UP + rounds; i++) {
        if (i == WARM_UP) before = life_resident_kib();
        load_and_use(path, i);
    }
    size_t after = life_resident_kib();
    long growth = (long)after - (long)before;
    life_say("%u times: resident %zu KiB, grew by %ld KiB (at most %d)", rounds, after, growth,
             GROWTH_KIB);
    return life_verdict(growth > GROWTH_KIB);
}
