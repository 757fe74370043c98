/* SPDX-License-Identifier: MIT
 *
 * hakmem: a general-purpose memory allocator for Linux.  This header is the whole public C API.
 *
 * A program needs none of it: libhakmem.so replaces malloc and its family in any program that is
 * started with LD_PRELOAD=libhakmem.so (or `hakmem run -- program`), or linked with -lhakmem.  The
 * hak_ names below reach the same allocator explicitly, and the calls that malloc's interface
 * lacks.
 *
 * Every function may be called from any thread at any time, unless its comment says otherwise;
 * from a signal handler that may have interrupted one of them, only malloc's family, and as
 * docs/guide/signals-and-fork.md says.
 * Sizes are in bytes.  Blocks are aligned to 16 bytes (alignof(max_align_t)) at least.
 */
#ifndef HAKMEM_H
#define HAKMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAKMEM_VERSION_MAJOR 0
#define HAKMEM_VERSION_MINOR 1
#define HAKMEM_VERSION_PATCH 0

#if defined(__GNUC__)
#define HAK_API       __attribute__((visibility("default")))
#define HAK_ATTR(...) __attribute__((__VA_ARGS__))
#else
#define HAK_API
#define HAK_ATTR(...)
#endif

/* "MAJOR.MINOR.PATCH" of the library that is loaded. */
HAK_API const char *hak_version(void);

/* ---- The malloc family: malloc(3), posix_memalign(3), C23 7.24.3 ----------------------------- */

/* A block of at least `size` bytes, uninitialised; NULL with errno ENOMEM if there is no memory or
 * size > PTRDIFF_MAX.  size 0 gives a unique pointer that may be freed. */
HAK_API void *hak_malloc(size_t size) HAK_ATTR(malloc, alloc_size(1));

/* A zeroed array; NULL with ENOMEM if count * size overflows. */
HAK_API void *hak_calloc(size_t count, size_t size) HAK_ATTR(malloc, alloc_size(1, 2));

/* Resizes a block, keeping min(old, new) bytes.  realloc(NULL, n) is malloc(n); realloc(p, 0) with
 * p != NULL frees p and returns NULL (as glibc).  On failure the old block is untouched. */
HAK_API void *hak_realloc(void *block, size_t size) HAK_ATTR(alloc_size(2));
HAK_API void *hak_reallocarray(void *block, size_t count, size_t size) HAK_ATTR(alloc_size(2, 3));

/* Gives a block back; NULL is ignored; errno is kept.  The sized forms (C23) promise the size (and
 * alignment) that the block was asked for; a promise that can't be true is reported in checked
 * mode. */
HAK_API void hak_free(void *block);
HAK_API void hak_free_sized(void *block, size_t size);
HAK_API void hak_free_aligned_sized(void *block, size_t alignment, size_t size);

/* Aligned blocks.  aligned_alloc and posix_memalign: EINVAL unless alignment is a power of two (for
 * posix_memalign also a multiple of sizeof(void *)).  memalign rounds a bad alignment up, as glibc.
 * posix_memalign returns the error and leaves errno and *out alone when it fails. */
HAK_API void *hak_aligned_alloc(size_t alignment, size_t size) HAK_ATTR(malloc, alloc_size(2));
HAK_API void *hak_memalign(size_t alignment, size_t size) HAK_ATTR(malloc, alloc_size(2));
HAK_API int hak_posix_memalign(void **out, size_t alignment, size_t size);
HAK_API void *hak_valloc(size_t size) HAK_ATTR(malloc, alloc_size(1));
HAK_API void *hak_pvalloc(size_t size) HAK_ATTR(malloc);

/* Bytes that the block really has (>= what was asked for); 0 for NULL. */
HAK_API size_t hak_usable_size(const void *block);

/* Bytes that hak_malloc(size) would really give: hak_usable_size() of its result. */
HAK_API size_t hak_good_size(size_t size);

