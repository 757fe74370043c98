/* SPDX-License-Identifier: MIT
 *
 * Blocks with known contents, and checks of the whole engine.  Header: engine.h.
 */
#include "engine.h"

#include "base/counter.h"
#include "config/option.h"
#include "heap/bin.h"
#include "heap/registry.h"
#include "slab/used.h"
#include "span/region.h"

#include <string.h>

#define ENGINE_WHOLE 8192u /* up to here all of a block is filled */
#define ENGINE_PART  64u   /* of each page (or unit) of a larger one, and at its end */

uint64_t engine_random(struct engine_random *random) {
    uint64_t x = random->state ? random->state : 1;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random->state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

size_t engine_below(struct engine_random *random, size_t bound) {
    return (size_t)((engine_random(random) >> 11) % bound);
}

size_t engine_size(struct engine_random *random, size_t most) {
    unsigned bits = (unsigned)engine_below(random, 24);
    size_t size = engine_below(random, (size_t)16 << bits);
    if (engine_below(random, 4)) size %= 1100;
    return size <= most ? size : engine_below(random, most + 1);
}

/* ---- Contents -------------------------------------------------------------------------------- */

static unsigned char engine_byte(uint64_t seed, size_t at) {
    return (unsigned char)((seed * UINT64_C(0x9e3779b97f4a7c15) >> 40) + at * 7 + (at >> 8)) | 1u;
}

/* The next offset to look at after `at`. */
static size_t engine_step(size_t at, size_t size) {
    size_t grain = size <= 256 * KIB ? HAK_PAGE_BYTES_MIN : HAK_UNIT_BYTES;
    if (size <= ENGINE_WHOLE || at % grain + 1 < ENGINE_PART || at + 1 >= size - ENGINE_PART) {
        return at + 1;
    }
    size_t next = hak_align_up(at + 1, grain);
    return next < size - ENGINE_PART ? next : size - ENGINE_PART;
}

static void engine_hook(bool begins) {
    if (fake_hook) fake_hook(begins);
}

void engine_fill(void *block, size_t size, uint64_t seed) {
    unsigned char *bytes = block;
    engine_hook(true);
    for (size_t at = 0; at < size; at = engine_step(at, size)) bytes[at] = engine_byte(seed, at);
    engine_hook(false);
}

bool engine_intact(const void *block, size_t size, uint64_t seed) {
    const unsigned char *bytes = block;
    bool intact = true;
    engine_hook(true);
    for (size_t at = 0; intact && at < size; at = engine_step(at, size)) {
        intact = bytes[at] == engine_byte(seed, at);
        if (intact) continue;
        print_error("block %p of %zu bytes: byte %zu is 0x%02x, not 0x%02x\n", block, size, at,
                    bytes[at], engine_byte(seed, at));
    }
    engine_hook(false);
    return intact;
}

bool engine_is_zero(const void *block, size_t size) {
    const unsigned char *bytes = block;
    if (size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0)) return true;
    for (size_t at = 0; at < size; at++) {
        if (bytes[at] == 0) continue;
        print_error("block %p of %zu bytes: byte %zu is 0x%02x, not 0\n", block, size, at,
                    bytes[at]);
        return false;
    }
    return true;
}

/* ---- Table ----------------------------------------------------------------------------------- */

void engine_enter(struct engine_table *table, size_t row, void *block, size_t size) {
    static uint64_t seeds;
    table->row[row] = (struct engine_block){block, size, ++seeds};
    engine_fill(block, size, seeds);
}

void *engine_leave(struct engine_table *table, size_t row) {
    struct engine_block *entry = &table->row[row];
    if (entry->block) assert_true(engine_intact(entry->block, entry->size, entry->seed));
    void *block = entry->block;
    entry->block = NULL;
    return block;
}

static int engine_compare(const void *a, const void *b) {
    const struct engine_block *x = *(const struct engine_block *const *)a;
    const struct engine_block *y = *(const struct engine_block *const *)b;
    return x->block < y->block ? -1 : x->block > y->block;
}

void engine_check_table(const struct engine_table *table) {
    const struct engine_block *sorted[ENGINE_TABLE];
    size_t count = 0;
    for (size_t i = 0; i < ENGINE_TABLE; i++) {
        const struct engine_block *entry = &table->row[i];
        if (!entry->block) continue;
        assert_true(engine_intact(entry->block, entry->size, entry->seed));
        sorted[count++] = entry;
    }
    qsort(sorted, count, sizeof *sorted, engine_compare);
    for (size_t i = 1; i < count; i++) {
        if (sorted[i - 1]->block + sorted[i - 1]->size <= sorted[i]->block) continue;
        fail_msg("%p + %zu overlaps %p", (void *)sorted[i - 1]->block, sorted[i - 1]->size,
                 (void *)sorted[i]->block);
    }
}

