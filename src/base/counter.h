/* SPDX-License-Identifier: MIT
 *
 * The counter table: what the engine writes for observe/ to read.  Process-wide counts, all of
 * slow paths and system calls; those of one heap are in struct hak_heap.
 *
 * Every field is atomic, relaxed: a count orders nothing and is read as an estimate.
 */
#ifndef HAK_BASE_COUNTER_H
#define HAK_BASE_COUNTER_H

#include "base/base.h"

#include <stdatomic.h>

typedef _Atomic uint64_t hak_count_t;

struct hak_counters {
    /* system calls, and those that failed */
    hak_count_t os_mmap, os_munmap, os_mremap, os_mprotect;
    hak_count_t os_madvise_dontneed, os_madvise_free, os_madvise_hugepage, os_madvise_nohugepage;
    hak_count_t os_madvise_populate;
    hak_count_t os_mmap_failed, os_munmap_failed, os_mremap_failed, os_mprotect_failed;
    hak_count_t os_madvise_failed;

    /* bytes now held */
    hak_count_t mapped_bytes;   /* all mappings of the allocator           */
    hak_count_t metadata_bytes; /* those of them that hold its own tables  */
    hak_count_t lost_bytes;     /* those that could not be unmapped, and hold nothing */

    /* events */
    hak_count_t slabs_new, slabs_empty, slabs_adopted, superslabs_empty, superslabs_huge;
    hak_count_t huge_allocs, huge_frees, heaps, purged_bytes;
    hak_count_t free_foreign;
};

extern struct hak_counters hak_counters;

HAK_INLINE void hak_counter_add(hak_count_t *counter, uint64_t n) {
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

HAK_INLINE void hak_counter_sub(hak_count_t *counter, uint64_t n) {
    atomic_fetch_sub_explicit(counter, n, memory_order_relaxed);
}

HAK_INLINE uint64_t hak_counter_read(const hak_count_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