/* mallinfo2(3), malloc_info(3), malloc_stats(3), mallopt(3) in hakmem's terms. */
struct hak_mallinfo {
    size_t arena;    /* bytes mapped for slabs                          */
    size_t ordblks;  /* free blocks                                     */
    size_t smblks;   /* free blocks in magazines                        */
    size_t hblks;    /* huge blocks in use                              */
    size_t hblkhd;   /* bytes in them                                   */
    size_t usmblks;  /* 0                                               */
    size_t fsmblks;  /* bytes in magazines                              */
    size_t uordblks; /* bytes in use by the program                     */
    size_t fordblks; /* bytes free inside slabs and superslabs          */
    size_t keepcost; /* bytes that malloc_trim could give back          */
};
HAK_API struct hak_mallinfo hak_mallinfo2(void);
HAK_API int hak_malloc_info(int options, FILE *stream);
HAK_API void hak_malloc_stats(void);
HAK_API int hak_malloc_trim(size_t pad);
HAK_API int hak_mallopt(int param, int value);

/* ---- Giving memory back --------------------------------------------------------------------- */

/* Flushes the calling thread's magazine of one size class (0 <= class_idx < the number of classes;
 * other values do nothing), or all of them: the blocks return to their slabs, and slabs that become
 * empty to the shared pool.  Other threads' magazines are theirs and are not touched. */
HAK_API void hak_tiny_magazine_flush(int class_idx);
HAK_API void hak_tiny_magazine_flush_all(void);

/* Flushes the magazines of this thread, of ended threads and of first-class heaps, and returns
 * every free page to the system, also those between blocks in use.  Returns the number of bytes
 * given back. */
HAK_API size_t hak_collect(void);

/* ---- First-class heaps ----------------------------------------------------------------------- */

/* A heap of its own, usable from any thread (calls on one heap are serialised by a lock of that
 * heap).  Its blocks may be freed by hak_free / free in any thread, or all at once by
 * hak_heap_destroy, after which none of them may be used.  hak_heap_new returns NULL with ENOMEM.
 * realloc of such a block that has to move it takes a new block from the calling thread's heap:
 * hak_heap_destroy does not free that one.  Not for a signal handler that may have interrupted a
 * call on the same heap. */
struct hak_heap;
HAK_API struct hak_heap *hak_heap_new(void);
HAK_API void *hak_heap_malloc(struct hak_heap *heap, size_t size) HAK_ATTR(malloc, alloc_size(2));
HAK_API void *hak_heap_calloc(struct hak_heap *heap, size_t count, size_t size)
    HAK_ATTR(malloc, alloc_size(2, 3));
HAK_API void *hak_heap_aligned_alloc(struct hak_heap *heap, size_t alignment, size_t size)
    HAK_ATTR(malloc, alloc_size(3));
HAK_API void hak_heap_destroy(struct hak_heap *heap);

/* ---- Statistics ------------------------------------------------------------------------------ */

#define HAK_STATS_VERSION 1

/* Where the memory is, in bytes.  The first group adds up:
 *   mapped = live + cached + free_dirty + purged + metadata + waste
 * It is exact while no other thread allocates, and a close estimate otherwise. */
struct hak_stats {
    uint32_t version; /* in: the version the caller was compiled with; out: the one filled in */
    uint32_t size;    /* in: sizeof(struct hak_stats) of the caller */

    uint64_t mapped;     /* address space held                                              */
    uint64_t live;       /* in blocks that the program holds (rounded up to their class)     */
    uint64_t cached;     /* free blocks: in magazines, outboxes, inboxes and slabs           */
    uint64_t free_dirty; /* free units that have been written since they were last purged   */
    uint64_t purged;     /* never touched, or given back to the system                      */
    uint64_t metadata;   /* the allocator's own tables                                      */
    uint64_t waste;      /* ends of slabs too short for a block, ends of huge blocks         */

