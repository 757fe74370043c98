/* SPDX-License-Identifier: MIT
 *
 * Header: slab/thin.h.
 */
#include "slab/thin.h"

#include "os/page.h"

/* What is not cut yet counts as free. */
static bool thin_is_free(struct hak_slab *slab, unsigned index) {
    return index >= slab->carved || *hak_slab_free_word(slab, index / 64) & hak_bits_one(index);
}

/* The end of the run of blocks from `index` on that are all free, or all not. */
static unsigned thin_run_end(struct hak_slab *slab, unsigned index, bool free) {
    unsigned carved = slab->carved;
    while (index < carved) {
        uint64_t bits = *hak_slab_free_word(slab, index / 64);
        uint64_t other = (free ? ~bits : bits) & ~hak_bits_run(0, index % 64);
        unsigned word = index & ~63u;
        index = word + (other ? (unsigned)__builtin_ctzll(other) : 64);
        if (other && index < carved) return index;
    }
    return free ? slab->capacity : carved;
}

/* The whole pages between two offsets.  A purge that fails is tried again another time. */
static size_t thin_purge(struct hak_slab *slab, size_t from, size_t to) {
    size_t page = hak_page_bytes();
    from = hak_align_up(from, page);
    to &= ~(page - 1);
    if (from >= to) return 0;
    if (hak_page_purge(slab->base + from, to - from, HAK_PAGE_HEAP)) return to - from;
    slab->thin = false;
    return 0;
}

size_t hak_slab_thin(struct hak_slab *slab) {
    if (slab->thin) return 0;
    slab->thin = true;
    size_t size = hak_class_table[slab->class].block_bytes, purged = 0;
    /* Where a clean slab was not touched there is nothing to purge. */
    size_t end = slab->clean ? hak_align_up(hak_slab_touched(slab), hak_page_bytes())
                             : (size_t)slab->units << HAK_UNIT_SHIFT;
    for (unsigned from = 0, to; from < slab->capacity; from = to) {
        bool free = thin_is_free(slab, from);
        to = thin_run_end(slab, from, free);
        if (free) purged += thin_purge(slab, from * size, to < slab->capacity ? to * size : end);
        if (free && to == slab->capacity) slab->populated = 0; /* as far as that is not cut */
    }
    return purged;
}
