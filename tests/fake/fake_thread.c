/* SPDX-License-Identifier: MIT
 *
 * Simulated threads and forks.  Header: fake/fake.h.
 */
#include "fake/fake.h"

#include "os/thread.h"

static __thread struct fake_thread thread_first;
static __thread struct fake_thread *thread_now;
static _Atomic bool thread_no_keys;
static _Atomic bool fork_new;
static _Atomic unsigned fork_armed, fork_finished;

static struct fake_thread *thread_current(void) {
    if (!thread_now) thread_now = &thread_first;
    return thread_now;
}

struct fake_thread *fake_thread_switch(struct fake_thread *to) {
    if (fake_hook) fake_hook(true);
    struct fake_thread *from = thread_current();
    from->tls = hak_tls;
    hak_tls = to->tls;
    thread_now = to;
    if (fake_hook) fake_hook(false);
    return from;
}

/* The engine notes the thread pointer in the heap, and all simulated threads have the same: each
 * gets another one here, as real threads would. */
bool hak_thread_at_end(void (*ended)(void *), void *value) {
    struct fake_thread *thread = thread_current();
    struct hak_heap *heap = value;
    if (heap == hak_tls.heap) heap->thread = (uintptr_t)thread;
    if (atomic_load_explicit(&thread_no_keys, memory_order_relaxed)) return false;
    thread->ended = ended;
    thread->value = value;
    return true;
}

bool hak_thread_ends_later(void) {
    return thread_current()->ends < 3;
}

void fake_thread_end(void) {
    struct fake_thread *thread = thread_current();
    thread->ends++;
    if (thread->ended) thread->ended(thread->value);
    thread->ended = NULL;
}

void fake_thread_no_keys(bool on) {
    atomic_store_explicit(&thread_no_keys, on, memory_order_relaxed);
}

/* fake_fork is called by the simulated thread that comes over. */
static _Atomic(struct fake_thread *) fork_thread;

bool hak_thread_is_first(void) {
    return thread_current() == atomic_load_explicit(&fork_thread, memory_order_relaxed);
}

static _Atomic uint32_t fork_generation = 1;

bool hak_fork_is_certain(void) {
    return true;
}

uint32_t hak_fork_generation(void) {
    return atomic_load_explicit(&fork_generation, memory_order_relaxed);
}

void fake_fork(void) {
    atomic_fetch_add(&fork_generation, 1);
    atomic_store_explicit(&fork_thread, thread_current(), memory_order_relaxed);
    atomic_store_explicit(&fork_new, true, memory_order_relaxed);
}

bool hak_fork_pending(void) {
    return atomic_load_explicit(&fork_new, memory_order_relaxed);
}

bool hak_fork_begin(void) {
    return atomic_load_explicit(&fork_new, memory_order_relaxed) &&
           atomic_exchange_explicit(&fork_new, false, memory_order_relaxed);
}

void hak_fork_done(void) {
    atomic_fetch_add_explicit(&fork_finished, 1, memory_order_relaxed);
}

void hak_fork_arm(void) {
    atomic_fetch_add_explicit(&fork_armed, 1, memory_order_relaxed);
}

unsigned fake_fork_armed(void) {
    return atomic_load_explicit(&fork_armed, memory_order_relaxed);
}

unsigned fake_fork_finished(void) {
    return atomic_load_explicit(&fork_finished, memory_order_relaxed);
}
