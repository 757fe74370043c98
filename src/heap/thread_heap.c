/* SPDX-License-Identifier: MIT
 *
 * Attaching and detaching.  Header: heap/thread_heap.h.
 *
 * The dynamic linker clears a thread's static TLS after it has run the program's IFUNC resolvers. A
 * malloc in a resolver therefore leaves a heap that nobody points to; it is found again by the
 * thread pointer, which it noted (only the process's first heap can be in that situation).
 */
#include "heap/thread_heap.h"

#include "heap/adopt.h"
#include "heap/registry.h"
#include "os/env.h"
#include "os/helper.h"
#include "os/thread.h"

_Atomic(void (*)(uint32_t heaps)) hak_thread_heap_left;

/* atomic, relaxed: the generation of the process << 32 | the threads that have a heap.  In a new
 * child that is the one that has forked. */
static _Atomic uint64_t thread_heap_count;

static uint32_t thread_heap_counted(uint32_t change) {
    uint32_t process = hak_fork_generation(), count;
    uint64_t word = atomic_load_explicit(&thread_heap_count, memory_order_relaxed);
    do count = (word && word >> 32 != process ? 1 : (uint32_t)word) + change;
    while (!atomic_compare_exchange_weak_explicit(&thread_heap_count, &word,
                                                  (uint64_t)process << 32 | count,
                                                  memory_order_relaxed, memory_order_relaxed));
    return count;
}

static void thread_heap_ended(void *heap) {
    struct hak_tls *tls = &hak_tls;
    if (tls->heap == heap) hak_thread_heap_detach(tls);
}

static struct hak_heap *thread_heap_find(void) {
    struct hak_heap *first = hak_registry_get(1);
    /* relaxed: pairs with nothing; no other thread stores this thread's pointer there */
    if (first && first->kind == HAK_HEAP_THREAD &&
        atomic_load_explicit(&first->thread, memory_order_relaxed) == hak_thread_self() &&
        !hak_registry_is_parked(1, HAK_PARKED_THREAD)) {
        return first;
    }
    struct hak_heap *heap = hak_adopt_heap();
    return heap ? heap : hak_heap_make(HAK_HEAP_THREAD);
}

bool hak_thread_heap_attach(struct hak_tls *tls) {
    hak_fork_arm();
    if (!hak_registry_count()) hak_helper_note();
    hak_env_address_space(); /* later the program may have forbidden itself such system calls */
    if (!tls->heap) {
        hak_adopt_after_fork();
        struct hak_heap *heap = thread_heap_find();
        if (!heap) return false;
        bool again = atomic_load_explicit(&heap->thread, memory_order_relaxed) == hak_thread_self();
        /* release: pairs with the acquire of a visitor, for which it begins to have an owner */
        atomic_store_explicit(&heap->thread, hak_thread_self(), memory_order_release);
        struct hak_heap *none = NULL;
        /* One step, as a signal handler sees it: a handler that came between has attached a heap;
         * or this one, if it was found by the thread pointer. */
        if (!__atomic_compare_exchange_n(&tls->heap, &none, heap, false, __ATOMIC_RELAXED,
                                         __ATOMIC_RELAXED) &&
            none != heap) {
            hak_adopt_park(heap);
        } else if (!again) {
            thread_heap_counted(1);
        }
    }
    hak_tls_open(tls, tls->heap);
    /* May allocate: the thread is ready for that now.  If it fails, the heap is not parked when the
     * thread ends; its free memory is lost then, and nothing else. */
    hak_thread_at_end(thread_heap_ended, tls->heap);
    return true;
}

void hak_thread_heap_detach(struct hak_tls *tls) {
    struct hak_heap *heap = tls->heap;
    /* Until it is parked, a signal handler must not take a heap: it would open the doors, or find
     * this one. */
    hak_tls_close(tls, HAK_TLS_BUSY);
    hak_order_stores();
    tls->heap = NULL;
    hak_adopt_park(heap);
    hak_order_stores();
    tls->state = HAK_TLS_EXITED;
    uint32_t heaps = thread_heap_counted(-1u);
    void (*left)(uint32_t) = atomic_load_explicit(&hak_thread_heap_left, memory_order_relaxed);
    if (left) left(heaps);
}
