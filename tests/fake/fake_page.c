/* SPDX-License-Identifier: MIT
 *
 * A kernel's pages.  Header: fake/fake.h.
 *
 * A bitmap says which 4 KiB pieces of the reserved range are mapped.  Mapping and unmapping do what
 * their names say to the bitmap and the counts, and change the protection of the memory.
 */
#include "fake/fake.h"

#include "base/counter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_ARENA_BYTES ((size_t)32 << 30)
#define PAGE_PIECE       ((size_t)4096)
#define PAGE_LARGEST     ((size_t)64 << 10)
#define PAGE_WORDS       (PAGE_ARENA_BYTES / PAGE_PIECE / 64)
#define PAGE_LOG         1024u

static _Atomic(char *) page_arena;
static _Atomic size_t page_next; /* offset of the next mapping */
static _Atomic size_t page_size_now = 4096;
static _Atomic bool page_reuse;
static _Atomic size_t page_limit = SIZE_MAX;
static _Atomic uint64_t page_mapped_bits[PAGE_WORDS]; /* .bss: resident where it is used */
static _Atomic size_t page_held[2];                   /* by enum hak_page_use */

static _Atomic unsigned long page_calls[FAKE_CALLS];
static _Atomic unsigned page_fail_kinds;
static _Atomic unsigned long page_fail_seen, page_fail_first, page_fail_count, page_fail_done;

void (*fake_hook)(bool begins);

static struct fake_entry page_log_entry[PAGE_LOG]; /* complete in tests of one thread only */
static _Atomic unsigned long page_logged;

static void page_misuse(const char *what, const void *start, size_t bytes) {
    fprintf(stderr, "fake kernel: %s: %zu bytes at %p\n", what, bytes, start);
    abort();
}

/* ---- Orders and answers ---------------------------------------------------------------------- */

void fake_page_size(size_t bytes) {
    page_size_now = bytes;
}

void fake_page_fail(unsigned kinds, unsigned long nth, unsigned long count) {
    page_fail_kinds = kinds;
    page_fail_first = nth;
    page_fail_count = count;
    page_fail_seen = page_fail_done = 0;
}

void fake_page_fail_never(void) {
    page_fail_kinds = 0;
}

void fake_page_limit(size_t bytes) {
    page_limit = bytes ? bytes : SIZE_MAX;
}

unsigned long fake_page_failures(void) {
    return page_fail_done;
}

unsigned long fake_page_calls(enum fake_call call) {
    return page_calls[call];
}

struct fake_entry fake_page_log(enum fake_call call, unsigned back) {
    unsigned long last = page_logged;
    for (unsigned long i = 1; i <= last && i <= PAGE_LOG; i++) {
        struct fake_entry entry = page_log_entry[(last - i) % PAGE_LOG];
        if ((call == FAKE_CALLS || entry.call == call) && back-- == 0) return entry;
    }
    return (struct fake_entry){FAKE_CALLS, NULL, 0, false};
}

size_t fake_page_mapped(enum hak_page_use use) {
    return page_held[use];
}

void fake_page_reuse(bool on) {
    page_reuse = on;
}

/* ---- The bitmap ------------------------------------------------------------------------------ */

static char *page_base(void) {
    char *base = atomic_load_explicit(&page_arena, memory_order_relaxed);
    if (base) return base;
    char *mapped = mmap(NULL, PAGE_ARENA_BYTES + PAGE_LARGEST, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) page_misuse("no address space", NULL, PAGE_ARENA_BYTES);
    char *made = (char *)hak_align_up((uintptr_t)mapped, PAGE_LARGEST);
    if (atomic_compare_exchange_strong_explicit(&page_arena, &base, made, memory_order_relaxed,
                                                memory_order_relaxed)) {
        return made;
    }
    munmap(mapped, PAGE_ARENA_BYTES + PAGE_LARGEST);
    return base;
}

void fake_page_place(size_t bytes) {
    const uintptr_t leaf = (uintptr_t)1 << 32;
    uintptr_t from = (uintptr_t)page_base() + page_next;
    uintptr_t to = (from & ~(leaf - 1)) + bytes;
    page_next += (to < from ? to + leaf : to) - from;
}

