/* SPDX-License-Identifier: MIT
 *
 * The slow paths of malloc and free.  Header: front/slow.h.
 *
 * Invariant H5: work on the thread's heap is bracketed by hak_heap_enter and hak_heap_leave, or, if
 * it leaves the hot path alone, by hak_open_hold and hak_open_let_go (front/open.h).  In between,
 * and at the very end of a thread, calls are served by the fallback heap and by single remote
 * frees.
 */
#include "front/slow.h"

#include "base/counter.h"
#include "check/verify.h"
#include "config/option.h"
#include "front/fast_path.h"
#include "front/open.h"
#include "heap/bin.h"
#include "heap/idle.h"
#include "heap/locked.h"
#include "heap/registry.h"
#include "heap/remote.h"
#include "heap/thread_heap.h"
#include "large/cached.h"
#include "observe/wrapper.h"
#include "os/report.h"
#include "os/thread.h"
#include "policy/background.h"
#include "policy/keep.h"
#include "policy/release.h"
#include "policy/taught.h"
#include "slab/used.h"

#include <errno.h>

const struct hak_other_malloc *_Atomic hak_slow_foreign;

static HAK_COLD bool slow_attach(struct hak_tls *tls) {
    int saved = errno;
    hak_report_start();
    hak_option_init();
    hak_taught_load();
    bool attached = hak_thread_heap_attach(tls);
    errno = saved;
    return attached;
}

/* Has this thread a heap that it may work on now?  Makes one at its first call. */
static bool slow_ready(struct hak_tls *tls) {
    if (hak_likely(tls->state == HAK_TLS_READY)) return true;
    return tls->state == HAK_TLS_NEW && slow_attach(tls);
}

/* The same for an allocation: a thread that allocates in destructors, after its heap was parked,
 * takes a heap again.  (Not for a free: libc frees what it holds for a thread when no destructor
 * will be called any more.) */
static bool slow_ready_to_take(struct hak_tls *tls) {
    if (tls->state == HAK_TLS_EXITED && hak_thread_ends_later()) return slow_attach(tls);
    return slow_ready(tls);
}

void hak_slow_start(void) {
    slow_ready(&hak_tls);
}

/* Ends work on the thread's heap. */
static void slow_leave(struct hak_tls *tls) {
    hak_release_count(tls->heap);
    hak_heap_leave(tls);
    hak_background_check();
}

/* The same, where the thread may be inside a slow path already, or have no heap. */
static void slow_leave_huge(void) {
    if (hak_tls.state == HAK_TLS_READY) hak_background_check();
}

/* ---- Allocation ------------------------------------------------------------------------------ */

static void *slow_fail(void) {
    errno = ENOMEM;
    return NULL;
}

void hak_slow_spare(void) {
    struct hak_tls *tls = &hak_tls;
    if (tls->state == HAK_TLS_READY) {
        hak_idle_shrink_all(hak_heap_enter(tls));
        hak_heap_leave(tls);
    }
    hak_background_release();
}

static void *slow_huge(size_t size, size_t alignment, bool *zeroed, const void *site) {
    uintptr_t address;
    uint16_t number = hak_wrapper_site(HAK_CALL(site), true, &address);
    struct hak_superslab *huge = hak_cached_alloc(size, alignment, number, zeroed);
    if (!huge) {
        hak_slow_spare();
        huge = hak_cached_alloc(size, alignment, number, zeroed);
    }
    if (!huge) return slow_fail();
    hak_keep_taken(number, hak_site_took_huge(huge));
    slow_leave_huge();
    return huge->base;
}

static struct hak_block *slow_refill(struct hak_heap *heap, unsigned class, bool *zeroed,
                                     const void *site) {
    struct hak_block *block = hak_bin_refill(heap, class, zeroed);
    if (hak_unlikely(!block)) { /* as hak_slow_spare */
        hak_idle_shrink_all(heap);
        hak_background_release();
        block = hak_bin_take(heap, class, zeroed);
    }
    if (block && class <= HAK_SHARED_CLASSES)
        hak_site_refilled(site, class, hak_heap_bin_count(heap, class) + 1);
    else if (block) hak_site_took(heap, block, hak_map_class(block), site);
    return block;
}

/* From the heap of the thread, which is READY. */
static void *slow_take_own(struct hak_tls *tls, unsigned class, bool *zeroed, const void *site) {
    struct hak_heap *heap = hak_heap_enter(tls);
    struct hak_block *block = hak_bin_pop(heap, class);
    *zeroed = false;
    if (hak_unlikely(!block)) block = slow_refill(heap, class, zeroed, site);
    else if (class > HAK_SHARED_CLASSES) hak_site_took(heap, block, class, site);
    slow_leave(tls);
    return block;
}

