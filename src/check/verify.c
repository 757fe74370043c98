/* SPDX-License-Identifier: MIT
 *
 * Judging pointers.  Header: check/verify.h.
 */
#include "check/verify.h"

#include "config/option.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "large/huge.h"
#include "os/report.h"
#include "os/thread.h"
#include "slab/used.h"
#include "span/region.h"

#include <sys/auxv.h>

/* No stack is larger: tells the main thread, which is near the kernel's data, from the others. */
#define VERIFY_STACK_BYTES ((uintptr_t)1 << 30)

static struct hak_finding verify_found(enum hak_verdict verdict, size_t block_bytes,
                                       size_t offset) {
    return (struct hak_finding){verdict, block_bytes, offset};
}

/* Stacks grow down: from the thread's own data (whose address the thread pointer is) in a thread
 * that libc made, from the kernel's start-up data in the main thread. */
static bool verify_on_stack(const void *pointer) {
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    uintptr_t start = (uintptr_t)getauxval(AT_RANDOM);
    uintptr_t self = hak_thread_self();
    uintptr_t top = start > frame && start - frame < VERIFY_STACK_BYTES ? start : self;
    return (uintptr_t)pointer >= frame && (uintptr_t)pointer < top &&
           top - frame < VERIFY_STACK_BYTES;
}

/* A pointer into a unit without a tag: the inside of a huge block, unused memory, or not ours. */
static struct hak_finding verify_untagged(const void *pointer) {
    uint32_t regions = hak_region_count();
    for (uint32_t i = 0; i < regions; i++) {
        struct hak_region *region = hak_region_at(i);
        if (!region || (uintptr_t)pointer - (uintptr_t)region->base >= region->bytes) continue;
        struct hak_superslab *superslab = &region->superslab[0];
        if (region->slots)
            superslab += ((uintptr_t)pointer - (uintptr_t)region->base) >> HAK_SUPERSLAB_SHIFT;
        while (atomic_load_explicit(&superslab->kind, memory_order_relaxed) == HAK_SUPERSLAB_TAIL)
            superslab--;
        size_t offset = (uintptr_t)pointer - (uintptr_t)superslab->base;
        if (atomic_load_explicit(&superslab->kind, memory_order_relaxed) == HAK_SUPERSLAB_HUGE &&
            offset < superslab->huge_bytes) {
            return verify_found(HAK_POINTER_INTERIOR, superslab->huge_bytes, offset);
        }
        return verify_found(HAK_POINTER_UNUSED, 0, 0);
    }
    return verify_found(verify_on_stack(pointer) ? HAK_POINTER_STACK : HAK_POINTER_FOREIGN, 0, 0);
}

static struct hak_finding verify_in_slab(const void *pointer) {
    const struct hak_slab *slab = hak_slab_of(pointer);
    size_t size = hak_class_table[slab->class].block_bytes;
    size_t offset = (size_t)((const char *)pointer - slab->base);
    /* relaxed: whoever has a block of the slab got it after the owner had carved it */
    if (offset >= __atomic_load_n(&slab->carved, __ATOMIC_RELAXED) * size) {
        return verify_found(HAK_POINTER_UNUSED, 0, 0);
    }
    if (offset % size) return verify_found(HAK_POINTER_INTERIOR, size, offset % size);
    uintptr_t mark = hak_registry_get(slab->owner)->mark;
    /* A block that another thread has freed keeps its bit until the owner drains it. */
    bool free = mark && (!hak_used_is(pointer) || hak_block_is_sealed(pointer, mark));
    return verify_found(free ? HAK_POINTER_FREE : HAK_POINTER_VALID, size, 0);
}

struct hak_finding hak_verify(const void *pointer) {
    uint32_t tag = (uintptr_t)pointer >> HAK_ADDRESS_BITS ? 0 : hak_map_tag(pointer);
    if (tag == 0) return verify_untagged(pointer);
    if (tag == HAK_TAG_HUGE) {
        const struct hak_superslab *huge = hak_map_superslab(pointer);
        size_t offset = (size_t)((const char *)pointer - huge->base);
        return verify_found(offset ? HAK_POINTER_INTERIOR : HAK_POINTER_VALID, huge->huge_bytes,
                            offset);
    }
    return verify_in_slab(pointer);
}

/* ---- Messages -------------------------------------------------------------------------------- */

#define verify_say(...)                                                                      \
    do {                                                                                     \
        if (hak_option_int(HAK_OPTION_ON_ERROR) == HAK_ON_ERROR_ABORT) hak_die(__VA_ARGS__); \
        hak_report(__VA_ARGS__);                                                             \
    } while (0)

/* free, free_sized, free_aligned_sized, operator delete: as opposed to
 * realloc, malloc_usable_size */
static bool verify_is_freeing(const char *function) {
    return function[0] == 'f' || function[0] == 'o';
}

void hak_verify_fail(const char *function, const void *pointer, const struct hak_finding *finding) {
    size_t bytes = finding->block_bytes;
    switch (finding->verdict) {
    case HAK_POINTER_FREE:
        verify_say("%s(%p): %s free: the block of %zu bytes is free already", function, pointer,
                   verify_is_freeing(function) ? "double" : "use after", bytes);
        return;
    case HAK_POINTER_INTERIOR:
        verify_say("%s(%p): interior pointer: %zu bytes into the block of %zu bytes at %p",
                   function, pointer, finding->offset, bytes,
                   (const void *)((const char *)pointer - finding->offset));
        return;
    case HAK_POINTER_UNUSED:
        verify_say("%s(%p): invalid pointer: this memory is not allocated (freed twice?)", function,
                   pointer);
        return;
    case HAK_POINTER_STACK:
        verify_say("%s(%p): invalid pointer: it points to the stack", function, pointer);
        return;
    case HAK_POINTER_FOREIGN:
    case HAK_POINTER_VALID:
        verify_say("%s(%p): invalid pointer: not memory of this allocator", function, pointer);
        return;
    }
}

void hak_verify_fail_size(const char *function, const void *pointer, size_t promised,
                          size_t block_bytes) {
    verify_say("%s(%p): size mismatch: freed as %zu bytes, but the block has %zu", function,
               pointer, promised, block_bytes);
}
