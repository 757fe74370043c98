/* SPDX-License-Identifier: MIT
 *
 * Slabs.  Invariants and concurrency: slab/slab.h.
 */
#include "slab/slab.h"

#include "base/counter.h"
#include "os/page.h"
#include "slab/used.h"

#include <string.h>

/* The records of a slab's units from the one at `done` on. */
static void slab_set_back(struct hak_slab *slab, unsigned done, unsigned units) {
    for (unsigned i = done; i < units; i++) {
        slab[i].class = 0;
        slab[i].back = (uint8_t)i;
    }
}

static uint32_t slab_inverse(unsigned class) {
    return (uint32_t)(((uint64_t)1 << 32) / hak_class_table[class].block_bytes) + 1;
}

struct hak_slab *hak_slab_new(uint32_t owner, unsigned class) {
    const struct hak_class *info = &hak_class_table[class];
    unsigned first;
    bool dirty;
    struct hak_superslab *superslab = hak_superslab_claim(info->units, class <= HAK_SHARED_CLASSES,
                                                          &first, &dirty);
    if (!superslab) return NULL;
    struct hak_slab *slab = hak_slab_at(superslab, first);
    slab->next = slab->prev = NULL;
    slab->free_apart = superslab->meta->free[first];
    slab->base = hak_superslab_unit_base(superslab, first);
    atomic_store_explicit(&slab->owner, owner, memory_order_relaxed);
    slab->used = slab->carved = 0;
    slab->capacity = info->capacity;
    slab->inverse = slab_inverse(class);
    slab->hint = 0;
    slab->units = (uint8_t)info->units;
    slab->back = 0;
    slab->listed = slab->thin = false;
    slab->clean = !dirty;
    slab->populated = 0;
    slab_set_back(slab, 1, info->units);
    hak_order_stores(); /* L3 */
    /* release: pairs with the acquire in adopt_visit_superslab, in another thread after a fork */
    __atomic_store_n(&slab->class, (uint8_t) class, __ATOMIC_RELEASE);
    hak_order_stores();
    hak_map_set_tags(slab->base, info->units, hak_tag_make(owner, class));
    hak_counter_add(&hak_counters.slabs_new, 1);
    return slab;
}

/* Up to which offset pages were made resident ahead. */
static size_t slab_populated(const struct hak_slab *slab) {
    return (size_t)slab->populated * HAK_PAGE_BYTES_MIN;
}

size_t hak_slab_touched(const struct hak_slab *slab) {
    size_t cut = (size_t)slab->carved * hak_class_table[slab->class].block_bytes;
    return hak_max_size(cut, slab_populated(slab));
}

/* The number of a slab's first unit. */
static unsigned slab_first(const struct hak_slab *slab, const struct hak_superslab *superslab) {
    return (unsigned)((slab->base - superslab->base) >> HAK_UNIT_SHIFT);
}

bool hak_slab_resize(struct hak_slab *slab, unsigned class) {
    struct hak_superslab *superslab = hak_map_superslab(slab->base);
    unsigned first = slab_first(slab, superslab), old = slab->units;
    unsigned units = hak_class_table[class].units;
    if (units > old && !hak_superslab_claim_at(superslab, first + old, units - old)) return false;
    slab_set_back(slab, old, units);
    char *rest = hak_superslab_unit_base(superslab, first + units);
    if (units < old) hak_map_set_tags(rest, old - units, 0);
    hak_order_stores(); /* L3: at every instant the units have room for the block */
    slab->inverse = slab_inverse(class);
    if (units > old) slab->units = (uint8_t)units;
    __atomic_store_n(&slab->class, (uint8_t) class, __ATOMIC_RELEASE); /* as in hak_slab_new */
    hak_order_stores();
    slab->units = (uint8_t)units;
    hak_order_stores();
    hak_map_set_tags(slab->base, units, hak_tag_make(slab->owner, class));
    if (units < old) hak_superslab_release(superslab, first + units, old - units, old - units);
    return true;
}

void hak_slab_release(struct hak_slab *slab) {
    struct hak_superslab *superslab = hak_map_superslab(slab->base);
    unsigned first = slab_first(slab, superslab);
    unsigned written = (unsigned)((hak_slab_touched(slab) + HAK_UNIT_BYTES - 1) >> HAK_UNIT_SHIFT);
    hak_map_set_tags(slab->base, slab->units, 0);
    hak_order_stores(); /* L3 */
    slab->class = 0;
    hak_order_stores();
    hak_counter_add(&hak_counters.slabs_empty, 1);
    hak_superslab_release(superslab, first, slab->units, written);
}

void hak_slab_retag(struct hak_slab *slab, uint32_t owner) {
    atomic_store_explicit(&slab->owner, owner, memory_order_relaxed);
    hak_order_stores(); /* L3 */
    hak_map_set_tags(slab->base, slab->units, hak_tag_make(owner, slab->class));
    hak_counter_add(&hak_counters.slabs_adopted, 1);
}