static void *slow_take(struct hak_tls *tls, unsigned class, bool *zeroed, const void *site) {
    if (slow_ready_to_take(tls)) return slow_take_own(tls, class, zeroed, site);
    struct hak_block *block = hak_fallback_take(class, zeroed);
    if (block && class > HAK_SHARED_CLASSES) hak_site_took(NULL, block, hak_map_class(block), site);
    return block;
}

void *hak_slow_allocate(size_t size, size_t alignment, bool *zeroed, const void *site) {
    struct hak_tls *tls = &hak_tls;
    if (size > PTRDIFF_MAX || alignment > PTRDIFF_MAX) return slow_fail();
    unsigned class = 0;
    if (alignment > HAK_MIN_ALIGN) class = hak_class_of_aligned(size, alignment);
    else if (size <= HAK_LARGE_MAX) class = hak_class_of(size);
    if (!class) {
        slow_ready(tls); /* options and fork detection, also in a thread that never asks for less */
        return slow_huge(size, alignment, zeroed, site);
    }
    void *block = slow_take(tls, class, zeroed, site);
    return block ? block : slow_fail();
}

/* Apart, so that a hit saves no registers for it. */
static __attribute__((noinline)) void *slow_malloc_rest(size_t size, const void *site) {
    bool zeroed = false;
    return hak_slow_allocate(size, HAK_MIN_ALIGN, &zeroed, site);
}

/* Not small, or its bin is empty, or the thread is not ready. */
void *hak_slow_malloc(size_t size, const void *site) {
    struct hak_tls *tls = &hak_tls;
    if (hak_likely(tls->state == HAK_TLS_READY && size <= HAK_LARGE_MAX)) {
        struct hak_block *block = hak_open_take(tls, hak_class_of(size), site);
        if (hak_likely(block != NULL)) return block;
    }
    return slow_malloc_rest(size, site);
}

/* ---- Free ------------------------------------------------------------------------------------ */

/* Puts a block of this thread's heap, which is not in use any more, into its bin: one that is
 * full, or of a class above HAK_FAST_CLASSES; the call must be seen to be at work. */
static __attribute__((noinline)) void slow_push(struct hak_tls *tls, uint64_t class_words,
                                                struct hak_block *block) {
    unsigned class = (unsigned)class_words / 2;
    if (hak_unlikely(tls->state != HAK_TLS_READY)) {
        /* A handler, inside hak_tls_close, or while the heap is held (front/open.h). */
        if (tls->heap->mark) { /* in use until it is drained, like what others send */
            hak_remote_note_shared(tls->heap);
            hak_used_flip(hak_used_find(block));
        }
        if (class > HAK_SHARED_CLASSES) hak_site_freed(NULL, block, class);
        hak_remote_free_now(block, hak_map_tag(block));
        return;
    }
    struct hak_heap *heap = hak_heap_enter(tls);
    if (class > HAK_SHARED_CLASSES) hak_site_freed(heap, block, class);
    hak_bin_push(heap, class, block);
    slow_leave(tls);
}

/* Another heap's block, or a call that can't work on its own heap now. */
static void slow_send(struct hak_tls *tls, struct hak_block *block, uint32_t tag, bool ready) {
    if (hak_tag_class(tag) > HAK_SHARED_CLASSES) hak_site_freed(NULL, block, hak_tag_class(tag));
    if (!ready) {
        hak_remote_free_now(block, tag);
        return;
    }
    struct hak_heap *heap = hak_heap_enter(tls);
    hak_remote_free(heap, block, tag);
    slow_leave(tls);
}

static void slow_release_huge(void *pointer, const char *function) {
    struct hak_superslab *huge = hak_huge_of(pointer);
    if (!huge) {
        struct hak_finding finding = hak_verify(pointer);
        hak_verify_fail(function, pointer, &finding);
        return;
    }
    uint32_t now = hak_site_freed_huge(huge);
    hak_locked_drop_huge(huge);
    hak_cached_free(huge, now, hak_keep_freed(huge->site, huge->huge_bytes, now));
    hak_cached_expire(now);
    slow_leave_huge();
}

static void slow_release_bad(void *pointer, const struct hak_finding *finding,
                             const char *function) {
    const struct hak_other_malloc *foreign = atomic_load_explicit(&hak_slow_foreign,
                                                                  memory_order_acquire);
    if (finding->verdict == HAK_POINTER_FOREIGN && foreign && foreign->free(pointer)) {
        hak_counter_add(&hak_counters.free_foreign, 1);
        return;
    }
    hak_verify_fail(function, pointer, finding);
}

