/* SPDX-License-Identifier: MIT
 *
 * Pages from and to the kernel.  Every call is counted (base/counter.h), keeps errno, and reports
 * failure by its result only: nothing here aborts (P4).  Callable from any thread, takes no lock.
 */
#ifndef HAK_OS_PAGE_H
#define HAK_OS_PAGE_H

#include "base/base.h"

/* What a mapping is for: decides how it is counted. */
enum hak_page_use { HAK_PAGE_HEAP, HAK_PAGE_META };

/* `bytes` (a multiple of the page size) of zeroed, writable memory at a multiple of `alignment` (a
 * power of two); NULL if the kernel has none.  Nothing is resident yet. */
void *hak_page_map(size_t bytes, size_t alignment, enum hak_page_use use);

/* Returns a mapping, or whole pages of one.  False: it is still mapped. */
bool hak_page_unmap(void *start, size_t bytes, enum hak_page_use use);

/* Gives the pages' memory back; the range stays mapped.  True: the range reads as zeros now.
 * False: its contents are unchanged. */
bool hak_page_purge(void *start, size_t bytes, enum hak_page_use use);

/* The kernel may take the pages when it needs memory, until they are written to.  They read as
 * before, or as zeros.  False: nothing has changed (before Linux 4.5, or in locked memory). */
bool hak_page_offer(void *start, size_t bytes);

/* Grows or shrinks a whole mapping of HAK_PAGE_HEAP at its place.  False: nothing has changed. */
bool hak_page_resize(void *start, size_t old_bytes, size_t new_bytes);

/* How a move ended.  Unless it was done, the source has not changed. */
enum hak_page_moved {
    HAK_PAGE_MOVED,
    HAK_PAGE_REFUSED,    /* nothing has changed: an old kernel, or a filter of system calls */
    HAK_PAGE_TARGET_LOST /* the kernel may have unmapped the target, and another thread mapped
                          * something there: the caller must neither use nor unmap it */
};

/* Moves the pages of one mapping over the start of another one, without copying.
 * keep_from: the source stays mapped and reads as zeros (to_bytes == from_bytes then); otherwise it
 * is unmapped. */
enum hak_page_moved hak_page_move(void *from, size_t from_bytes, void *to, size_t to_bytes,
                                  bool keep_from);

/* Makes the pages of a range resident, at one go: what is not there reads as zeros, the rest stays
 * as it is.  False: they will come as they are touched; the kernel can't (before Linux 5.14), or
 * has no memory, and is not asked again. */
bool hak_page_populate(void *start, size_t bytes);

/* Asks for no huge pages in the range: a small heap must not become resident 2 MiB at a time. */
void hak_page_avoid_huge(void *start, size_t bytes);

/* Makes a range resident that reads as zeros, by touching each page of it; the second one as a huge
 * page, where the system has one.  Both return how many nanoseconds that took; 0: it is refused. */
uint64_t hak_page_touch(char *start, size_t bytes);
uint64_t hak_page_touch_huge(char *start, size_t bytes);

/* Maps one page whose contents the kernel zeroes in a forked child.  NULL: not supported. */
void *hak_page_map_wiped(void);

/* The kernel's page size in bytes. */
size_t hak_page_bytes(void);

#endif