size_t engine_table_bytes(const struct engine_table *table) {
    size_t bytes = 0;
    for (size_t i = 0; i < ENGINE_TABLE; i++) bytes += hak_usable_size(table->row[i].block);
    return bytes;
}

void engine_free_table(struct engine_table *table) {
    for (size_t i = 0; i < ENGINE_TABLE; i++) hak_free(engine_leave(table, i));
}

/* ---- The whole engine ------------------------------------------------------------------------ */

void engine_check_census(struct hak_stats *out) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION, .size = sizeof stats};
    assert_int_equal(hak_stats_read(&stats), 0);
    uint64_t sum = stats.live + stats.cached + stats.free_dirty + stats.purged + stats.metadata +
                   stats.waste;
    if (stats.mapped != sum) {
        fail_msg(
            "mapped %lu is not %lu: live %lu cached %lu free_dirty %lu purged %lu metadata %lu "
            "waste %lu",
            stats.mapped, sum, stats.live, stats.cached, stats.free_dirty, stats.purged,
            stats.metadata, stats.waste);
    }
    assert_int_equal(stats.metadata, fake_page_mapped(HAK_PAGE_META));
    assert_int_equal(stats.mapped, fake_page_mapped(HAK_PAGE_HEAP) + stats.metadata);
    if (out) *out = stats;
}

unsigned engine_count_free(struct hak_slab *slab) {
    unsigned count = 0;
    for (unsigned word = 0; word * 64 < slab->carved; word++) {
        uint64_t bits = *hak_slab_free_word(slab, word);
        if (word < slab->hint) assert_int_equal(bits, 0);
        count += (unsigned)__builtin_popcountll(bits);
    }
    return count;
}

static void engine_check_slab(struct hak_superslab *superslab, unsigned unit) {
    struct hak_slab *slab = hak_slab_at(superslab, unit);
    const struct hak_class *info = &hak_class_table[slab->class];
    assert_in_range(slab->class, 1, HAK_CLASSES);
    assert_ptr_equal(slab->base, hak_superslab_unit_base(superslab, unit));
    assert_int_equal(slab->units, info->units);
    assert_int_equal(slab->capacity, info->capacity);
    assert_true(slab->carved <= slab->capacity);
    assert_true(slab->used + engine_count_free(slab) >= slab->carved); /* L2, or after a fork */
    for (unsigned i = 0; i < slab->units; i++) {                       /* S1, S2 */
        assert_int_equal(hak_map_tag(slab->base + i * HAK_UNIT_BYTES),
                         hak_tag_make(slab->owner, slab->class));
        assert_ptr_equal(hak_slab_in(superslab, slab->base + i * HAK_UNIT_BYTES), slab);
        assert_false(atomic_load(&superslab->free_units) >> (unit + i) & 1);
    }
}

static void engine_check_pieces(struct hak_superslab *superslab) {
    uint32_t free = atomic_load(&superslab->free_units);
    assert_true(free != ~(uint32_t)0); /* it would be the region's */
    for (unsigned unit = 0; unit < HAK_SUPERSLAB_UNITS;) {
        if (free >> unit & 1) {
            assert_int_equal(hak_map_tag(hak_superslab_unit_base(superslab, unit)), 0);
            unit++;
        } else {
            engine_check_slab(superslab, unit);
            unit += hak_slab_at(superslab, unit)->units;
        }
    }
}

static void engine_check_superslab(struct hak_region *region, unsigned slot) {
    struct hak_superslab *superslab = &region->superslab[slot];
    bool free = atomic_load(&region->free_slots) >> slot & 1;
    unsigned kind = atomic_load(&superslab->kind);
    assert_ptr_equal(superslab->base, region->base + slot * HAK_SUPERSLAB_BYTES);
    /* a region that was neither covered nor unmapped, for want of memory, is not in the page map */
    if (region->slots || !free) assert_ptr_equal(hak_map_superslab(superslab->base), superslab);
    if (free) assert_int_equal(kind, HAK_SUPERSLAB_FREE); /* S3 */
    if (kind != HAK_SUPERSLAB_PIECES) assert_int_equal(atomic_load(&superslab->free_units), 0);
    if (kind == HAK_SUPERSLAB_PIECES) engine_check_pieces(superslab);
    for (unsigned unit = 0; unit < HAK_SUPERSLAB_UNITS && kind != HAK_SUPERSLAB_PIECES; unit++) {
        uint32_t tag = hak_map_tag(superslab->base + unit * HAK_UNIT_BYTES);
        assert_int_equal(tag, kind == HAK_SUPERSLAB_HUGE && unit == 0 ? HAK_TAG_HUGE : 0); /* S1 */
    }
}

void engine_check_span(void) {
    for (uint32_t i = 0; i < hak_region_count(); i++) {
        struct hak_region *region = hak_region_at(i);
        if (!region || !region->base) continue;
        assert_true(fake_page_is_mapped(region->base, region->bytes));
        for (unsigned slot = 0; slot < (region->slots ? region->slots : 1); slot++) {
            engine_check_superslab(region, slot);
        }
    }
}