void hak_slow_release(void *pointer, uint32_t tag, const char *function) {
    struct hak_tls *tls = &hak_tls;
    const struct hak_map *map = hak_map_moved((uintptr_t)pointer);
    bool known = tag && !((uintptr_t)pointer >> HAK_ADDRESS_BITS);
    if (known && tag == HAK_TAG_HUGE) {
        slow_release_huge(pointer, function);
        return;
    }
    bool ready = slow_ready(tls);
    struct hak_heap *heap = ready ? tls->heap : NULL;
    bool own = heap && known && hak_tag_owner(tag) == heap->id;
    struct hak_heap *to = own ? heap : known ? hak_registry_get(hak_tag_owner(tag)) : NULL;
    uint64_t *used = NULL;
    if (!to || (to->mark && !(own ? hak_fast_unuse(heap, pointer, map, &used)
                                  : hak_remote_in_use(to, pointer, map)))) {
        struct hak_finding finding = hak_verify(pointer);
        if (finding.verdict != HAK_POINTER_VALID) {
            slow_release_bad(pointer, &finding, function);
            return;
        }
    }
    if (own) slow_push(tls, tag ^ heap->tag, pointer);
    else slow_send(tls, pointer, tag, ready);
}

void hak_slow_overflow(void *pointer, uint64_t difference) {
    slow_push(&hak_tls, difference & ~(uint64_t)HAK_TAG_CHECKED, pointer);
}

/* Keeps another's block for this thread's next malloc, if there are few.  False: not this one. */
static bool slow_borrow(struct hak_heap *heap, void *pointer, uint32_t tag) {
    unsigned class = hak_tag_class(tag);
    if (!hak_bin_may_borrow(heap, class)) return false;
    /* A first-class heap may be destroyed before the block has gone back. */
    if ((uintptr_t)pointer >> HAK_ADDRESS_BITS ||
        hak_registry_get(hak_tag_owner(tag))->kind != HAK_HEAP_THREAD) {
        return false;
    }
    hak_bin_borrow(heap, class, pointer);
    return true;
}

/* What is not this thread's own, and not for hak_open_gather. */
static __attribute__((noinline)) void slow_free_rest(void *pointer, uint32_t tag) {
    struct hak_tls *tls = &hak_tls;
    if (!tag || tls->state != HAK_TLS_READY || !slow_borrow(tls->heap, pointer, tag))
        hak_slow_release(pointer, tag, "free");
}

/* A larger block of the thread's own, or a pointer to none into a slab of its own. */
static __attribute__((noinline)) void slow_free_own(struct hak_tls *tls, struct hak_block *block,
                                                    const struct hak_map *map, uint32_t tag) {
    unsigned class = hak_tag_class(tag);
    uint64_t *used = NULL;
    if (tls->heap->mark && hak_unlikely(!hak_fast_unuse(tls->heap, block, map, &used))) {
        hak_slow_release(block, tag, "free");
        return;
    }
    struct hak_heap *heap = hak_heap_enter(tls);
    if (class > HAK_SHARED_CLASSES) hak_site_freed(heap, block, class);
    if (hak_unlikely(!hak_bin_try_push(&heap->bin[class], block, used)))
        hak_bin_push(heap, class, block);
    slow_leave(tls);
}

void hak_slow_free(void *pointer) {
    struct hak_tls *tls = &hak_tls;
    if (!pointer) {
        if (tls->heap) tls->heap->counts.free_null++;
        return;
    }
    const struct hak_map *map = hak_map_moved((uintptr_t)pointer);
    uint32_t tag = hak_leaf_tag(&map->zero, pointer), difference = tag ^ tls->tag;
    if (hak_tag_owner(difference)) {
        if (!hak_open_gather(tls, pointer, map, tag)) slow_free_rest(pointer, tag);
    } else if (hak_likely(tls->tag && tls->state == HAK_TLS_READY)) {
        if (!hak_open_put(tls, pointer, map, hak_tag_class(tag)))
            slow_free_own(tls, pointer, map, tag);
    } else {
        slow_free_rest(pointer, tag); /* the doors are closed, or being closed */
    }
}

void hak_slow_free_sized(void *pointer, size_t size, const char *function) {
    struct hak_tls *tls = &hak_tls;
    const struct hak_map *map = hak_map_moved((uintptr_t)pointer);
    uint32_t tag = (uintptr_t)pointer >> HAK_ADDRESS_BITS ? 0 : hak_leaf_tag(&map->zero, pointer);
    unsigned class = tag == HAK_TAG_HUGE ? 0 : hak_tag_class(tag);
    uint64_t difference = tag ^ tls->tag;
    uint64_t *used = NULL;
    if (hak_likely(size <= hak_class_table[class].block_bytes) &&
        hak_likely(hak_fast_is_own(difference, HAK_CHECKED_DOOR)) &&
        hak_likely(hak_fast_unuse(tls->heap, pointer, map, &used))) {
        hak_fast_push(tls->heap, difference, HAK_CHECKED_DOOR, pointer, used);
        return;
    }
    if (!pointer) return;
    struct hak_finding finding = hak_verify(pointer);
    if (finding.verdict != HAK_POINTER_VALID) {
        slow_release_bad(pointer, &finding, function);
    } else if (size > finding.block_bytes) {
        hak_verify_fail_size(function, pointer, size, finding.block_bytes);
    } else {
        hak_slow_release(pointer, tag, function);
    }
}
