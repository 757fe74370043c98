/* SPDX-License-Identifier: MIT
 *
 * Huge blocks, with the cache (large/bigcache.h) in front of them: what a site frees is given to
 * the next call of that site for a block that fits.
 *
 * Up to 32 MiB the blocks of as many superslabs fit in each other's places, where the smallest have
 * two.  Above, sizes are rounded up to one of eight a doubling.
 *
 * Whoever claims a superslab, for small blocks or a huge one, is given the place of a cached
 * block first, one at a time: memory that is there is used before memory that is not.
 *
 * Budget: huge blocks in use and in the cache are together at most what was in use at the most,
 * lately, or 8 MiB more than what is in use now.  "Lately": in this window of 10 seconds, or the
 * one before.
 *
 * Concurrency: as huge.h.
 */
#ifndef HAK_LARGE_CACHED_H
#define HAK_LARGE_CACHED_H

#include "large/huge.h"

/* As hak_huge_alloc, for a site (observe/site.h).  *zeroed, in: zeros are wanted.  Then a block
 * above 32 MiB is not taken from the cache: a new one has them, and becomes resident only where it
 * is written to.  Without memory it stays as it was. */
struct hak_superslab *hak_cached_alloc(size_t size, size_t alignment, uint16_t site, bool *zeroed);

/* As hak_cached_alloc, for a block below the large limit that grows (hak_huge_may_grow).  NULL: it
 * has to be an ordinary one. */
struct hak_superslab *hak_cached_grow(size_t size, uint16_t site);

/* As hak_huge_free; it may be kept for keep_ms (0: not; HAK_BIGCACHE_USUAL: the option
 * purge_delay_ms; HAK_BIGCACHE_EVER) from now_ms on. */
void hak_cached_free(struct hak_superslab *huge, uint32_t now_ms, uint32_t keep_ms);

/* After hak_huge_resize. */
void hak_cached_resized(size_t from_bytes, size_t to_bytes);

/* The bytes that a block has for `size` > HAK_LARGE_MAX, a multiple of the page size unless it is
 * too large for any block. */
size_t hak_cached_round(size_t size);

/* Gives up what was kept for long enough; call it now and then.  The second one does so at every
 * call, with another usual time. */
void hak_cached_expire(uint32_t now_ms);
void hak_cached_expire_now(uint32_t now_ms, uint32_t usual_ms);

/* Gives up everything. */
void hak_cached_collect(void);

#endif
