/* SPDX-License-Identifier: MIT
 *
 * Bump allocation over chunks, from both ends: what is aligned to pages is taken from the end of a
 * chunk, so that small structures lie together at its start, in few pages.
 *
 * Concurrency: what is left of a chunk only shrinks, by compare-and-swap; arena_current is
 * replaced, when the chunk is full, by compare-and-swap with release (pairs with the acquire load
 * before use).  What is left of a replaced chunk is lost: less than one structure.
 */
#include "span/arena.h"

#include "os/page.h"

#include <stdatomic.h>

/* The first chunk has room for what a process begins with: a heap, a leaf of the page map, and the
 * descriptor of a region. */
#define ARENA_FIRST_BYTES ((size_t)1 << 20)
#define ARENA_CHUNK_BYTES ((size_t)128 << 10)

/* Where the part that is left starts (low half) and ends (high half), from the chunk's start. */
typedef uint64_t arena_rest;

struct arena_chunk {
    _Atomic arena_rest rest; /* atomic */
};

static _Atomic(struct arena_chunk *) arena_current;

static arena_rest arena_rest_of(size_t start, size_t end) {
    return (arena_rest)end << 32 | start;
}

static void *arena_take(struct arena_chunk *chunk, size_t bytes, size_t alignment) {
    arena_rest rest = atomic_load_explicit(&chunk->rest, memory_order_relaxed);
    for (;;) {
        size_t start = (uint32_t)rest, end = (size_t)(rest >> 32), taken;
        if (alignment < HAK_PAGE_BYTES_MIN) {
            taken = hak_align_up(start, alignment);
            if (taken > end || bytes > end - taken) return NULL;
            start = taken + bytes;
        } else {
            if (bytes > end) return NULL;
            taken = end = (end - bytes) & ~(alignment - 1);
            if (start > end) return NULL;
        }
        /* relaxed: the bytes between are ours as soon as the rest is without them */
        if (atomic_compare_exchange_weak_explicit(&chunk->rest, &rest, arena_rest_of(start, end),
                                                  memory_order_relaxed, memory_order_relaxed)) {
            return (char *)chunk + taken;
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
    atomic_store_explicit(&fresh->rest,
                          arena_rest_of(hak_align_up(sizeof *fresh, HAK_CACHE_LINE), bytes),
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
