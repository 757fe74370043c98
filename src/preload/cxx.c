/* SPDX-License-Identifier: MIT
 *
 * The C++ operators new and delete (C++17 [new.delete]), under their mangled names, so that the
 * library needs no C++ runtime: what it needs of one, if the program has one, is reached by weak
 * references.
 *
 * Exceptions pass through these frames: this file is compiled with -fexceptions.
 */
#include "front/fast_path.h"
#include "hakmem.h"
#include "os/report.h"
#include "preload/preload.h"

#include <dlfcn.h>

/* A C++ compiler declares them by itself; no C header does. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define WEAK __attribute__((weak))

typedef void (*cxx_handler)(void);

/* std::get_new_handler() and std::__throw_bad_alloc() of libstdc++, and the latter of libc++ */
WEAK cxx_handler _ZSt15get_new_handlerv(void);
WEAK void _ZSt17__throw_bad_allocv(void);
WEAK void _ZNSt3__117__throw_bad_allocEv(void);

/* [new.delete.single]: call the new-handler until there is memory or no handler. */
static void *cxx_retry(size_t size, size_t alignment, const void *site) {
    for (;;) {
        cxx_handler handler = _ZSt15get_new_handlerv ? _ZSt15get_new_handlerv() : NULL;
        if (!handler) return NULL;
        handler();
        bool zeroed = false;
        void *block = hak_slow_allocate(size, alignment, &zeroed, site);
        if (block) return block;
    }
}

static void cxx_throw(size_t size) {
    if (_ZSt17__throw_bad_allocv) _ZSt17__throw_bad_allocv();
    if (_ZNSt3__117__throw_bad_allocEv) _ZNSt3__117__throw_bad_allocEv();
    hak_die("operator new(%zu): out of memory, and no C++ runtime to throw std::bad_alloc", size);
}

static __attribute__((noinline)) void *cxx_failed(size_t size, size_t alignment, const void *site) {
    void *block = cxx_retry(size, alignment, site);
    if (!block) cxx_throw(size);
    return block;
}

HAK_INLINE void *cxx_new(size_t size) {
    void *block = hak_fast_malloc(size);
    return hak_likely(block != NULL) ? block : cxx_failed(size, HAK_MIN_ALIGN, hak_call_site());
}

/* [new.delete.single]: NULL, without an exception, if the alignment is none. */
HAK_INLINE void *cxx_aligned(size_t size, size_t alignment) {
    return hak_is_power_of_two(alignment) ? hak_fast_aligned(alignment, size) : NULL;
}

HAK_INLINE void *cxx_new_aligned(size_t size, size_t alignment) {
    void *block = cxx_aligned(size, alignment);
    return hak_likely(block != NULL) ? block : cxx_failed(size, alignment, hak_call_site());
}

/* The C++ runtime's own nothrow forms call operator new, which is ours, and catch what it throws: C
 * can't.  Weak: a static program may have no dlsym; then the new-handler's exception passes. */
WEAK void *dlsym(void *restrict handle, const char *restrict name);

static void *cxx_runtimes(const char *form) {
    return dlsym ? dlsym(RTLD_NEXT, form) : NULL;
}

HAK_INLINE void *cxx_nothrow(const char *form, size_t size, const void *tag) {
    void *block = hak_fast_malloc(size);
    if (hak_likely(block != NULL)) return block;
    void *next = cxx_runtimes(form);
    if (!next) return cxx_retry(size, HAK_MIN_ALIGN, hak_call_site());
    return ((void *(*)(size_t, const void *))next)(size, tag);
}

HAK_INLINE void *cxx_nothrow_aligned(const char *form, size_t size, size_t alignment,
                                     const void *tag) {
    void *block = cxx_aligned(size, alignment);
    if (hak_likely(block != NULL)) return block;
    void *next = cxx_runtimes(form);
    if (!next) return cxx_retry(size, alignment, hak_call_site());
    return ((void *(*)(size_t, size_t, const void *))next)(size, alignment, tag);
}

/* operator new(size_t), new[] */
EXPORT void *_Znwm(size_t size) {
    return cxx_new(size);
}
EXPORT void *_Znam(size_t size) {
    return cxx_new(size);
}
/* (size_t, std::align_val_t) */
EXPORT void *_ZnwmSt11align_val_t(size_t size, size_t alignment) {
    return cxx_new_aligned(size, alignment);
}
EXPORT void *_ZnamSt11align_val_t(size_t size, size_t alignment) {
    return cxx_new_aligned(size, alignment);
}
/* (size_t, std::nothrow_t const &) */
EXPORT void *_ZnwmRKSt9nothrow_t(size_t size, const void *tag) {
    return cxx_nothrow("_ZnwmRKSt9nothrow_t", size, tag);
}
EXPORT void *_ZnamRKSt9nothrow_t(size_t size, const void *tag) {
    return cxx_nothrow("_ZnamRKSt9nothrow_t", size, tag);
}
/* (size_t, std::align_val_t, std::nothrow_t const &) */
EXPORT void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *tag) {
    return cxx_nothrow_aligned("_ZnwmSt11align_val_tRKSt9nothrow_t", size, alignment, tag);
}
EXPORT void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *tag) {
    return cxx_nothrow_aligned("_ZnamSt11align_val_tRKSt9nothrow_t", size, alignment, tag);
}

/* operator delete(void *), delete[], with nothrow, with alignment */
EXPORT void _ZdlPv(void *block) {
    hak_fast_free(block);
}
EXPORT void _ZdaPv(void *block) {
    hak_fast_free(block);
}
EXPORT void _ZdlPvRKSt9nothrow_t(void *block, const void *tag) {
    (void)tag;
    hak_fast_free(block);
}
EXPORT void _ZdaPvRKSt9nothrow_t(void *block, const void *tag) {
    (void)tag;
    hak_fast_free(block);
}
EXPORT void _ZdlPvSt11align_val_t(void *block, size_t alignment) {
    (void)alignment;
    hak_fast_free(block);
}
EXPORT void _ZdaPvSt11align_val_t(void *block, size_t alignment) {
    (void)alignment;
    hak_fast_free(block);
}
EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment, const void *tag) {
    (void)alignment;
    (void)tag;
    hak_fast_free(block);
}
EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment, const void *tag) {
    (void)alignment;
    (void)tag;
    hak_fast_free(block);
}
/* sized, and sized with alignment */
EXPORT void _ZdlPvm(void *block, size_t size) {
    hak_fast_free_sized(block, size, "operator delete");
}
EXPORT void _ZdaPvm(void *block, size_t size) {
    hak_fast_free_sized(block, size, "operator delete[]");
}
EXPORT void _ZdlPvmSt11align_val_t(void *block, size_t size, size_t alignment) {
    (void)alignment; /* every block of ours has the alignment it was asked for */
    hak_fast_free_sized(block, size, "operator delete");
}
EXPORT void _ZdaPvmSt11align_val_t(void *block, size_t size, size_t alignment) {
    (void)alignment;
    hak_fast_free_sized(block, size, "operator delete[]");
}
