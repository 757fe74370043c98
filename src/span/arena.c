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

void *hak_arena_alloc(size_t bytes, size_t alignment) {
    size_t page = hak_page_bytes();
    if (bytes > ARENA_CHUNK_BYTES / 4) return hak_arena_map(hak_align_up(bytes, page));
    for (;;) {
        struct arena_chunk *chunk = atomic_load_explicit(&arena_current, memory_order_acquire);
        void *taken = chunk ? arena_take(chunk, bytes, alignment) : NULL;
        if (taken) return taken;
        size_t chunk_bytes = hak_align_up(ARENA_CHUNK_BYTES, page);
        struct arena_chunk *fresh = hak_arena_map(chunk_bytes);
        if (!fresh) return NULL;
        fresh->bytes = chunk_bytes;
        atomic_store_explicit(&fresh->used, hak_align_up(sizeof *fresh, HAK_CACHE_LINE),
                              memory_order_relaxed);
        if (!atomic_compare_exchange_strong_explicit(&arena_current, &chunk, fresh,
                                                     memory_order_release, memory_order_relaxed)) {
            hak_page_unmap(fresh, chunk_bytes, HAK_PAGE_META);
        }
    }
}
