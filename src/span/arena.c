/* SPDX-License-Identifier: MIT
 *
 * A bump allocator over chunks.
 *
 * Concurrency: a chunk's `used` only grows, by compare-and-swap; arena_chunk is replaced, when the
 * chunk is full, by compare-and-swap with release (pairs with the acquire load before use).  The
 * end of a replaced chunk is lost: less than one structure.
 */
#include "span/arena.h"

#include "os/page.h"

#include <stdatomic.h>

/* The first chunk has room for what a process begins with: a heap, a leaf of the page map, and the
 * descriptor of a region. */
#define ARENA_FIRST_BYTES ((size_t)1 << 20)
#define ARENA_CHUNK_BYTES ((size_t)128 << 10)

struct arena_chunk {
    size_t bytes;        /* const */
    _Atomic size_t used; /* atomic */
};

static _Atomic(struct arena_chunk *) arena_current;

static void *arena_take(struct arena_chunk *chunk, size_t bytes, size_t alignment) {
    size_t used = atomic_load_explicit(&chunk->used, memory_order_relaxed);
    for (;;) {
        size_t start = hak_align_up(used, alignment);
        if (start > chunk->bytes || bytes > chunk->bytes - start) return NULL;
        /* relaxed: the bytes between are ours as soon as the count includes them */
        if (atomic_compare_exchange_weak_explicit(&chunk->used, &used, start + bytes,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            return (char *)chunk + start;
        }
    }
}

void *hak_arena_map(size_t bytes) {
    void *start = hak_page_map(bytes, hak_page_bytes(), HAK_PAGE_META);
    if (start) hak_page_avoid_huge(start, bytes);
    return start;
}

/* Replaces a chunk that is full (NULL: there is none yet).  False: no memory. */
static bool arena_grow(struct arena_chunk *full) {
    size_t bytes = hak_align_up(full ? ARENA_CHUNK_BYTES : ARENA_FIRST_BYTES, hak_page_bytes());
    struct arena_chunk *fresh = hak_arena_map(bytes);
    if (!fresh) return false;
    fresh->bytes = bytes;
    atomic_store_explicit(&fresh->used, hak_align_up(sizeof *fresh, HAK_CACHE_LINE),
                          memory_order_relaxed);
    if (!atomic_compare_exchange_strong_explicit(&arena_current, &full, fresh, memory_order_release,
                                                 memory_order_relaxed)) {
        hak_page_unmap(fresh, bytes, HAK_PAGE_META); /* another thread was first */
    }
    return true;
}

void *hak_arena_alloc(size_t bytes, size_t alignment) {
    for (;;) {
        struct arena_chunk *chunk = atomic_load_explicit(&arena_current, memory_order_acquire);
        void *taken = chunk ? arena_take(chunk, bytes, alignment) : NULL;
        if (taken) return taken;
        if (bytes > (chunk ? ARENA_CHUNK_BYTES / 4 : ARENA_FIRST_BYTES / 4 * 3))
            return hak_arena_map(hak_align_up(bytes, hak_page_bytes()));
        if (!arena_grow(chunk)) return NULL;
    }
}
