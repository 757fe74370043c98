/* SPDX-License-Identifier: MIT
 *
 * How large magazines are, and how much is moved at once: both follow what the program does.
 *
 *   turns   A magazine that is flushed after a refill and refilled after a flush, more than once,
 *           is too small, and grows to double, up to the options magazine_blocks and
 *           magazine_bytes; all of a heap together to 16 times magazine_bytes, and 64 KiB, or one
 *           block, each.
 *   drift   A refill fills half of a magazine, and a flush leaves half; after a few in a row almost
 *           all, or almost none.
 *   slabs   A class that grows and has many slabs gets a batch at each refill, and new pages many
 *           at a time.
 *   single  Above 32 KiB, where a block has a slab to itself, one at a time.
 *   young   A thread's first refills of a class are small.
 *
 * One that is idle shrinks (heap/idle.h).
 *
 * All of this is for the owner of the heap, inside its slow path (H5).
 *
 * Not here: refill and flush (heap/bin.h), the arrays (heap/slots.h).
 */
#ifndef HAK_HEAP_MAGAZINE_H
#define HAK_HEAP_MAGAZINE_H

#include "heap/heap.h"

/* Changes the capacity of a magazine, which may need a larger array: without memory for that it
 * stays as it is. */
void hak_magazine_resize(struct hak_heap *heap, unsigned class, uint32_t capacity);

/* A class that is used for the first time gets its array.  False: no memory. */
bool hak_magazine_ready(struct hak_heap *heap, unsigned class);

/* The most blocks that a magazine may have room for now. */
uint32_t hak_magazine_max(unsigned class);

/* To be called where a flush comes after a refill, or a refill after a flush. */
void hak_magazine_turn(struct hak_heap *heap, unsigned class);

/* Where a refill comes after another one. */
void hak_magazine_follow(struct hak_heap *heap, unsigned class);

/* How many blocks a magazine is to have after a refill (step = 1), or a flush (-1). */
uint32_t hak_magazine_level(struct hak_bin_cold *cold, int step);

/* Blocks for a refill to bring: 1 to HAK_BATCH_MAX, H6. */
unsigned hak_magazine_batch(struct hak_bin_cold *cold);

/* How many bytes of a new slab are to be made resident before blocks are cut from it; 0: let them
 * come as they are touched. */
size_t hak_magazine_ahead(const struct hak_heap *heap, unsigned class);

#endif
