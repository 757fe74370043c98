/* SPDX-License-Identifier: MIT
 *
 * Giving back the pages of a slab that is not empty: those that lie in its free blocks as a whole.
 *
 * Concurrency: for the owner, as the rest of slab/slab.h.
 */
#ifndef HAK_SLAB_THIN_H
#define HAK_SLAB_THIN_H

#include "slab/slab.h"

/* Purges the whole pages of free blocks, unless nothing was put since the last time.  They read as
 * zeros then.  Returns the bytes given back. */
size_t hak_slab_thin(struct hak_slab *slab);

#endif
