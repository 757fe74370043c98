/* SPDX-License-Identifier: MIT
 *
 * Memory for the allocator's own structures: heaps, and descriptors of regions.  It is never
 * returned; whoever retires a structure keeps it for the next of its kind.
 */
#ifndef HAK_SPAN_ARENA_H
#define HAK_SPAN_ARENA_H

#include "base/base.h"

/* Zeroed memory, aligned to `alignment` (a power of two up to a page); NULL if there is none. */
void *hak_arena_alloc(size_t bytes, size_t alignment);

#endif