    /* Counts since the process started. */
    uint64_t refills;             /* a bin was empty                                          */
    uint64_t refill_inbox;        /* ... and was served by a slab to which blocks came home    */
    uint64_t refill_slab;         /* ... from free blocks of a slab, with none coming home     */
    uint64_t refill_carve;        /* ... from the untouched part of a slab                    */
    uint64_t refill_adopted;      /* ... from a slab taken over from an ended thread          */
    uint64_t refill_fresh;        /* ... from a new slab                                      */
    uint64_t refill_failed;       /* ... by nothing: ENOMEM                                   */
    uint64_t free_flushed;        /* blocks moved from a full magazine to their slabs         */
    uint64_t free_remote_sent;    /* blocks sent to the inbox of their owner                  */
    uint64_t free_remote_batches; /* ... in this many parcels, or alone                       */
    uint64_t free_remote_drained; /* blocks taken from inboxes                                */
    uint64_t free_forwarded;      /* blocks whose slab had changed its owner meanwhile        */
    uint64_t free_foreign;        /* pointers of libc's own heap, forwarded                   */
    uint64_t free_null;           /* early returns: free(NULL)                                */
    uint64_t flushes;             /* magazine flushes                                         */
    uint64_t slabs_new;           /* slabs taken from superslabs                              */
    uint64_t slabs_empty;         /* slabs found empty and given back                         */
    uint64_t slabs_adopted;       /* slabs that changed their owner                           */
    uint64_t superslabs_empty;    /* superslabs found empty                                   */
    uint64_t huge_allocs;         /* blocks above the large limit                             */
    uint64_t huge_frees;
    uint64_t heaps;        /* heaps made                                               */
    uint64_t heaps_parked; /* heaps of ended threads, now waiting for a new one        */
    uint64_t purged_bytes; /* given back to the system, in all                         */

    /* System calls, and how many of them failed. */
    uint64_t os_mmap, os_munmap, os_mremap, os_mprotect;
    uint64_t os_madvise_dontneed, os_madvise_free, os_madvise_hugepage, os_madvise_nohugepage;
    uint64_t os_mmap_failed, os_munmap_failed, os_mremap_failed, os_mprotect_failed,
        os_madvise_failed;

    /* Freed huge blocks that are kept for the next call of their site. */
    uint64_t bigcache_hits;    /* blocks taken from there                                  */
    uint64_t bigcache_misses;  /* huge blocks that were asked for, and were not there       */
    uint64_t bigcache_puts;    /* blocks put there                                          */
    uint64_t bigcache_refused; /* ... for which there was no place                          */
    uint64_t bigcache_expired; /* given up because their time was over                      */
    uint64_t bigcache_evicted; /* given up for others, or by hak_collect                    */
    uint64_t bigcache_bytes;   /* there now; part of free_dirty                             */

    uint64_t os_madvise_populate; /* system calls: pages asked for ahead, many at once */

    uint64_t superslabs_huge; /* superslabs of 2 MiB that were made resident as one huge page */
};

/* Fills in *stats.  Set .version and .size first: an older caller gets the fields that it knows.
 * Returns 0, or -1 with errno EINVAL if the caller's version or size is 0 or unknown. */
HAK_API int hak_stats_read(struct hak_stats *stats);

/* One class of blocks.  Returns 0, or -1 with errno EINVAL if class_idx is not a class. */
struct hak_class_stats {
    uint64_t block_size;
    uint64_t slab_size;
    uint64_t blocks_live;   /* held by the program */
    uint64_t blocks_cached; /* free, in magazines and slabs */
    uint64_t slabs;
    uint64_t refills;
    uint64_t flushes;
};
HAK_API int hak_class_stats_read(int class_idx, struct hak_class_stats *stats);

enum hak_stats_format { HAK_STATS_TEXT, HAK_STATS_JSON };

/* Writes all statistics to a file descriptor.  Allocates nothing.  Returns 0, or -1 with errno. */
HAK_API int hak_stats_print(int fd, enum hak_stats_format format);

/* Writes what each place in the program that allocates has asked for to a file, which `hakmem
 * sites` shows with the names of the places.  In `path` %p stands for the process id.  The file is
 * written whole or not at all.  Returns 0, or -1 with errno. */
HAK_API int hak_sites_write(const char *path);

/* ---- Options --------------------------------------------------------------------------------- */

/* Reads or sets an option by its name (docs/reference/options.md, `hakmem options`). hak_option_get
 * writes the value as text into out (cut to out_size, always terminated).  Both return 0, or -1
 * with errno: ENOENT no such option, EINVAL bad value, EPERM it is fixed once the process has
 * started. */
HAK_API int hak_option_get(const char *name, char *out, size_t out_size);
HAK_API int hak_option_set(const char *name, const char *value);

#ifdef __cplusplus
}
#endif
#endif /* HAKMEM_H */
