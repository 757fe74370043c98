/* SPDX-License-Identifier: MIT
 *
 * Forks again and again while other threads allocate, free and hand blocks over.  Each child
 * checks and frees blocks of threads that do not exist in it, allocates, starts threads of its
 * own, and forks once more.
 *   fork_storm THREADS FORKS
 * A child that hangs ends itself by an alarm; the parent counts every child
 * that does not end with 0.
 */
#include "life.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SHARED = 2000, OWN = 100, THREADS_MAX = 256, CHILD_ALARM = 60 };

static _Atomic(void *) shared[SHARED];
static _Atomic bool stop;
static long thread_count;

static size_t draw_size(uint32_t draw) {
    return LIFE_BLOCK_MIN + (draw >> 8) % ((size_t)16 << (draw % 9));
}

/* Blocks reach `shared` only when they are whole, so that every child finds whole ones there. */
static void step(uint32_t *random, void **own) {
    uint32_t draw = life_random(random);
    void **slot = &own[draw % OWN];
    if (draw >> 30 == 0) {
        *slot = atomic_exchange(&shared[draw / OWN % SHARED], *slot);
    } else {
        life_give(*slot);
        *slot = draw >> 30 == 1 ? NULL : life_take(draw_size(draw), draw);
    }
}

/* In bursts that together leave a processor to the children. */
static void *work(void *argument) {
    const struct timespec pause = {0, 100000 * thread_count};
    uint32_t random = *(uint32_t *)argument;
    void *own[OWN] = {NULL};
    while (!atomic_load(&stop)) {
        for (int i = 0; i < 50; i++) step(&random, own);
        nanosleep(&pause, NULL);
    }
    for (size_t i = 0; i < OWN; i++) life_give(own[i]);
    return NULL;
}

static void *work_briefly(void *argument) {
    uint32_t random = *(uint32_t *)argument;
    void *own[OWN] = {NULL};
    for (int i = 0; i < 300; i++) step(&random, own);
    for (size_t i = 0; i < OWN; i++) life_give(own[i]);
    return NULL;
}

static void wait_for(pid_t child) {
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) life_fail("fork or waitpid failed");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) life_fail("a child hung");
    if (status != 0) life_fail("a child ended with status %#x", (unsigned)status);
}

/* The life of a child; `middle` is called while two threads of its own are at work. */
static void child(uint32_t seed, void (*middle)(uint32_t seed)) {
    signal(SIGALRM, SIG_DFL);
    alarm(CHILD_ALARM);
    for (size_t i = seed % 2; i < SHARED; i += 2) /* half of what the dead threads left */
        life_give(atomic_exchange(&shared[i], NULL));
    uint32_t seeds[3] = {seed * 3 + 1, seed * 3 + 2, seed * 3 + 3};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) threads[i] = life_thread(work_briefly, &seeds[i]);
    if (middle) middle(seed);
    work_briefly(&seeds[2]);
    for (int i = 0; i < 2; i++) life_join(threads[i]);
    for (size_t i = 0; i < SHARED; i++) life_give(atomic_exchange(&shared[i], NULL));
    _exit(0);
}

static void fork_again(uint32_t seed) {
    pid_t pid = fork();
    if (pid == 0) child(seed + 1, NULL);
    wait_for(pid);
}

int main(int argc, char **argv) {
    life_start(7200);
    if (life_emulated()) life_skip("qemu-user aborts when a child of threads starts a thread");
    thread_count = life_argument(argc, argv, 1, 8);
    long forks = life_argument(argc, argv, 2, 300);
    static pthread_t running[THREADS_MAX];
    static uint32_t seeds[THREADS_MAX];
    if (thread_count > THREADS_MAX) return 2;
    for (long i = 0; i < thread_count; i++) {
        seeds[i] = (uint32_t)(i + 1) * 2654435761u;
        running[i] = life_thread(work, &seeds[i]);
    }
    for (long i = 0; i < forks; i++) {
        pid_t pid = fork();
        if (pid == 0) child((uint32_t)i + 1, i % 3 == 0 ? fork_again : NULL);
        wait_for(pid);
    }
    atomic_store(&stop, true);
    for (long i = 0; i < thread_count; i++) life_join(running[i]);
    for (size_t i = 0; i < SHARED; i++) life_give(atomic_load(&shared[i]));
    life_say("%ld threads, %ld forks: 0 children hung or dead, resident %zu KiB", thread_count,
             forks, life_resident_kib());
    return 0;
}
