/* SPDX-License-Identifier: MIT
 *
 * main ends by pthread_exit, with blocks of its own live; the other threads go on, free those
 * blocks, and the last of them ends the process.
 */
#include "life.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { WORKERS = 4, BLOCKS = 4000 };

static _Atomic(void *) blocks[BLOCKS];
static _Atomic int left = WORKERS;
static pthread_t main_thread;

static void *work(void *argument) {
    uint32_t random = *(uint32_t *)argument;
    if (random == 1) life_join(main_thread); /* from here on its heap belongs to nobody */
    for (int i = 0; i < 200000; i++) {
        uint32_t draw = life_random(&random);
        life_give(atomic_exchange(&blocks[draw % BLOCKS], life_take(16 + draw % 3000, draw)));
    }
    if (atomic_fetch_sub(&left, 1) > 1) return NULL;
    for (size_t i = 0; i < BLOCKS; i++) life_give(atomic_load(&blocks[i]));
    life_say("main was gone, %d blocks freed", BLOCKS);
    exit(0);
}

int main(void) {
    life_start(120);
    static uint32_t seeds[WORKERS] = {1, 2, 3, 4};
    main_thread = pthread_self();
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = life_take(16 + i, (uint32_t)i);
    for (int i = 0; i < WORKERS; i++) (void)life_thread(work, &seeds[i]);
    pthread_exit(NULL);
}
