/* SPDX-License-Identifier: MIT
 *
 * A histogram of durations, with an error below 1.6 % at any size: 64 buckets for each power of
 * two, as in Tene's HdrHistogram (which Debian 12 does not have for C).
 *
 * Concurrency: a histogram belongs to one thread at a time.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BITS    6
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS)

struct histogram {
    uint64_t count, most;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

/* Values below 128 have a bucket each; from there on 64 share a power of two. */
static inline size_t histogram_index(uint64_t value) {
    unsigned shift = value >> (HISTOGRAM_BITS + 1)
                         ? 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS
                         : 0;
    return ((size_t)shift << HISTOGRAM_BITS) + (size_t)(value >> shift);
}

/* The largest value of a bucket. */
static inline uint64_t histogram_value(size_t index) {
    unsigned shift = index >> (HISTOGRAM_BITS + 1) ? (unsigned)(index >> HISTOGRAM_BITS) - 1 : 0;
    uint64_t first = (uint64_t)(index - ((size_t)shift << HISTOGRAM_BITS)) << shift;
    return first + ((uint64_t)1 << shift) - 1;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value) {
    histogram->bucket[histogram_index(value)]++;
    histogram->count++;
    if (value > histogram->most) histogram->most = value;
}

static inline void histogram_merge(struct histogram *to, const struct histogram *from) {
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) to->bucket[i] += from->bucket[i];
    to->count += from->count;
    if (from->most > to->most) to->most = from->most;
}

/* The value that a share of all values, 0 to 1, does not exceed. */
static inline uint64_t histogram_quantile(const struct histogram *histogram, double share) {
    double wanted = share * (double)histogram->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->bucket[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t value = histogram_value(i);
            return value < histogram->most ? value : histogram->most;
        }
    }
    return histogram->most;
}

#endif /* BENCH_HISTOGRAM_H */
