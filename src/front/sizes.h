/* SPDX-License-Identifier: MIT
 *
 * How large blocks are, and other sizes for those above 32 KiB where they are.
 *
 * Concurrency: as front/slow.h.
 */
#ifndef HAK_FRONT_SIZES_H
#define HAK_FRONT_SIZES_H

#include "base/base.h"

/* Bytes of the block at `pointer`, judged as free would; 0: a bad pointer, which has been
 * reported. */
size_t hak_sizes_usable(const void *pointer, const char *function);

/* Makes a block larger or smaller where it is, for `size` > HAK_CLASS_SHARED_MAX.  Only of this
 * thread's own, and with a slab to itself; it has been judged.  False: it can't be. */
bool hak_sizes_resize(void *block, size_t size);

/* A block of up to HAK_LARGE_MAX for what grows, in which it can go on growing; NULL: an ordinary
 * one will have to do.  `site`: as in front/slow.h. */
void *hak_sizes_grow(size_t size, const void *site);

#endif