/* The number of pieces of the range that are mapped; stops at the first of the other kind. */
static bool page_all(size_t offset, size_t bytes, bool mapped) {
    size_t end = (offset + bytes) / PAGE_PIECE;
    for (size_t i = offset / PAGE_PIECE; i < end;) {
        uint64_t word = atomic_load_explicit(&page_mapped_bits[i / 64], memory_order_relaxed);
        if (i % 64 == 0 && end - i >= 64 && word == (mapped ? ~(uint64_t)0 : 0)) {
            i += 64;
        } else {
            if ((word >> (i % 64) & 1) != mapped) return false;
            i++;
        }
    }
    return true;
}

static void page_mark(size_t offset, size_t bytes, bool mapped) {
    size_t end = (offset + bytes) / PAGE_PIECE;
    for (size_t i = offset / PAGE_PIECE; i < end;) {
        size_t here = 64 - i % 64 < end - i ? 64 - i % 64 : end - i;
        uint64_t bits = (here == 64 ? ~(uint64_t)0 : ((uint64_t)1 << here) - 1) << (i % 64);
        if (mapped) {
            atomic_fetch_or_explicit(&page_mapped_bits[i / 64], bits, memory_order_relaxed);
        } else {
            atomic_fetch_and_explicit(&page_mapped_bits[i / 64], ~bits, memory_order_relaxed);
        }
        i += here;
    }
}

bool fake_page_is_mapped(const void *start, size_t bytes) {
    size_t offset = (size_t)((const char *)start - page_base());
    return offset < PAGE_ARENA_BYTES && page_all(offset, bytes, true);
}

static size_t page_offset(const void *start, size_t bytes, const char *what) {
    size_t offset = (size_t)((const char *)start - page_base());
    if ((offset | bytes) % page_size_now || bytes == 0 || offset + bytes > PAGE_ARENA_BYTES ||
        !page_all(offset, bytes, true)) {
        page_misuse(what, start, bytes);
    }
    return offset;
}

