/* SPDX-License-Identifier: MIT
 *
 * mmap(2), munmap(2), madvise(2), mremap(2), each in one place.
 *
 * Not here: when to purge (policy/), who owns a range (span/).
 */
#include "os/page.h"

#include "base/counter.h"
#include "os/clock.h"
#include "os/env.h"
#include "os/syscall.h"

#include <errno.h>
#include <sys/mman.h>

#define PAGE_NO_ADVICE (-1)

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* Where the next heap mapping is asked for: just below the last one, so that mappings touch and the
 * kernel merges them.  atomic, relaxed: a hint that may be stale. */
static _Atomic uintptr_t page_hint;

/* atomic, relaxed: hak_page_populate has failed. */
static _Atomic bool page_no_populate;

static bool page_failed(long result) {
    return (unsigned long)result >= (unsigned long)-4095L;
}

size_t hak_page_bytes(void) {
    return hak_env_page_size();
}

static void *page_mmap(void *where, size_t bytes, int protection, int flags) {
    hak_counter_add(&hak_counters.os_mmap, 1);
    long result = hak_syscall6(SYS_mmap, (long)where, (long)bytes, protection,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    if (page_failed(result)) {
        hak_counter_add(&hak_counters.os_mmap_failed, 1);
        return NULL;
    }
    return (void *)result;
}

static bool page_munmap(void *start, size_t bytes) {
    hak_counter_add(&hak_counters.os_munmap, 1);
    if (hak_syscall2(SYS_munmap, (long)start, (long)bytes) == 0) return true;
    hak_counter_add(&hak_counters.os_munmap_failed, 1);
    return false;
}

static bool page_madvise(void *start, size_t bytes, int advice, hak_count_t *counter) {
    hak_counter_add(counter, 1);
    if (hak_syscall3(SYS_madvise, (long)start, (long)bytes, advice) == 0) return true;
    hak_counter_add(&hak_counters.os_madvise_failed, 1);
    return false;
}

/* Unmaps what was mapped in excess.  If the kernel refuses (the process is at its limit of
 * mappings) it stays, untouched: address space is lost, not memory. */
static void page_unmap_excess(void *start, size_t bytes) {
    if (page_munmap(start, bytes)) return;
    hak_counter_add(&hak_counters.mapped_bytes, bytes);
    hak_counter_add(&hak_counters.lost_bytes, bytes);
}

static void page_account(enum hak_page_use use, size_t bytes) {
    hak_counter_add(&hak_counters.mapped_bytes, bytes);
    if (use == HAK_PAGE_META) hak_counter_add(&hak_counters.metadata_bytes, bytes);
}

/* Maps more than is needed and returns the ends. */
static void *page_map_trimmed(size_t bytes, size_t alignment) {
    size_t page = hak_page_bytes();
    if (bytes + alignment < bytes) return NULL;
    char *start = page_mmap(NULL, bytes + alignment - page, PROT_READ | PROT_WRITE, 0);
    if (!start) return NULL;
    char *aligned = (char *)hak_align_up((uintptr_t)start, alignment);
    size_t before = (size_t)(aligned - start);
    size_t after = alignment - page - before;
    if (before) page_unmap_excess(start, before);
    if (after) page_unmap_excess(aligned + bytes, after);
    return aligned;
}

void *hak_page_map(size_t bytes, size_t alignment, enum hak_page_use use) {
    uintptr_t hint = use == HAK_PAGE_HEAP ? atomic_load_explicit(&page_hint, memory_order_relaxed)
                                          : 0;
    void *where = hint > bytes ? (void *)((hint - bytes) & ~(uintptr_t)(alignment - 1)) : NULL;
    char *start = page_mmap(where, bytes, PROT_READ | PROT_WRITE, 0);
    if (!start) return NULL;
    if ((uintptr_t)start & (alignment - 1)) {
        page_unmap_excess(start, bytes);
        start = page_map_trimmed(bytes, alignment);
        if (!start) return NULL;
    }
    if (use == HAK_PAGE_HEAP) {
        atomic_store_explicit(&page_hint, (uintptr_t)start, memory_order_relaxed);
    }
    page_account(use, bytes);
    return start;
}

bool hak_page_unmap(void *start, size_t bytes, enum hak_page_use use) {
    if (!page_munmap(start, bytes)) return false;
    hak_counter_sub(&hak_counters.mapped_bytes, bytes);
    if (use == HAK_PAGE_META) hak_counter_sub(&hak_counters.metadata_bytes, bytes);
    return true;
}

bool hak_page_purge(void *start, size_t bytes, enum hak_page_use use) {
    if (!page_madvise(start, bytes, MADV_DONTNEED, &hak_counters.os_madvise_dontneed)) return false;
    if (use == HAK_PAGE_HEAP) hak_counter_add(&hak_counters.purged_bytes, bytes);
    return true;
}

bool hak_page_offer(void *start, size_t bytes) {
    return page_madvise(start, bytes, MADV_FREE, &hak_counters.os_madvise_free);
}

bool hak_page_populate(void *start, size_t bytes) {
    if (atomic_load_explicit(&page_no_populate, memory_order_relaxed)) return false;
    if (page_madvise(start, bytes, MADV_POPULATE_WRITE, &hak_counters.os_madvise_populate))
        return true;
    atomic_store_explicit(&page_no_populate, true, memory_order_relaxed);
    return false;
}

/* 0, or -errno. */
static long page_mremap(void *start, size_t old_bytes, size_t new_bytes, int flags, void *to) {
    hak_counter_add(&hak_counters.os_mremap, 1);
    long result = hak_syscall5(SYS_mremap, (long)start, (long)old_bytes, (long)new_bytes, flags,
                               (long)to);
    if (!page_failed(result)) return 0;
    hak_counter_add(&hak_counters.os_mremap_failed, 1);
    return result;
}

bool hak_page_resize(void *start, size_t old_bytes, size_t new_bytes) {
    if (page_mremap(start, old_bytes, new_bytes, 0, NULL) != 0) return false;
    hak_counter_add(&hak_counters.mapped_bytes, new_bytes - old_bytes); /* modulo 2^64 */
    return true;
}

enum hak_page_moved hak_page_move(void *from, size_t from_bytes, void *to, size_t to_bytes,
                                  bool keep_from) {
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (keep_from ? MREMAP_DONTUNMAP : 0);
    long failure = page_mremap(from, from_bytes, to_bytes, flags, to);
    if (failure == 0) {
        if (!keep_from) hak_counter_sub(&hak_counters.mapped_bytes, from_bytes);
        return HAK_PAGE_MOVED;
    }
    /* Flags and addresses are looked at before the target is unmapped, memory only after that. */
    bool untouched = failure == -EINVAL || failure == -ENOSYS || failure == -EPERM;
    return untouched ? HAK_PAGE_REFUSED : HAK_PAGE_TARGET_LOST;
}

void hak_page_avoid_huge(void *start, size_t bytes) {
    page_madvise(start, bytes, MADV_NOHUGEPAGE, &hak_counters.os_madvise_nohugepage);
}

uint64_t hak_page_touch(char *start, size_t bytes) {
    uint64_t begin = hak_clock_ns();
    for (size_t i = 0; i < bytes; i += hak_page_bytes()) *(volatile char *)(start + i) = 0;
    return hak_clock_ns() - begin;
}

/* The advice is taken back: what is purged later is not to be filled up again by the kernel. */
uint64_t hak_page_touch_huge(char *start, size_t bytes) {
    uint64_t begin = hak_clock_ns();
    if (!page_madvise(start, bytes, MADV_HUGEPAGE, &hak_counters.os_madvise_hugepage)) return 0;
    *(volatile char *)start = 0;
    hak_page_avoid_huge(start, bytes);
    return hak_clock_ns() - begin;
}

void *hak_page_map_wiped(void) {
    size_t bytes = hak_page_bytes();
    void *page = hak_page_map(bytes, bytes, HAK_PAGE_META);
    if (!page) return NULL;
    /* qemu-user says yes to all advice and takes none: what doesn't refuse an unknown one is not
     * believed. */
    if (hak_syscall3(SYS_madvise, (long)page, (long)bytes, MADV_WIPEONFORK) == 0 &&
        page_failed(hak_syscall3(SYS_madvise, (long)page, (long)bytes, PAGE_NO_ADVICE))) {
        return page;
    }
    hak_page_unmap(page, bytes, HAK_PAGE_META);
    return NULL;
}
