/* SPDX-License-Identifier: MIT
 *
 * Pointers from libc's own malloc, which a library that was loaded with RTLD_DEEPBIND, or a static
 * copy, may have called.  They are handed to libc, and reported once; anything else that is not
 * ours is a bad pointer.
 *
 * libc is asked first whether its heap is in use at all: in a process where it never served an
 * allocation, no pointer can be its own.
 *
 * Concurrency: reached on the error path of free only; dlsym may allocate there, which is served.
 */
#include "config/option.h"
#include "front/site_file.h"
#include "front/slow.h"
#include "hakmem.h"
#include "observe/print.h"
#include "os/report.h"
#include "policy/background.h"

#include <dlfcn.h>
#include <malloc.h>

#ifdef __GLIBC__

/* Not in a static program: there libc's malloc is not linked, and dlsym would be. */
__attribute__((weak)) void *dlsym(void *restrict handle, const char *restrict name);

static void *foreign_symbol(const char *name) {
    return dlsym ? dlsym(RTLD_NEXT, name) : NULL;
}

static bool foreign_is_libcs(const void *pointer, const char *function) {
    static _Atomic bool said;
    if (hak_option_int(HAK_OPTION_FOREIGN) != HAK_FOREIGN_FORWARD) return false;
    struct mallinfo2 (*info)(void) = (struct mallinfo2(*)(void))foreign_symbol("mallinfo2");
    if (!info) return false;
    struct mallinfo2 used = info();
    if (used.uordblks == 0 && used.hblkhd == 0) return false;
    if (hak_report_first(&said)) {
        hak_report(
            "%s(%p): not memory of this allocator; handed to libc, whose malloc is in use too "
            "(said once)",
            function, pointer);
    }
    return true;
}

static bool foreign_free(void *pointer) {
    void (*libc_free)(void *) = (void (*)(void *))foreign_symbol("free");
    if (!libc_free || !foreign_is_libcs(pointer, "free")) return false;
    libc_free(pointer);
    return true;
}

static bool foreign_realloc(void *pointer, size_t size, void **result) {
    void *(*libc_realloc)(void *, size_t) = (void *(*)(void *, size_t))foreign_symbol("realloc");
    if (!libc_realloc || !foreign_is_libcs(pointer, "realloc")) return false;
    *result = libc_realloc(pointer, size);
    return true;
}

static bool foreign_usable(const void *pointer, size_t *bytes) {
    size_t (*libc_usable)(const void *) = (size_t(*)(const void *))foreign_symbol(
        "malloc_usable_size");
    if (!libc_usable || !foreign_is_libcs(pointer, "malloc_usable_size")) return false;
    *bytes = libc_usable(pointer);
    return true;
}

static const struct hak_other_malloc foreign_libc = {foreign_free, foreign_realloc, foreign_usable};

#endif /* __GLIBC__ */

__attribute__((constructor)) static void preload_start(void) {
    /* The first block takes a region, a superslab and a slab.  The program would wait for them in
     * the middle of its work. */
    hak_free(hak_slow_malloc(1, NULL));
#ifdef __GLIBC__
    /* release: pairs with the acquire in front/ */
    atomic_store_explicit(&hak_slow_foreign, &foreign_libc, memory_order_release);
#endif
    hak_option_announce();
    hak_background_begin();
}

__attribute__((destructor)) static void preload_end(void) {
    hak_print_at_exit();
    hak_site_file_at_exit();
}
