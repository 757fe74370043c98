/* SPDX-License-Identifier: MIT
 *
 * The malloc family of hakmem.h, but for malloc and free (malloc_fast.c).
 *
 * Sources: malloc(3), posix_memalign(3), malloc_usable_size(3), C23 7.24.3.
 */
#include "check/verify.h"
#include "config/option.h"
#include "front/fast_path.h"
#include "hakmem.h"
#include "large/cached.h"
#include "observe/site.h"
#include "os/page.h"

#include <errno.h>
#include <string.h>

static void *family_fail(int error) {
    errno = error;
    return NULL;
}

void *hak_calloc(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return family_fail(ENOMEM);
    if (total <= HAK_CLEAR_MAX) {
        void *block = hak_fast_malloc(total);
        return block ? memset(block, 0, total) : NULL;
    }
    bool zeroed = true;
    void *block = hak_slow_allocate(total, HAK_MIN_ALIGN, &zeroed, hak_call_site());
    if (block && !zeroed) memset(block, 0, total);
    return block;
}

/* ---- realloc --------------------------------------------------------------------------------- */

/* A pointer that is not ours; free and malloc_usable_size would have told the same. */
static void *family_realloc_foreign(void *pointer, size_t size) {
    const struct hak_other_malloc *foreign = atomic_load_explicit(&hak_slow_foreign,
                                                                  memory_order_acquire);
    struct hak_finding finding = hak_verify(pointer);
    void *result;
    if (foreign && finding.verdict == HAK_POINTER_FOREIGN) {
        if (foreign->realloc(pointer, size, &result)) return result;
        hak_verify_fail("realloc", pointer, &finding);
    }
    return family_fail(EINVAL);
}

/* To another size, with a copy.  A large block that has to grow gets a place where it can go on. */
HAK_INLINE void *family_move(void *block, size_t size, size_t usable, const void *site) {
    bool grows = size > usable && usable > HAK_CLASS_SHARED_MAX && size <= HAK_LARGE_MAX;
    void *moved = grows ? hak_sizes_grow(size, site) : NULL;
    if (!moved) moved = hak_fast_malloc(size);
    /* Without memory for a smaller block, the one that there is will do. */
    if (!moved) return size <= usable ? block : NULL;
    memcpy(moved, block, usable < size ? usable : size);
    hak_fast_free(block);
    return moved;
}

void *hak_realloc(void *block, size_t size) {
    if (!block) return hak_fast_malloc(size);
    size_t usable = hak_fast_usable(block, "realloc");
    if (!usable) return family_realloc_foreign(block, size);
    if (!size) {
        hak_fast_free(block);
        return NULL;
    }
    if (size > PTRDIFF_MAX) return family_fail(ENOMEM);
    struct hak_superslab *huge = usable > HAK_CLASS_SHARED_MAX ? hak_huge_of(block) : NULL;
    if (huge) {
        size_t old = huge->huge_bytes;
        huge = hak_huge_resize(huge, size);
        if (huge) {
            hak_site_resized_huge(huge, old);
            hak_cached_resized(old, huge->huge_bytes);
            return huge->base;
        }
    }
    /* A block that is at most twice too large stays: moving it would cost more than it frees. */
    if (size <= usable && size >= usable / 2) return block;
    if (size > HAK_CLASS_SHARED_MAX && hak_sizes_resize(block, size)) return block;
    return family_move(block, size, usable, hak_call_site());
}

void *hak_reallocarray(void *block, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return family_fail(ENOMEM);
    return hak_realloc(block, total);
}

/* ---- Sized free ------------------------------------------------------------------------------ */

void hak_free_sized(void *block, size_t size) {
    hak_fast_free_sized(block, size, "free_sized");
}

void hak_free_aligned_sized(void *block, size_t alignment, size_t size) {
    (void)alignment; /* every block of ours has the alignment it was asked for */
    hak_fast_free_sized(block, size, "free_aligned_sized");
}

/* ---- Alignment ------------------------------------------------------------------------------- */

void *hak_aligned_alloc(size_t alignment, size_t size) {
    if (!hak_is_power_of_two(alignment)) return family_fail(EINVAL);
    return hak_fast_aligned(alignment, size);
}

void *hak_memalign(size_t alignment, size_t size) {
    if (alignment > SIZE_MAX / 2 + 1) return family_fail(EINVAL);
    size_t power = HAK_MIN_ALIGN;
    while (power < alignment) power *= 2; /* as glibc: rounded up to a power of two */
    return hak_fast_aligned(power, size);
}

int hak_posix_memalign(void **out, size_t alignment, size_t size) {
    if (!hak_is_power_of_two(alignment) || alignment % sizeof(void *)) return EINVAL;
    int saved = errno;
    void *block = hak_fast_aligned(alignment, size);
    errno = saved;
    if (!block) return ENOMEM;
    *out = block;
    return 0;
}

void *hak_valloc(size_t size) {
    return hak_fast_aligned(hak_page_bytes(), size);
}

void *hak_pvalloc(size_t size) {
    size_t page = hak_page_bytes();
    if (size > PTRDIFF_MAX - page) return family_fail(ENOMEM);
    return hak_fast_aligned(page, hak_align_up(size ? size : 1, page));
}

/* ---- Sizes ----------------------------------------------------------------------------------- */

size_t hak_usable_size(const void *block) {
    if (!block) return 0;
    size_t usable = hak_fast_usable(block, "malloc_usable_size");
    const struct hak_other_malloc *foreign = atomic_load_explicit(&hak_slow_foreign,
                                                                  memory_order_acquire);
    if (usable || !foreign) return usable;
    struct hak_finding finding = hak_verify(block);
    if (finding.verdict == HAK_POINTER_FOREIGN && !foreign->usable(block, &usable)) {
        hak_verify_fail("malloc_usable_size", block, &finding);
    }
    return usable;
}

size_t hak_good_size(size_t size) {
    if (size <= HAK_LARGE_MAX) return hak_class_table[hak_class_of(size)].block_bytes;
    return size > PTRDIFF_MAX ? size : hak_cached_round(size);
}
