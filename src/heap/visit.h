/* SPDX-License-Identifier: MIT
 *
 * Visits: the background thread gives back what a thread that sleeps keeps free, in its magazines,
 * its outboxes, its inbox and its slabs.
 *
 * The owner pays nothing for it: no fence, no atomic step, and in the hot path no instruction.
 *
 *   slow paths   The visitor sets `visitor`, the owner `busy`; each then looks at the other's word,
 *                and a barrier that the visitor asks for (os/barrier.h) makes one of them see the
 *                other.  The owner waits then, and the visitor does no more than one batch.
 *   the hot      The visitor takes a block out of its slot: the owner finds a magazine that ends
 *   path         there, and goes to its slow path.  After another barrier what is below belongs to
 *                the visitor, if the owner's top is above.
 *   open.h       The same, for magazines and outboxes; a call under way shows by `held`.
 *
 * (slow_borrow, in front/slow.c, is as the hot path.)
 *
 * Not in checked mode: the inbox.  Its owner changes allocated bits by plain instructions.
 *
 * Invariant H8: while `visitor` is set the owner is inside no slow path.
 *
 * Fork: the child's owner finds a visitor of another process, ends what that had begun, and makes
 * its lists anew.  What the visitor had taken, and not yet returned, is lost to the child.
 *
 * Concurrency: one visitor at a time in a process.
 *
 * Not here: when to do it (policy/).
 */
#ifndef HAK_HEAP_VISIT_H
#define HAK_HEAP_VISIT_H

#include "heap/heap.h"

/* Visits the heap of a thread.  thin: purges pages inside of its slabs, too.  False: not everything
 * was done, as its owner was at work; or nobody has the heap. */
bool hak_visit(struct hak_heap *heap, bool thin);

/* Visits every heap whose thread was in no slow path since `empty_ms`, and thins the slabs of those
 * where that is so since `thin_ms`; each once.  Ages count from when a call first saw them.  `now`:
 * low 32 bits.  True: there are heaps that may be visited later. */
bool hak_visit_quiet(uint32_t now_ms, uint32_t empty_ms, uint32_t thin_ms);

#endif
