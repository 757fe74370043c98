/* SPDX-License-Identifier: MIT
 *
 * Header: large/bigcache.h.
 *
 * Entries belong to a bucket and are used again there; they move only when a larger table's bucket
 * takes them over.
 */
#include "large/bigcache.h"

#include "base/bits.h"
#include "base/counter.h"
#include "os/lock.h"
#include "span/arena.h"

#define CACHE_SHIFT_FIRST (HAK_STRESS ? 1u : 8u)
#define CACHE_SHIFT_LAST  16u

/* An expiry looks at so many buckets. */
#define CACHE_LOOKS 256u

struct cache_entry {
    struct cache_entry *next;
    void *item;
    size_t bytes;
    uint32_t site, class;
    uint32_t since_ms, keep_ms;
};

/* All but the lock is for its holder. */
struct cache_bucket {
    _Atomic uint32_t lock; /* os/lock.h */
    uint32_t shift;        /* of its table; 0: it has not taken its items from the one before */
    struct cache_entry *first;
    struct cache_entry *spare; /* without an item */
};

/* atomic: set once each; the table of 1 << n buckets, with their bits behind it */
static _Atomic(struct cache_bucket *) cache_table[CACHE_SHIFT_LAST + 1];
static _Atomic uint32_t cache_shift;  /* atomic: of the table in use; 0: none yet.  Only grows */
static _Atomic uint32_t cache_cursor; /* atomic, relaxed: where expiry and trimming go on */
static _Atomic(hak_bigcache_evict *) cache_evict; /* atomic, relaxed */

static struct {
    hak_count_t hits, misses, puts, refused, expired, evicted, bytes, items;
} cache_count; /* atomic, relaxed */

void hak_bigcache_init(hak_bigcache_evict *evict) {
    atomic_store_explicit(&cache_evict, evict, memory_order_relaxed);
}

/* FNV-1a, 32 bits (G. Fowler, L. C. Noll, K.-P. Vo; RFC 9923). */
static uint32_t cache_hash(uint32_t site, uint32_t class) {
    const uint32_t word[2] = {site, class};
    uint32_t hash = 2166136261u;
    for (unsigned i = 0; i < 8; i++) {
        hash ^= word[i / 4] >> i % 4 * 8 & 0xff;
        hash *= 16777619u;
    }
    return hash;
}

