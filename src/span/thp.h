/* SPDX-License-Identifier: MIT
 *
 * Whether the next superslab is to be one huge page.
 *
 * Only superslabs for slabs of many blocks are, which are filled from one end to the other; and
 * only in a large heap, so that what is resident and not yet used stays below a share of it.  What
 * it costs to touch a huge page is measured, and what its small pages would: that depends on the
 * machine, on what its memory looks like now, and on what is beneath it.  Where huge pages are
 * dearer they are tried again, rarely.
 *
 * Concurrency: callable from any thread, no locks; what was measured is kept in relaxed atomics, of
 * which one that another thread overwrites costs a sample.
 */
#ifndef HAK_SPAN_THP_H
#define HAK_SPAN_THP_H

#include "base/base.h"

/* Touches a fresh superslab as is best now: not at all, its first unit as a sample of small pages,
 * or all of it.  `dense`: so many others are in use by slabs of many blocks.  True: it is one huge
 * page now, and resident as a whole. */
bool hak_thp_touch(char *base, uint32_t dense);

#endif
