/* SPDX-License-Identifier: MIT
 *
 * Header: front/sizes.h.
 */
#include "front/sizes.h"

#include "check/verify.h"
#include "front/fast_path.h"
#include "front/slow.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "large/cached.h"
#include "observe/wrapper.h"
#include "policy/keep.h"
#include "policy/release.h"

/* Is it certain that a block with this tag is in use?  In fast mode that is not asked. */
static bool sizes_is_used(const void *pointer, const struct hak_map *map, uint32_t tag) {
    if (!tag || tag == HAK_TAG_HUGE) return false;
    const struct hak_heap *heap = hak_registry_get(hak_tag_owner(tag));
    struct hak_used_bit at;
    return !heap->mark || (heap == hak_tls.heap && hak_fast_in_use(heap, pointer, map, &at));
}

size_t hak_sizes_usable(const void *pointer, const char *function) {
    const struct hak_map *map = hak_map_moved((uintptr_t)pointer);
    uint32_t tag = (uintptr_t)pointer >> HAK_ADDRESS_BITS ? 0 : hak_leaf_tag(&map->zero, pointer);
    if (sizes_is_used(pointer, map, tag)) return hak_class_table[hak_tag_class(tag)].block_bytes;
    struct hak_finding finding = hak_verify(pointer);
    if (finding.verdict == HAK_POINTER_VALID) return finding.block_bytes;
    if (finding.verdict != HAK_POINTER_FOREIGN ||
        !atomic_load_explicit(&hak_slow_foreign, memory_order_acquire)) {
        hak_verify_fail(function, pointer, &finding);
    }
    return 0;
}

bool hak_sizes_resize(void *block, size_t size) {
    struct hak_tls *tls = &hak_tls;
    uint32_t tag = hak_map_tag(block);
    if (tls->state != HAK_TLS_READY || hak_tag_owner(tag) != tls->heap->id ||
        hak_tag_class(tag) <= HAK_SHARED_CLASSES || size > HAK_LARGE_MAX) {
        return false;
    }
    struct hak_heap *heap = hak_heap_enter(tls);
    unsigned class = hak_class_of(size);
    bool resized = hak_slab_resize(hak_slab_of(block), class);
    if (resized) {
        hak_heap_slab_resized(heap, hak_tag_class(tag), class);
        hak_site_resized(block, hak_tag_class(tag), class);
    }
    hak_release_count(heap);
    hak_heap_leave(tls);
    return resized;
}

void *hak_sizes_grow(size_t size, const void *site) {
    uintptr_t address;
    if (hak_tls.state != HAK_TLS_READY) return NULL;
    uint16_t number = hak_wrapper_site(HAK_CALL(site), true, &address);
    struct hak_superslab *huge = hak_cached_grow(size, number);
    if (!huge) return NULL;
    hak_keep_taken(number, hak_site_took_huge(huge));
    return huge->base;
}