static void engine_check_bin(const struct hak_heap *heap, unsigned class) {
    const struct hak_bin_cold *cold = &heap->cold[class];
    uint32_t count = hak_heap_bin_count(heap, class);
    assert_null(cold->base->block);
    assert_null(cold->base[cold->floor].block);
    assert_true(heap->bin[class].limit - cold->base < (ptrdiff_t)cold->base->used);
    assert_true(cold->floor + count < (uintptr_t)cold->base->used);
    for (uint32_t i = 0; i < count; i++) {
        const struct hak_slot *slot = &cold->base[cold->floor + 1 + i];
        const struct hak_block *block = slot->block;
        const struct hak_slab *slab = hak_slab_of(block);
        bool borrowed = !heap->mark && class >= HAK_BORROW_FIRST && hak_slot_is_borrowed(slot);
        if ((slab->owner != heap->id && !borrowed) || slab->class != class) {
            fail_msg("bin %u of heap %u has a block of heap %u, class %u", class, heap->id,
                     slab->owner, slab->class);
        }
        if (heap->mark) {
            assert_false(hak_block_is_sealed(block, heap->mark));
            assert_ptr_equal(slot->used, hak_used_find(block).word);
            assert_false(hak_used_is(block)); /* L4 */
        }
    }
    bool kept_is_listed = !cold->kept;
    for (const struct hak_slab *slab = cold->partial; slab; slab = slab->next) {
        assert_int_equal(slab->owner, heap->id);
        assert_int_equal(slab->class, class);
        assert_true(slab->listed && (hak_slab_has_free(slab) || slab->carved < slab->capacity));
        kept_is_listed |= slab == cold->kept && slab->used == 0;
    }
    assert_true(kept_is_listed);
}

/* How many slabs of each class each heap owns; of the first heaps. */
#define ENGINE_OWNERS 64u
static uint32_t engine_slabs[ENGINE_OWNERS][HAK_CLASSES + 1];

static void engine_count_pieces(struct hak_superslab *superslab) {
    for (unsigned unit = 0; unit < HAK_SUPERSLAB_UNITS;) {
        const struct hak_slab *slab = hak_slab_at(superslab, unit);
        if (slab->class && slab->owner < ENGINE_OWNERS) engine_slabs[slab->owner][slab->class]++;
        unit += slab->class ? slab->units : 1;
    }
}

static void engine_count_slabs(void) {
    memset(engine_slabs, 0, sizeof engine_slabs);
    for (uint32_t i = 0; i < hak_region_count(); i++) {
        struct hak_region *region = hak_region_at(i);
        for (unsigned slot = 0; region && region->base && slot < region->slots; slot++) {
            struct hak_superslab *superslab = &region->superslab[slot];
            if (atomic_load(&superslab->kind) == HAK_SUPERSLAB_PIECES)
                engine_count_pieces(superslab);
        }
    }
}

void engine_check_heaps(void) {
    engine_count_slabs();
    for (uint32_t id = 1; id <= hak_registry_count(); id++) {
        const struct hak_heap *heap = hak_registry_get(id);
        for (unsigned class = 1; heap && !heap->torn && class <= HAK_CLASSES; class ++) {
            engine_check_bin(heap, class);
            if (id < ENGINE_OWNERS)
                assert_int_equal(heap->cold[class].slabs, engine_slabs[id][class]);
        }
    }
}

void engine_check_empty(void) {
    struct hak_stats stats;
    hak_collect();
    engine_check_span();
    engine_check_heaps();
    engine_check_census(&stats);
    assert_int_equal(stats.live, 0);
    assert_int_equal(stats.cached, 0);
    assert_int_equal(stats.waste, 0);
    assert_int_equal(fake_page_mapped(HAK_PAGE_HEAP), 0);
}

void engine_next_thread(struct fake_thread *next) {
    fake_thread_end();
    fake_thread_switch(next);
}

void engine_mode(const char *check) {
    setenv("HAKMEM_CHECK", check, 1);
}

struct hak_heap *engine_heap(const char *check) {
    engine_mode(check);
    hak_option_init();
    struct hak_heap *heap = hak_heap_make(HAK_HEAP_THREAD);
    assert_non_null(heap);
    return heap;
}

struct hak_block *engine_take(struct hak_heap *heap, unsigned class) {
    bool zeroed;
    struct hak_block *block = hak_bin_take(heap, class, &zeroed);
    if (block) assert_int_equal(hak_slab_of(block)->class, class);
    return block;
}

void engine_take_all(struct hak_heap *heap, unsigned class, struct hak_block **block,
                     unsigned count) {
    for (unsigned i = 0; i < count; i++) assert_non_null(block[i] = engine_take(heap, class));
}
