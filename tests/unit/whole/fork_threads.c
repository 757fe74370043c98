/* SPDX-License-Identifier: MIT
 *
 * Real forks while other (real) threads allocate and free.  In each child all blocks that somebody
 * had finished to fill are intact, they can be freed, and new threads can work (S5, H3, P1).
 * fork_steps.c does the same at every instruction, with one simulated thread.
 */
#include "engine.h"

#include "heap/adopt.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

enum { THREADS = 3, SHARED = 64, FORKS = 80, CHILD_STEPS = 300 };

/* Blocks that are whole, of all threads: taken out by whoever frees them. */
static _Atomic(unsigned char *) shared[SHARED];
static _Atomic bool stop;
static _Atomic int running;

static size_t size_of(const unsigned char *block) {
    size_t size;
    memcpy(&size, block, sizeof size);
    return size;
}

static void fill(unsigned char *block, size_t size) {
    memcpy(block, &size, sizeof size);
    engine_fill(block + sizeof size, size - sizeof size, size);
}

static bool intact(const unsigned char *block) {
    size_t size = size_of(block);
    return size <= 50000 && engine_intact(block + sizeof size, size - sizeof size, size);
}

/* Puts a new block in some place, and frees what was there. */
static bool step(struct engine_random *random) {
    size_t size = 16 + engine_below(random, engine_below(random, 10) ? 500 : 40000);
    unsigned char *block = hak_malloc(size);
    if (!block) return false;
    fill(block, size);
    block = atomic_exchange(&shared[engine_below(random, SHARED)], block);
    if (block && !intact(block)) return false;
    hak_free(block);
    return true;
}

static void *work(void *argument) {
    struct engine_random random = {(uintptr_t)argument};
    atomic_fetch_add(&running, 1);
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        if (!step(&random)) return argument;
    }
    fake_thread_end();
    return NULL;
}

static void *work_in_child(void *argument) {
    struct engine_random random = {(uintptr_t)argument};
    for (int i = 0; i < CHILD_STEPS; i++) {
        if (!step(&random)) return argument;
    }
    fake_thread_end();
    return NULL;
}

/* Returns 0 if all is well. */
static int child(uintptr_t seed) {
    struct engine_random random = {seed};
    pthread_t thread[2];
    void *result;
    fake_fork();
    hak_adopt_after_fork(); /* by the thread that forked, before others are there */
    for (int i = 0; i < SHARED; i++) {
        unsigned char *block = atomic_load(&shared[i]);
        if (block && !intact(block)) return 2;
    }
    for (uintptr_t i = 0; i < 2; i++) {
        if (pthread_create(&thread[i], NULL, work_in_child, (void *)(seed + i + 1))) return 3;
    }
    for (int i = 0; i < CHILD_STEPS; i++) {
        if (!step(&random)) return 4;
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], &result);
        if (result) return 5;
    }
    for (int i = 0; i < SHARED; i++) hak_free(atomic_exchange(&shared[i], NULL));
    hak_collect();
    return step(&random) ? 0 : 6;
}

static void run(const char *mode) {
#if defined(__SANITIZE_THREAD__)
    skip(); /* it has no threads in a child of threads */
#endif
    pthread_t thread[THREADS];
    struct engine_random random = {5};
    if (unit_emulated()) skip(); /* qemu-user aborts when such a child starts a thread */
    engine_mode(mode);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, work, (void *)(i + 100));
    /* A thread that starts under the address sanitizer takes locks of its run-time, which does not
     * free them in a child. */
    while (atomic_load(&running) < THREADS) sched_yield();
    for (uintptr_t i = 0; i < FORKS; i++) {
        int status = -1;
        for (size_t steps = engine_below(&random, 50); steps; steps--) assert_true(step(&random));
        pid_t pid = fork();
        if (pid == 0) _exit(child(i * 10 + 1));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status) fail_msg("child %lu: wait status 0x%x", (unsigned long)i, (unsigned)status);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(thread[i], &result);
        assert_null(result);
    }
    for (int i = 0; i < SHARED; i++) hak_free(atomic_exchange(&shared[i], NULL));
    hak_tiny_magazine_flush_all();
    engine_check_span();
}

static void test_fast(void **state) {
    (void)state;
    run("fast");
}

static void test_checked(void **state) {
    (void)state;
    run("checked");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_fast),
        ISOLATED(test_checked),
    };
    return cmocka_run_group_tests_name("whole/fork_threads", tests, NULL, NULL);
}
