/* SPDX-License-Identifier: MIT
 *
 * Thread exit by a pthread key, fork by a page that the kernel wipes in the child.
 *
 * Invariants
 *   1. No lock is taken and nothing is waited for, in the parent or the child (P1).
 *   2. A thread whose `ended` has been called may ask for it again, from another destructor, as
 *      long as there is a round of destructors to come (POSIX promises
 *      PTHREAD_DESTRUCTOR_ITERATIONS).
 *
 * Concurrency: thread_key and fork_state are atomic; each says its order where it is used.
 */
#include "os/thread.h"

#include "os/page.h"
#include "os/syscall.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#ifndef PTHREAD_DESTRUCTOR_ITERATIONS
#define PTHREAD_DESTRUCTOR_ITERATIONS 4
#endif

/* 0: no key yet.  Otherwise the key + 1.  Two threads that make a key at once: one is deleted. */
static _Atomic unsigned thread_key;
static void (*_Atomic thread_ended)(void *);

/* Calls of this thread's destructor, one a round.  Zero at start, like
 * all thread-local data here. */
static __thread unsigned thread_round __attribute__((tls_model("initial-exec")));

static void thread_destructor(void *value) {
    thread_round++;
    atomic_load_explicit(&thread_ended, memory_order_relaxed)(value);
}

static unsigned thread_make_key(void) {
    pthread_key_t made;
    if (pthread_key_create(&made, thread_destructor) != 0) return 0;
    unsigned expected = 0;
    if (atomic_compare_exchange_strong_explicit(&thread_key, &expected, made + 1,
                                                memory_order_relaxed, memory_order_relaxed)) {
        return made + 1;
    }
    pthread_key_delete(made);
    return expected;
}

bool hak_thread_ends_later(void) {
    return thread_round < PTHREAD_DESTRUCTOR_ITERATIONS - 1;
}

bool hak_thread_at_end(void (*ended)(void *), void *value) {
    atomic_store_explicit(&thread_ended, ended, memory_order_relaxed);
    unsigned key = atomic_load_explicit(&thread_key, memory_order_relaxed);
    if (!key) key = thread_make_key();
    return key && pthread_setspecific(key - 1, value) == 0;
}

bool hak_thread_is_first(void) {
    return hak_syscall0(SYS_gettid) == hak_syscall0(SYS_getpid);
}

/* The wiped page's first word: FORK_KNOWN in a process that has been set up, 0 in a new child,
 * FORK_BUSY while one thread of the child sets it up.  Its second word: the process's generation, 0
 * in a new child until somebody asks.  Where the kernel can't wipe (before 4.14, some emulators),
 * the words are ordinary ones and a child handler of pthread_atfork clears them. */
enum { FORK_NEW, FORK_BUSY, FORK_KNOWN };

static _Atomic(_Atomic unsigned *) fork_state;
static _Atomic unsigned fork_plain_state[2];
/* atomic, relaxed: the generation of this process, or of the one that it was forked from */
static _Atomic unsigned fork_last_generation;

static void fork_in_child(void) {
    atomic_store_explicit(&fork_plain_state[1], 0, memory_order_relaxed);
    atomic_store_explicit(&fork_plain_state[0], FORK_NEW, memory_order_relaxed);
}

void hak_fork_arm(void) {
    if (atomic_load_explicit(&fork_state, memory_order_acquire)) return;
    _Atomic unsigned *state = hak_page_map_wiped();
    bool wiped = state != NULL;
    if (!wiped) state = fork_plain_state;
    atomic_store_explicit(state, FORK_KNOWN, memory_order_relaxed);
    _Atomic unsigned *expected = NULL;
    /* release: pairs with the acquire loads of fork_state, which then see FORK_KNOWN */
    if (!atomic_compare_exchange_strong_explicit(&fork_state, &expected, state,
                                                 memory_order_release, memory_order_relaxed)) {
        if (wiped) hak_page_unmap(state, hak_page_bytes(), HAK_PAGE_META);
        return;
    }
    if (!wiped) pthread_atfork(NULL, NULL, fork_in_child);
}

bool hak_fork_is_certain(void) {
    return atomic_load_explicit(&fork_state, memory_order_acquire) != fork_plain_state;
}

bool hak_fork_pending(void) {
    _Atomic unsigned *state = atomic_load_explicit(&fork_state, memory_order_acquire);
    return state && atomic_load_explicit(state, memory_order_relaxed) == FORK_NEW;
}

bool hak_fork_begin(void) {
    if (hak_likely(!hak_fork_pending())) return false;
    _Atomic unsigned *state = atomic_load_explicit(&fork_state, memory_order_relaxed);
    unsigned expected = FORK_NEW;
    /* acquire: pairs with the release in hak_fork_done */
    return atomic_compare_exchange_strong_explicit(state, &expected, FORK_BUSY,
                                                   memory_order_acquire, memory_order_relaxed);
}

void hak_fork_done(void) {
    _Atomic unsigned *state = atomic_load_explicit(&fork_state, memory_order_acquire);
    atomic_store_explicit(state, FORK_KNOWN, memory_order_release);
}

uint32_t hak_fork_generation(void) {
    _Atomic unsigned *state = atomic_load_explicit(&fork_state, memory_order_acquire);
    if (!state) return 0;
    unsigned generation = atomic_load_explicit(&state[1], memory_order_relaxed);
    if (hak_likely(generation != 0)) return generation;
    /* Noted in ordinary memory first: a child that is forked in between takes a higher one. */
    unsigned next = atomic_load_explicit(&fork_last_generation, memory_order_relaxed) + 1;
    atomic_store_explicit(&fork_last_generation, next, memory_order_relaxed);
    if (!atomic_compare_exchange_strong_explicit(&state[1], &generation, next, memory_order_relaxed,
                                                 memory_order_relaxed)) {
        return generation; /* another thread was first */
    }
    return next;
}
