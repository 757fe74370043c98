/* SPDX-License-Identifier: MIT
 *
 * The family under its hak_ names.  cfree has none.
 */
#include "family.h"
#include "hakmem.h"

static size_t hak_family_usable_size(void *block) {
    return hak_usable_size(block);
}

static size_t hak_family_bytes_in_use(void) {
    struct hak_mallinfo info = hak_mallinfo2();
    return info.uordblks + info.hblkhd;
}

static const struct family hak_family = {
    .name = "hak",
    .malloc = hak_malloc,
    .calloc = hak_calloc,
    .realloc = hak_realloc,
    .reallocarray = hak_reallocarray,
    .free = hak_free,
    .free_sized = hak_free_sized,
    .free_aligned_sized = hak_free_aligned_sized,
    .aligned_alloc = hak_aligned_alloc,
    .memalign = hak_memalign,
    .posix_memalign = hak_posix_memalign,
    .valloc = hak_valloc,
    .pvalloc = hak_pvalloc,
    .usable_size = hak_family_usable_size,
    .malloc_info = hak_malloc_info,
    .malloc_stats = hak_malloc_stats,
    .malloc_trim = hak_malloc_trim,
    .mallopt = hak_mallopt,
    .bytes_in_use = hak_family_bytes_in_use,
};

const struct family *family = &hak_family;

void family_open(void) {}