/* Finds room for a mapping and moves page_next past it. */
static size_t page_find(size_t bytes, size_t alignment) {
    char *base = page_base();
    size_t next = atomic_load_explicit(&page_next, memory_order_relaxed);
    for (;;) {
        bool reuse = atomic_load_explicit(&page_reuse, memory_order_relaxed);
        size_t offset = hak_align_up((uintptr_t)base + (reuse ? 0 : next), alignment) -
                        (uintptr_t)base;
        while (reuse && offset + bytes <= PAGE_ARENA_BYTES && !page_all(offset, bytes, false)) {
            offset += alignment;
        }
        if (offset >= PAGE_ARENA_BYTES || bytes > PAGE_ARENA_BYTES - offset) return SIZE_MAX;
        size_t end = offset + bytes > next ? offset + bytes : next;
        if (atomic_compare_exchange_weak_explicit(&page_next, &next, end, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return offset;
        }
    }
}

static void page_open(size_t offset, size_t bytes) {
    char *start = page_base() + offset;
    page_mark(offset, bytes, true);
    if (mprotect(start, bytes, PROT_READ | PROT_WRITE) != 0) page_misuse("mprotect", start, bytes);
}

static void page_close(size_t offset, size_t bytes) {
    char *start = page_base() + offset;
    page_mark(offset, bytes, false);
    if (madvise(start, bytes, MADV_DONTNEED) != 0 || mprotect(start, bytes, PROT_NONE) != 0) {
        page_misuse("mprotect failed", start, bytes);
    }
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* Counts a call; false: it is to fail. */
static bool page_called(enum fake_call call) {
    atomic_fetch_add_explicit(&page_calls[call], 1, memory_order_relaxed);
    unsigned kinds = atomic_load_explicit(&page_fail_kinds, memory_order_relaxed);
    if (!(kinds & FAKE_BIT(call))) return true;
    unsigned long seen = atomic_fetch_add_explicit(&page_fail_seen, 1, memory_order_relaxed) + 1;
    unsigned long first = atomic_load_explicit(&page_fail_first, memory_order_relaxed);
    unsigned long count = atomic_load_explicit(&page_fail_count, memory_order_relaxed);
    bool fails = seen >= first && seen - first < count;
    if (fails) atomic_fetch_add_explicit(&page_fail_done, 1, memory_order_relaxed);
    return !fails;
}

static void page_note(enum fake_call call, void *start, size_t bytes, bool worked) {
    unsigned long at = atomic_fetch_add_explicit(&page_logged, 1, memory_order_relaxed);
    struct fake_entry *entry = &page_log_entry[at % PAGE_LOG];
    __atomic_store_n(&entry->call, call, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->start, (char *)start, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->bytes, bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->worked, worked, __ATOMIC_RELAXED);
}

static bool page_result(bool worked, hak_count_t *calls, hak_count_t *failed) {
    hak_counter_add(calls, 1);
    if (!worked) hak_counter_add(failed, 1);
    return worked;
}

static bool page_fits(size_t bytes) {
    size_t held = atomic_load_explicit(&page_held[HAK_PAGE_HEAP], memory_order_relaxed) +
                  atomic_load_explicit(&page_held[HAK_PAGE_META], memory_order_relaxed);
    size_t limit = atomic_load_explicit(&page_limit, memory_order_relaxed);
    return held <= limit && bytes <= limit - held;
}

static void page_account(enum hak_page_use use, size_t bytes) { /* modulo 2^64 */
    atomic_fetch_add_explicit(&page_held[use], bytes, memory_order_relaxed);
    hak_counter_add(&hak_counters.mapped_bytes, bytes);
    if (use == HAK_PAGE_META) hak_counter_add(&hak_counters.metadata_bytes, bytes);
}

size_t hak_page_bytes(void) {
    return atomic_load_explicit(&page_size_now, memory_order_relaxed);
}

static void *page_map(size_t bytes, size_t alignment, enum hak_page_use use) {
    if (bytes == 0 || bytes % hak_page_bytes() || !hak_is_power_of_two(alignment)) {
        page_misuse("map", NULL, bytes);
    }
    enum fake_call call = use == HAK_PAGE_META ? FAKE_MAP_META : FAKE_MAP;
    bool allowed = page_called(call) && page_fits(bytes);
    size_t offset = allowed ? page_find(bytes, alignment) : SIZE_MAX;
    bool worked = offset != SIZE_MAX;
    page_result(worked, &hak_counters.os_mmap, &hak_counters.os_mmap_failed);
    char *start = worked ? page_base() + offset : NULL;
    page_note(call, start, bytes, worked);
    if (!worked) return NULL;
    page_open(offset, bytes);
    page_account(use, bytes);
    return start;
}

static bool page_unmap(void *start, size_t bytes, enum hak_page_use use) {
    size_t offset = page_offset(start, bytes, "unmap of what is not mapped");
    bool worked = page_called(FAKE_UNMAP);
    page_result(worked, &hak_counters.os_munmap, &hak_counters.os_munmap_failed);
    page_note(FAKE_UNMAP, start, bytes, worked);
    if (!worked) return false;
    page_close(offset, bytes);
    page_account(use, -bytes);
    return true;
}

static bool page_purge(void *start, size_t bytes, enum hak_page_use use) {
    page_offset(start, bytes, "purge of what is not mapped");
    enum fake_call call = use == HAK_PAGE_META ? FAKE_PURGE_META : FAKE_PURGE;
    bool worked = page_called(call);
    page_result(worked, &hak_counters.os_madvise_dontneed, &hak_counters.os_madvise_failed);
    page_note(call, start, bytes, worked);
    if (!worked) return false; /* the contents stay: who takes them for zeros is found out */
    madvise(start, bytes, MADV_DONTNEED);
    if (use == HAK_PAGE_HEAP) hak_counter_add(&hak_counters.purged_bytes, bytes);
    return true;
}

static bool page_resize(void *start, size_t old_bytes, size_t new_bytes) {
    size_t offset = page_offset(start, old_bytes, "resize of what is not mapped");
    bool worked = page_called(FAKE_RESIZE);
    if (new_bytes % hak_page_bytes() || new_bytes == 0) page_misuse("resize", start, new_bytes);
    if (worked && new_bytes > old_bytes) {
        size_t end = offset + old_bytes, next = end; /* grows if it was mapped last */
        worked = new_bytes <= PAGE_ARENA_BYTES - offset && page_fits(new_bytes - old_bytes) &&
                 atomic_compare_exchange_strong_explicit(&page_next, &next, offset + new_bytes,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed);
        if (worked) page_open(end, new_bytes - old_bytes);
    } else if (worked && new_bytes < old_bytes) {
        page_close(offset + new_bytes, old_bytes - new_bytes);
    }
    page_result(worked, &hak_counters.os_mremap, &hak_counters.os_mremap_failed);
    page_note(FAKE_RESIZE, start, new_bytes, worked);
    if (worked) page_account(HAK_PAGE_HEAP, new_bytes - old_bytes);
    return worked;
}

/* The real kernel moves the pages, if it can; else their contents are copied. */
static void page_transfer(char *from, size_t from_bytes, char *to, size_t to_bytes,
                          bool keep_from) {
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (keep_from ? MREMAP_DONTUNMAP : 0);
    if (mremap(from, from_bytes, to_bytes, flags, to) == MAP_FAILED) {
        memcpy(to, from, from_bytes);
        memset(to + from_bytes, 0, to_bytes - from_bytes);
        madvise(from, from_bytes, MADV_DONTNEED);
    } else if (!keep_from &&
               mmap(from, from_bytes, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != from) {
        page_misuse("mmap failed", from, from_bytes);
    }
}

/* A move that fails: out of a region as before Linux 5.7, the others for want of memory. */
static enum hak_page_moved page_move(void *from, size_t from_bytes, void *to, size_t to_bytes,
                                     bool keep_from) {
    size_t offset = page_offset(from, from_bytes, "move of what is not mapped");
    page_offset(to, to_bytes, "move to what is not mapped");
    if (to_bytes < from_bytes || (keep_from && to_bytes != from_bytes)) {
        page_misuse("move", from, from_bytes);
    }
    bool worked = page_called(FAKE_MOVE);
    page_result(worked, &hak_counters.os_mremap, &hak_counters.os_mremap_failed);
    page_note(FAKE_MOVE, from, from_bytes, worked);
    if (!worked) return keep_from ? HAK_PAGE_REFUSED : HAK_PAGE_TARGET_LOST;
    page_transfer(from, from_bytes, to, to_bytes, keep_from);
    if (!keep_from) {
        page_close(offset, from_bytes);
        page_account(HAK_PAGE_HEAP, -from_bytes);
    }
    return HAK_PAGE_MOVED;
}

void *hak_page_map_wiped(void) {
    size_t bytes = hak_page_bytes();
    void *page = page_called(FAKE_WIPE) ? page_map(bytes, bytes, HAK_PAGE_META) : NULL;
    page_note(FAKE_WIPE, page, bytes, page != NULL);
    return page;
}

/* ---- os/page.h ------------------------------------------------------------------------------- */
static void page_hook(bool begins) {
    if (fake_hook) fake_hook(begins);
}

static bool page_end_bool(bool result) {
    page_hook(false);
    return result;
}

static bool page_advise(enum fake_call call, void *start, size_t bytes, hak_count_t *counter) {
    page_hook(true);
    page_offset(start, bytes, "advice about what is not mapped");
    bool worked = page_called(call);
    page_result(worked, counter, &hak_counters.os_madvise_failed);
    page_note(call, start, bytes, worked);
    return page_end_bool(worked);
}

void *hak_page_map(size_t bytes, size_t alignment, enum hak_page_use use) {
    page_hook(true);
    void *start = page_map(bytes, alignment, use);
    page_hook(false);
    return start;
}

bool hak_page_unmap(void *start, size_t bytes, enum hak_page_use use) {
    page_hook(true);
    return page_end_bool(page_unmap(start, bytes, use));
}

bool hak_page_purge(void *start, size_t bytes, enum hak_page_use use) {
    page_hook(true);
    return page_end_bool(page_purge(start, bytes, use));
}

bool hak_page_resize(void *start, size_t old_bytes, size_t new_bytes) {
    page_hook(true);
    return page_end_bool(page_resize(start, old_bytes, new_bytes));
}

enum hak_page_moved hak_page_move(void *from, size_t from_bytes, void *to, size_t to_bytes,
                                  bool keep_from) {
    page_hook(true);
    enum hak_page_moved moved = page_move(from, from_bytes, to, to_bytes, keep_from);
    page_hook(false);
    return moved;
}

bool hak_page_offer(void *start, size_t bytes) {
    return page_advise(FAKE_OFFER, start, bytes, &hak_counters.os_madvise_free);
}

bool hak_page_populate(void *start, size_t bytes) {
    return page_advise(FAKE_POPULATE, start, bytes, &hak_counters.os_madvise_populate);
}

void hak_page_avoid_huge(void *start, size_t bytes) {
    page_advise(FAKE_ADVISE, start, bytes, &hak_counters.os_madvise_nohugepage);
}