void hak_slab_recount(struct hak_slab *slab) {
    unsigned inside = 0;
    for (unsigned word = 0; word * 64 < slab->carved; word++)
        inside += (unsigned)__builtin_popcountll(*hak_slab_free_word(slab, word));
    slab->used = slab->carved - inside;
}

/* The slot of the block at an offset; `used` is the word of the allocated bit at offset 0. */
static inline struct hak_slot slab_slot(const struct hak_slab *slab, uint64_t *used,
                                        size_t offset) {
    return (struct hak_slot){(struct hak_block *)(void *)(slab->base + offset),
                             used + (offset >> HAK_USED_SHIFT)};
}

unsigned hak_slab_take(struct hak_slab *slab, unsigned max, struct hak_slot *slot) {
    if (!hak_slab_has_free(slab)) return 0;
    unsigned inside = slab->carved - slab->used, count = inside < max ? inside : max;
    size_t size = hak_class_table[slab->class].block_bytes;
    uint64_t *used = hak_used_find(slab->base).word;
    slab->used += count;
    hak_order_stores(); /* H3 */
    unsigned left = count, word = slab->hint;
    for (; left && word * 64 < slab->carved; word++) {
        uint64_t *bits = hak_slab_free_word(slab, word), rest = *bits;
        size_t first = (size_t)word * 64 * size;
        for (; rest && left; rest &= rest - 1, left--)
            slot[left] = slab_slot(slab, used, first + (size_t)__builtin_ctzll(rest) * size);
        *bits = rest;
        if (rest) break;
    }
    hak_order_stores(); /* L5 */
    slab->hint = (uint8_t)word;
    if (hak_unlikely(left)) {
        /* fast mode: a block was freed twice; `used` is nearer the truth now */
        count -= left;
        memmove(slot + 1, slot + 1 + left, count * sizeof *slot);
    }
    return count;
}

void hak_slab_populate(struct hak_slab *slab, size_t bytes) {
    size_t size = hak_class_table[slab->class].block_bytes, page = hak_page_bytes();
    size_t from = slab->carved * size & ~(page - 1);
    size_t end = hak_align_up(hak_min_size(from + bytes, slab->capacity * size), page);
    if (!slab->clean || slab->carved == slab->capacity || from < slab_populated(slab)) return;
    if (hak_page_populate(slab->base + from, end - from))
        slab->populated = (uint16_t)(end / HAK_PAGE_BYTES_MIN);
}

unsigned hak_slab_carve(struct hak_slab *slab, unsigned max, uintptr_t mark,
                        struct hak_slot *slot) {
    unsigned before = slab->carved, left = slab->capacity - before;
    if (!left) return 0;
    size_t size = hak_class_table[slab->class].block_bytes;
    size_t offset = before * size;
    unsigned count = left < max ? left : max;
    if (slab->clean) {
        size_t page_end = hak_align_up(offset + 1, HAK_PAGE_BYTES_MIN);
        page_end = hak_max_size(page_end, slab_populated(slab));
        unsigned start = (unsigned)((page_end - offset + size - 1) / size);
        if (count > start) count = start;
    }
    uint64_t *used = hak_used_find(slab->base).word;

    *hak_slab_free_word(slab, before / 64) &= hak_bits_run(0, before % 64);
    for (unsigned word = before / 64 + 1; word * 64 < before + count; word++)
        *hak_slab_free_word(slab, word) = 0;
    slab->used += count;
    hak_order_stores(); /* H3 */
    /* relaxed: other threads judge their pointers by it (check/verify.c) */
    __atomic_store_n(&slab->carved, before + count, __ATOMIC_RELAXED);
    for (unsigned i = count; i; i--, offset += size) slot[i] = slab_slot(slab, used, offset);
    if (mark && !slab->clean)
        for (unsigned i = count; i; i--) slot[i].block->seal = 0;
    return count;
}

unsigned hak_slab_put_run(struct hak_slab *slab, const struct hak_slot *slot, unsigned max) {
    uintptr_t base = (uintptr_t)slab->base, bytes = (uintptr_t)slab->units << HAK_UNIT_SHIFT;
    unsigned count = 0, lowest = slab->hint;
    slab->thin = false;
    slab->hint = 0;
    hak_order_stores(); /* L5 */
    for (; count < max; count++) {
        uintptr_t offset = (uintptr_t)slot[count].block - base;
        if (offset >= bytes) break;
        unsigned index = hak_slab_index(slab, offset), word = index / 64;
        if (word < lowest) lowest = word;
        *hak_slab_free_word(slab, word) |= hak_bits_one(index);
    }
    hak_order_stores(); /* L5, H3 */
    slab->hint = (uint8_t)lowest;
    slab->used -= count;
    return count;
}
