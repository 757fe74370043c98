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

#include <stdatomic.h>

/* How a superslab that is taken now is to be touched first. */
enum hak_thp_plan {
    HAK_THP_PLAIN,  /* as its blocks are */
    HAK_THP_SAMPLE, /* the same, but the first unit at once, to see what that costs */
    HAK_THP_WHOLE   /* as one huge page */
};

/* `dense`: so many superslabs are in use by slabs of many blocks. */
enum hak_thp_plan hak_thp_plan(uint32_t dense);

/* Touches the first unit of a fresh superslab, as a sample. */
void hak_thp_sample(char *base);

/* Touches a fresh superslab.  False: it has got no huge page. */
bool hak_thp_touch(char *base);

#endif
