/* SPDX-License-Identifier: MIT
 *
 * The table of heaps.  Header: heap/registry.h.
 */
#include "heap/registry.h"

#include "heap/heap.h"
#include "os/thread.h"
#include "span/arena.h"
#include "span/map.h"

#include <stdatomic.h>

#define REGISTRY_CHUNK 64u

struct registry_chunk {
    _Atomic uint64_t parked[HAK_PARKED_KINDS];
    _Atomic(struct hak_heap *) heap[REGISTRY_CHUNK];
};

/* .bss: pages of ids that were never given out are never resident. */
_Atomic(struct registry_chunk *) hak_registry_chunk[(HAK_OWNER_MAX + 1) / REGISTRY_CHUNK] HAK_TABLE;
static _Atomic uint32_t registry_used;
static _Atomic uint32_t
    registry_parked[HAK_PARKED_KINDS]; /* atomic, relaxed: set bits, an estimate */

static struct registry_chunk *registry_chunk_of(uint32_t id) {
    return atomic_load_explicit(&hak_registry_chunk[id / REGISTRY_CHUNK], memory_order_acquire);
}

uint32_t hak_registry_count(void) {
    return atomic_load_explicit(&registry_used, memory_order_acquire);
}

bool hak_registry_add(struct hak_heap *heap) {
    uint32_t used = atomic_load_explicit(&registry_used, memory_order_relaxed);
    do {
        if (used == HAK_OWNER_MAX) return false;
        /* the chunk is there before the id is taken, so that a failure costs no id */
        uint32_t index = (used + 1) / REGISTRY_CHUNK;
        struct registry_chunk *none = NULL;
        if (!atomic_load_explicit(&hak_registry_chunk[index], memory_order_relaxed)) {
            struct registry_chunk *chunk = hak_arena_alloc(sizeof *chunk, HAK_CACHE_LINE);
            if (!chunk) return false;
            atomic_compare_exchange_strong_explicit(&hak_registry_chunk[index], &none, chunk,
                                                    memory_order_release, memory_order_relaxed);
        }
    } while (!atomic_compare_exchange_weak_explicit(&registry_used, &used, used + 1,
                                                    memory_order_acq_rel, memory_order_relaxed));
    uint32_t id = used + 1;
    heap->id = id;
    heap->tag = hak_tag_make(id, 0);
    atomic_store_explicit(&heap->process, hak_fork_generation(), memory_order_relaxed);
    /* release: hak_registry_get acquires */
    atomic_store_explicit(&registry_chunk_of(id)->heap[id % REGISTRY_CHUNK], heap,
                          memory_order_release);
    return true;
}

struct hak_heap *hak_registry_get(uint32_t id) {
    struct registry_chunk *chunk = registry_chunk_of(id);
    return chunk ? atomic_load_explicit(&chunk->heap[id % REGISTRY_CHUNK], memory_order_acquire)
                 : NULL;
}

void hak_registry_park(uint32_t id, enum hak_parked kind) {
    atomic_fetch_add_explicit(&registry_parked[kind], 1, memory_order_relaxed);
    atomic_fetch_or_explicit(&registry_chunk_of(id)->parked[kind],
                             (uint64_t)1 << (id % REGISTRY_CHUNK), memory_order_release);
}

/* Takes the heap of a bit that was seen set, for `process`, which was read before that: if a signal
 * handler forks in between, the heap may be another thread's in the child, and must look lost. */
static bool registry_clear(struct registry_chunk *chunk, unsigned bit, enum hak_parked kind,
                           uint32_t process) {
    uint64_t mask = (uint64_t)1 << bit;
    struct hak_heap *heap = atomic_load_explicit(&chunk->heap[bit], memory_order_acquire);
    atomic_store_explicit(&heap->process, process, memory_order_relaxed);
    /* acquire: pairs with the release in hak_registry_park.  release: with the acquire in
     * hak_registry_is_parked; who sees the heap claimed sees for which process. */
    if (!(atomic_fetch_and_explicit(&chunk->parked[kind], ~mask, memory_order_acq_rel) & mask))
        return false;
    atomic_fetch_sub_explicit(&registry_parked[kind], 1, memory_order_relaxed);
    return true;
}

bool hak_registry_is_parked(uint32_t id, enum hak_parked kind) {
    struct registry_chunk *chunk = registry_chunk_of(id);
    return chunk && (atomic_load_explicit(&chunk->parked[kind], memory_order_acquire) >>
                         (id % REGISTRY_CHUNK) &
                     1);
}

bool hak_registry_claim(uint32_t id, enum hak_parked kind) {
    uint32_t process = hak_fork_generation();
    return hak_registry_is_parked(id, kind) &&
           registry_clear(registry_chunk_of(id), id % REGISTRY_CHUNK, kind, process);
}

uint32_t hak_registry_parked_count(enum hak_parked kind) {
    return atomic_load_explicit(&registry_parked[kind], memory_order_relaxed);
}

struct hak_heap *hak_registry_claim_any(enum hak_parked kind, uint32_t after) {
    if (!hak_registry_parked_count(kind)) return NULL;
    uint32_t process = hak_fork_generation();
    uint32_t chunks = hak_registry_count() / REGISTRY_CHUNK + 1;
    uint32_t start = after / REGISTRY_CHUNK % chunks;
    uint64_t later = ~(uint64_t)1 << after % REGISTRY_CHUNK; /* first the bits above `after` */
    for (uint32_t step = 0; step <= chunks; step++) {
        struct registry_chunk *chunk = registry_chunk_of((start + step) % chunks * REGISTRY_CHUNK);
        uint64_t allowed = step ? ~(uint64_t)0 : later;
        for (;;) {
            /* acquire: pairs with the release in hak_registry_park, for the heap's pointer */
            uint64_t set = chunk
                               ? atomic_load_explicit(&chunk->parked[kind], memory_order_acquire) &
                                     allowed
                               : 0;
            if (!set) break;
            unsigned bit = (unsigned)__builtin_ctzll(set);
            if (registry_clear(chunk, bit, kind, process)) {
                return atomic_load_explicit(&chunk->heap[bit], memory_order_acquire);
            }
        }
    }
    return NULL;
}
