/* SPDX-License-Identifier: MIT
 *
 * A cache of large items by call site and size class: what a site has given back waits for the
 * next call of the same site for the same class.  It knows nothing of what the items are.
 *
 * A hash (FNV-1a) of 256 buckets, which doubles up to 65,536 whenever there are two items a
 * bucket; items that collide are chained, the newest first.  A bucket of a larger table takes
 * its items from the bucket of the one before when it is first looked at.
 *
 * An item leaves when it is taken; when its time is over; or when more bytes are cached than may
 * be.
 *
 * Concurrency: callable from any thread, and from a signal handler.  Each bucket has a lock that
 * is only ever tried: who finds it held goes on as if nothing were there, or as if there were no
 * place.  A child that was forked while another thread worked on a bucket finds its list whole,
 * but for the item that thread had in its hands.  No lock is held while `evict` is called.
 */
#ifndef HAK_LARGE_BIGCACHE_H
#define HAK_LARGE_BIGCACHE_H

#include "base/base.h"

/* What is done with an item that leaves without being taken.  expired: its time is over. */
typedef void hak_bigcache_evict(void *item, bool expired);

struct hak_bigcache_stats {
    uint64_t hits, misses, puts, refused, expired, evicted;
    size_t bytes, items, buckets; /* now */
};

/* Must come first; may be repeated. */
void hak_bigcache_init(hak_bigcache_evict *evict);

/* Evicts everything.  The cache can be used again. */
void hak_bigcache_shutdown(void);

/* The newest item of a site and class, which is the caller's then; NULL: there is none. */
void *hak_bigcache_try_get(uint32_t site, uint32_t class);

/* Times to keep an item: as long as hak_bigcache_expire says; for ever. */
#define HAK_BIGCACHE_USUAL (UINT32_MAX - 1)
#define HAK_BIGCACHE_EVER  UINT32_MAX

/* Keeps an item for keep_ms from now_ms on (low 32 bits of a clock), or one of these times.  False:
 * it is still the caller's. */
bool hak_bigcache_put(uint32_t site, uint32_t class, void *item, size_t bytes, uint32_t now_ms,
                      uint32_t keep_ms);

/* Evicts what is over, in some of the buckets; the next call goes on with others.  usual_ms: how
 * long the usual time is now. */
void hak_bigcache_expire(uint32_t now_ms, uint32_t usual_ms);

/* Evicts until at most `budget` bytes are left: going round, from each bucket the item that was to
 * be kept for the shortest time, of these the oldest. */
void hak_bigcache_trim(size_t budget);

/* Evicts one item of a class up to `most`, as hak_bigcache_trim does; if there is one. */
void hak_bigcache_give(uint32_t most);

struct hak_bigcache_stats hak_bigcache_stats(void);

/* The bytes of stats, alone. */
size_t hak_bigcache_bytes(void);

#endif
