/* SPDX-License-Identifier: MIT
 *
 * Memory for the allocator's own structures: heaps, and descriptors of regions.  It is never
 * returned; whoever retires a structure keeps it for the next of its kind.
 */
#ifndef HAK_SPAN_ARENA_H
#define HAK_SPAN_ARENA_H

#include "base/base.h"

/* A mapping of its own, of whole pages, without huge ones; may be unmapped.  NULL: no memory. */
void *hak_arena_map(size_t bytes);

/* Zeroed memory, aligned to `alignment` (a power of two up to a page); NULL if there is none. */
void *hak_arena_alloc(size_t bytes, size_t alignment);

#endif
