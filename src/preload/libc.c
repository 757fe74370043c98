/* SPDX-License-Identifier: MIT
 *
 * libc's names for the malloc family: one-line forwarders.
 *
 * glibc's manual ("Replacing malloc") wants the first group defined together; the __libc_ names are
 * what glibc exports beside them and old programs call.
 */
#include "front/fast_path.h"
#include "hakmem.h"
#include "preload/preload.h"

#include <malloc.h>
#include <stdlib.h>

EXPORT void *malloc(size_t size) {
    return hak_fast_malloc(size);
}

EXPORT void free(void *block) {
    hak_fast_free(block);
}

EXPORT void *calloc(size_t count, size_t size) {
    return hak_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size) {
    return hak_realloc(block, size);
}

EXPORT void *reallocarray(void *block, size_t count, size_t size) {
    return hak_reallocarray(block, count, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    return hak_aligned_alloc(alignment, size);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
    return hak_posix_memalign(out, alignment, size);
}

EXPORT void *memalign(size_t alignment, size_t size) {
    return hak_memalign(alignment, size);
}

EXPORT void *valloc(size_t size) {
    return hak_valloc(size);
}

EXPORT void *pvalloc(size_t size) {
    return hak_pvalloc(size);
}

EXPORT size_t malloc_usable_size(void *block) {
    return hak_usable_size(block);
}

EXPORT void free_sized(void *block, size_t size) {
    hak_free_sized(block, size);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size) {
    hak_free_aligned_sized(block, alignment, size);
}

EXPORT void cfree(void *block) {
    hak_free(block);
}

/* ---- malloc.h -------------------------------------------------------------------------------- */

EXPORT int malloc_trim(size_t pad) {
    return hak_malloc_trim(pad);
}

EXPORT void malloc_stats(void) {
    hak_malloc_stats();
}

EXPORT int malloc_info(int options, FILE *stream) {
    return hak_malloc_info(options, stream);
}

EXPORT int mallopt(int param, int value) {
    return hak_mallopt(param, value);
}

#ifdef __GLIBC__

static struct mallinfo libc_mallinfo(void) {
    struct hak_mallinfo from = hak_mallinfo2();
    struct mallinfo info = {
        .arena = (int)from.arena,
        .ordblks = (int)from.ordblks,
        .smblks = (int)from.smblks,
        .hblks = (int)from.hblks,
        .hblkhd = (int)from.hblkhd,
        .fsmblks = (int)from.fsmblks,
        .uordblks = (int)from.uordblks,
        .fordblks = (int)from.fordblks,
        .keepcost = (int)from.keepcost,
    };
    return info;
}

EXPORT struct mallinfo mallinfo(void) {
    return libc_mallinfo();
}

#if __GLIBC_PREREQ(2, 33)
EXPORT struct mallinfo2 mallinfo2(void) {
    struct hak_mallinfo from = hak_mallinfo2();
    struct mallinfo2 info = {
        .arena = from.arena,
        .ordblks = from.ordblks,
        .smblks = from.smblks,
        .hblks = from.hblks,
        .hblkhd = from.hblkhd,
        .fsmblks = from.fsmblks,
        .uordblks = from.uordblks,
        .fordblks = from.fordblks,
        .keepcost = from.keepcost,
    };
    return info;
}
#endif

EXPORT void *__libc_malloc(size_t size) {
    return hak_malloc(size);
}

EXPORT void __libc_free(void *block) {
    hak_free(block);
}

EXPORT void *__libc_calloc(size_t count, size_t size) {
    return hak_calloc(count, size);
}

EXPORT void *__libc_realloc(void *block, size_t size) {
    return hak_realloc(block, size);
}

EXPORT void *__libc_memalign(size_t alignment, size_t size) {
    return hak_memalign(alignment, size);
}

EXPORT void *__libc_valloc(size_t size) {
    return hak_valloc(size);
}

EXPORT void *__libc_pvalloc(size_t size) {
    return hak_pvalloc(size);
}

EXPORT int __libc_mallopt(int param, int value) {
    return hak_mallopt(param, value);
}

EXPORT struct mallinfo __libc_mallinfo(void) {
    return libc_mallinfo();
}

EXPORT int __posix_memalign(void **out, size_t alignment, size_t size) {
    return hak_posix_memalign(out, alignment, size);
}

#endif /* __GLIBC__ */