static uint32_t cache_mask(uint32_t shift) {
    return ((uint32_t)1 << shift) - 1;
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static size_t cache_vacant_words(uint32_t shift) {
    return ((size_t)cache_mask(shift) + 64) / 64;
}

static size_t cache_table_bytes(uint32_t shift) {
    return (sizeof(struct cache_bucket) << shift) + cache_vacant_words(shift) * sizeof(uint64_t);
}

/* A bit for each bucket, set if it has no items, so that nobody looks for one there.  Those that
 * have not taken their items yet may have some.  atomic, relaxed: changed by the holder of the
 * bucket's lock. */
static _Atomic uint64_t *cache_vacant(struct cache_bucket *table, uint32_t shift) {
    return (_Atomic uint64_t *)(void *)(table + ((size_t)1 << shift));
}

/* In the first table nothing can have items from one before. */
static void cache_vacate_all(struct cache_bucket *table, uint32_t shift) {
    _Atomic uint64_t *vacant = cache_vacant(table, shift);
    for (size_t i = 0; i < cache_vacant_words(shift); i++)
        atomic_store_explicit(&vacant[i], UINT64_MAX, memory_order_relaxed);
}

/* Makes the table of 1 << shift buckets and puts it into use.  False: no memory. */
static bool cache_grow(uint32_t old, uint32_t shift) {
    struct cache_bucket *none = NULL;
    if (!atomic_load_explicit(&cache_table[shift], memory_order_acquire)) {
        struct cache_bucket *table = hak_arena_alloc(cache_table_bytes(shift), HAK_CACHE_LINE);
        if (!table) return false;
        if (!old) cache_vacate_all(table, shift);
        /* release: who sees the shift sees zeroed buckets.  The loser's table stays unused. */
        atomic_compare_exchange_strong_explicit(&cache_table[shift], &none, table,
                                                memory_order_release, memory_order_relaxed);
    }
    /* acq_rel: the table before the shift; whoever was first has grown it as far */
    atomic_compare_exchange_strong_explicit(&cache_shift, &old, shift, memory_order_acq_rel,
                                            memory_order_relaxed);
    return true;
}

static struct cache_bucket *cache_bucket_at(uint32_t hash, uint32_t shift) {
    struct cache_bucket *table = atomic_load_explicit(&cache_table[shift], memory_order_acquire);
    return &table[hash & cache_mask(shift)];
}

/* Moves those entries of a bucket to one of the next table that belong there. */
static void cache_split(struct cache_bucket *from, struct cache_bucket *to, uint32_t hash,
                        uint32_t shift) {
    struct cache_entry **at = &from->first, **end = &to->first;
    while (*at) {
        struct cache_entry *entry = *at;
        if ((cache_hash(entry->site, entry->class) ^ hash) & cache_mask(shift)) {
            at = &entry->next;
            continue;
        }
        *at = entry->next;
        entry->next = NULL;
        *end = entry; /* in the same order */
        end = &entry->next;
    }
}

static void cache_unlock(struct cache_bucket *bucket) {
    struct cache_bucket *table = cache_bucket_at(0, bucket->shift);
    size_t index = (size_t)(bucket - table);
    _Atomic uint64_t *word = &cache_vacant(table, bucket->shift)[index / 64];
    uint64_t bit = hak_bits_one(index);
    bool marked = atomic_load_explicit(word, memory_order_relaxed) & bit;
    if (marked && bucket->first) atomic_fetch_and_explicit(word, ~bit, memory_order_relaxed);
    if (!marked && !bucket->first) atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
    hak_lock_release(&bucket->lock);
}

/* Locks the bucket of a hash in one table, and has it take what is its own.  NULL: somebody works
 * there. */
static struct cache_bucket *cache_lock_in(uint32_t hash, uint32_t shift) {
    struct cache_bucket *bucket = cache_bucket_at(hash, shift);
    if (!hak_lock_try(&bucket->lock)) return NULL;
    if (!bucket->shift && shift > CACHE_SHIFT_FIRST) {
        struct cache_bucket *before = cache_lock_in(hash, shift - 1);
        if (!before) {
            hak_lock_release(&bucket->lock);
            return NULL;
        }
        cache_split(before, bucket, hash, shift);
        cache_unlock(before);
    }
    bucket->shift = shift;
    return bucket;
}

/* The same in the table in use.  Nobody takes from the bucket for a larger table without its lock:
 * so it is in use as long as it is held. */
static struct cache_bucket *cache_lock(uint32_t hash) {
    uint32_t shift = atomic_load_explicit(&cache_shift, memory_order_acquire);
    struct cache_bucket *bucket = shift ? cache_lock_in(hash, shift) : NULL;
    if (!bucket || shift == atomic_load_explicit(&cache_shift, memory_order_acquire)) return bucket;
    cache_unlock(bucket);
    return NULL;
}

/* ---- Entries --------------------------------------------------------------------------------- */

static struct cache_entry *cache_entry_new(struct cache_bucket *bucket) {
    struct cache_entry *entry = bucket->spare;
    if (!entry) return hak_arena_alloc(sizeof *entry, _Alignof(struct cache_entry));
    bucket->spare = entry->next;
    return entry;
}

/* Takes an entry out of its bucket, and the item out of it. */
static void *cache_take(struct cache_bucket *bucket, struct cache_entry **at) {
    struct cache_entry *entry = *at;
    void *item = entry->item;
    *at = entry->next;
    hak_order_stores(); /* first: no child finds an item that was taken */
    hak_counter_sub(&cache_count.bytes, entry->bytes);
    hak_counter_sub(&cache_count.items, 1);
    entry->item = NULL;
    entry->next = bucket->spare;
    bucket->spare = entry;
    return item;
}

void *hak_bigcache_try_get(uint32_t site, uint32_t class) {
    struct cache_bucket *bucket = cache_lock(cache_hash(site, class));
    void *item = NULL;
    if (bucket) {
        struct cache_entry **at = &bucket->first;
        while (*at && ((*at)->site != site || (*at)->class != class)) at = &(*at)->next;
        if (*at) item = cache_take(bucket, at);
        cache_unlock(bucket);
    }
    hak_counter_add(item ? &cache_count.hits : &cache_count.misses, 1);
    return item;
}

static bool cache_put(const struct cache_entry *new) {
    uint32_t shift = atomic_load_explicit(&cache_shift, memory_order_acquire);
    if (!shift && !cache_grow(0, CACHE_SHIFT_FIRST)) return false;
    if (shift && shift < CACHE_SHIFT_LAST &&
        hak_counter_read(&cache_count.items) >= (size_t)2 << shift) {
        cache_grow(shift, shift + 1); /* without memory the chains get longer */
    }
    struct cache_bucket *bucket = cache_lock(cache_hash(new->site, new->class));
    if (!bucket) return false;
    struct cache_entry *entry = cache_entry_new(bucket);
    if (entry) {
        *entry = *new;
        entry->next = bucket->first;
        hak_order_stores();
        bucket->first = entry;
        hak_counter_add(&cache_count.bytes, new->bytes);
        hak_counter_add(&cache_count.items, 1);
    }
    cache_unlock(bucket);
    return entry != NULL;
}

bool hak_bigcache_put(uint32_t site, uint32_t class, void *item, size_t bytes, uint32_t now_ms,
                      uint32_t keep_ms) {
    bool put = cache_put(&(struct cache_entry){.item = item,
                                               .bytes = bytes,
                                               .site = site,
                                               .class = class,
                                               .since_ms = now_ms,
                                               .keep_ms = keep_ms});
    hak_counter_add(put ? &cache_count.puts : &cache_count.refused, 1);
    return put;
}

/* ---- Eviction -------------------------------------------------------------------------------- */

/* A moment, and how long the usual time is then. */
struct cache_time {
    uint32_t now_ms, usual_ms;
};

static bool cache_is_over(const struct cache_entry *entry, const struct cache_time *time) {
    uint32_t keep = entry->keep_ms == HAK_BIGCACHE_USUAL ? time->usual_ms : entry->keep_ms;
    /* Another thread's clock may be ahead. */
    int32_t age = (int32_t)(time->now_ms - entry->since_ms);
    return keep != HAK_BIGCACHE_EVER && age >= 0 && (uint32_t)age >= keep;
}

/* How much it is worth to keep an entry: for how long that pays.  The usual time is about this. */
static uint32_t cache_worth(const struct cache_entry *entry) {
    return entry->keep_ms == HAK_BIGCACHE_USUAL ? 1000 : entry->keep_ms;
}

/* An entry of a bucket whose time is over; NULL: none. */
static struct cache_entry **cache_find_over(struct cache_bucket *bucket,
                                            const struct cache_time *time) {
    struct cache_entry **at = &bucket->first;
    while (*at && !cache_is_over(*at, time)) at = &(*at)->next;
    return *at ? at : NULL;
}

/* Of the entries of a class up to `most` the one that is worth the least; NULL: there is none. */
static struct cache_entry **cache_find_least(struct cache_bucket *bucket, uint32_t most) {
    struct cache_entry **least = NULL;
    for (struct cache_entry **at = &bucket->first; *at; at = &(*at)->next)
        if ((*at)->class <= most && (!least || cache_worth(*at) <= cache_worth(*least))) least = at;
    return least;
}

/* Evicts an entry (NULL: none) of a locked bucket, and unlocks that.  False: there was none. */
static bool cache_evict_entry(struct cache_bucket *bucket, struct cache_entry **at, bool expired) {
    void *item = at ? cache_take(bucket, at) : NULL;
    cache_unlock(bucket);
    if (!item) return false;
    hak_counter_add(expired ? &cache_count.expired : &cache_count.evicted, 1);
    atomic_load_explicit(&cache_evict, memory_order_relaxed)(item, expired);
    return true;
}

/* Evicts one item of the bucket at `index`: one that is over.  False: there is none. */
static bool cache_expire_one(uint32_t index, const struct cache_time *time) {
    struct cache_bucket *bucket = cache_lock(index);
    return bucket && cache_evict_entry(bucket, cache_find_over(bucket, time), true);
}

/* The same, one that is worth the least of the classes up to `most`. */
static bool cache_evict_one(uint32_t index, uint32_t most) {
    struct cache_bucket *bucket = cache_lock(index);
    return bucket && cache_evict_entry(bucket, cache_find_least(bucket, most), false);
}

/* The buckets of the table in use. */
static uint32_t cache_buckets(void) {
    uint32_t shift = atomic_load_explicit(&cache_shift, memory_order_acquire);
    return shift ? (uint32_t)1 << shift : 0;
}

/* The next bucket that may have items, going round.  *left, in and out: how many are to be passed
 * by, at most.  False: there is none among them. */
static bool cache_next(uint32_t *left, uint32_t *index) {
    uint32_t shift = atomic_load_explicit(&cache_shift, memory_order_acquire);
    if (!shift) return false;
    _Atomic uint64_t *vacant = cache_vacant(cache_bucket_at(0, shift), shift);
    uint32_t at = atomic_load_explicit(&cache_cursor, memory_order_relaxed) & cache_mask(shift);
    bool found = false;
    while (!found && *left) {
        uint64_t word = atomic_load_explicit(&vacant[at / 64], memory_order_relaxed);
        uint32_t run = hak_bits_run_length(word, at % 64);
        uint32_t rest = (uint32_t)hak_min_size(64 - at % 64, cache_mask(shift) - at + 1);
        found = run < rest && run < *left;
        uint32_t step = found ? run + 1 : (uint32_t)hak_min_size(rest, *left);
        *index = at + run;
        *left -= step;
        at = (at + step) & cache_mask(shift);
    }
    atomic_store_explicit(&cache_cursor, at, memory_order_relaxed);
    return found;
}

void hak_bigcache_expire(uint32_t now_ms, uint32_t usual_ms) {
    const struct cache_time time = {now_ms, usual_ms};
    uint32_t left = cache_buckets(), index;
    for (uint32_t looks = CACHE_LOOKS; looks && cache_next(&left, &index); looks--) {
        while (cache_expire_one(index, &time)) {
        }
    }
}

void hak_bigcache_trim(size_t budget) {
    uint32_t left = cache_buckets(), index;
    while (hak_bigcache_bytes() > budget && cache_next(&left, &index))
        if (cache_evict_one(index, UINT32_MAX)) left = cache_buckets();
}

void hak_bigcache_give(uint32_t most) {
    uint32_t left = cache_buckets(), index;
    while (cache_next(&left, &index) && !cache_evict_one(index, most)) {
    }
}

void hak_bigcache_shutdown(void) {
    hak_bigcache_trim(0);
}

/* ---- Statistics ------------------------------------------------------------------------------ */

size_t hak_bigcache_bytes(void) {
    return hak_counter_read(&cache_count.bytes);
}

struct hak_bigcache_stats hak_bigcache_stats(void) {
    uint32_t shift = atomic_load_explicit(&cache_shift, memory_order_relaxed);
    return (struct hak_bigcache_stats){
        .hits = hak_counter_read(&cache_count.hits),
        .misses = hak_counter_read(&cache_count.misses),
        .puts = hak_counter_read(&cache_count.puts),
        .refused = hak_counter_read(&cache_count.refused),
        .expired = hak_counter_read(&cache_count.expired),
        .evicted = hak_counter_read(&cache_count.evicted),
        .bytes = hak_bigcache_bytes(),
        .items = hak_counter_read(&cache_count.items),
        .buckets = shift ? (size_t)1 << shift : 0,
    };
}
