/* SPDX-License-Identifier: MIT
 *
 * What the hot path falls to, and the general forms that the rest of front/ is made of.
 *
 * Concurrency: callable from any thread, in any state of its thread-local data.
 */
#ifndef HAK_FRONT_SLOW_H
#define HAK_FRONT_SLOW_H

#include "base/base.h"
#include "span/map.h"

/* Reads the options and gives the thread a heap, as its first allocation would. */
void hak_slow_start(void);

/* malloc, when the hot path can't.  `site`: who has called it (observe/site.h); NULL: nobody. */
void *hak_slow_malloc(size_t size, const void *site);

/* free, when the hot path can't. */
void hak_slow_free(void *pointer);

/* Checked mode: a free with a promised size. */
void hak_slow_free_sized(void *pointer, size_t size, const char *function);

/* free of a block of the thread's heap, which is not in use any more, when its bin is full;
 * `difference` is that between the tags of the block's unit and the thread. */
void hak_slow_overflow(void *pointer, uint64_t difference);

/* The general allocation: `alignment` a power of two.  *zeroed, in: zeros are wanted, if they
 * cost nothing; out: the block reads as zeros.  NULL with errno ENOMEM. */
void *hak_slow_allocate(size_t size, size_t alignment, bool *zeroed, const void *site);

/* Before the last attempt of an allocation: what is free in the wrong place may be what is missing.
 * Gives back what the thread's magazines and parked heaps have, and what waits to be purged. */
void hak_slow_spare(void) HAK_COLD;

/* The general free of a pointer into a unit with `tag`, naming the function in messages. */
void hak_slow_release(void *pointer, uint32_t tag, const char *function);

/* What to do with pointers of another allocator, set by preload/.  Each returns false if the
 * pointer is not known there either. */
struct hak_other_malloc {
    bool (*free)(void *pointer);
    bool (*realloc)(void *pointer, size_t size, void **result);
    bool (*usable)(const void *pointer, size_t *bytes);
};
extern const struct hak_other_malloc *_Atomic hak_slow_foreign;

#endif
