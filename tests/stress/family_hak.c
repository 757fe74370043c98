/* SPDX-License-Identifier: MIT
 *
 * The family under its hak_ names, linked into the program.
 */
#include "stress.h"

#include "hakmem.h"

static size_t hak_usable(void *block) {
    return hak_usable_size(block);
}

static const char *hak_give_back(void) {
    hak_tiny_magazine_flush_all();
    hak_collect();
    return "hak_collect";
}

struct stress_family family = {
    .malloc = hak_malloc,
    .calloc = hak_calloc,
    .realloc = hak_realloc,
    .free = hak_free,
    .aligned_alloc = hak_aligned_alloc,
    .posix_memalign = hak_posix_memalign,
    .usable_size = hak_usable,
    .free_sized = hak_free_sized,
    .free_aligned_sized = hak_free_aligned_sized,
    .trim = hak_malloc_trim,
    .give_back = hak_give_back,
    .stats_read = hak_stats_read,
};

void family_open(const char *expect) {
    if (expect) stress_fail("expect=%s: this form calls the hak_ names", expect);
}
