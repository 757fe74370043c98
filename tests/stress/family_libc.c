/* SPDX-License-Identifier: MIT
 *
 * The family under libc's names: glibc's own functions, or those of a library preloaded over them.
 */
#include "stress.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void libc_free_sized(void *block, size_t size) {
    (void)size;
    free(block);
}

static void libc_free_aligned_sized(void *block, size_t alignment, size_t size) {
    (void)alignment;
    (void)size;
    free(block);
}

static size_t (*libc_collect)(void);
static void (*libc_flush)(void);

static const char *libc_give_back(void) {
    if (!libc_collect) {
        malloc_trim(0);
        return "malloc_trim";
    }
    if (libc_flush) libc_flush();
    libc_collect();
    return "hak_collect";
}

struct stress_family family = {
    .malloc = malloc,
    .calloc = calloc,
    .realloc = realloc,
    .free = free,
    .aligned_alloc = aligned_alloc,
    .posix_memalign = posix_memalign,
    .usable_size = malloc_usable_size,
    .free_sized = libc_free_sized,
    .free_aligned_sized = libc_free_aligned_sized,
    .trim = malloc_trim,
    .give_back = libc_give_back,
};

/* Stores the address of a function in a pointer to it, if the process has that function. */
static void find(const char *name, void *pointer) {
    void *address = dlsym(RTLD_DEFAULT, name);
    if (address) memcpy(pointer, &address, sizeof address);
}

void family_open(const char *expect) {
    find("free_sized", &family.free_sized);
    find("free_aligned_sized", &family.free_aligned_sized);
    find("hak_stats_read", &family.stats_read);
    find("hak_collect", &libc_collect);
    find("hak_tiny_magazine_flush_all", &libc_flush);

    Dl_info of_malloc, of_free;
    if (!dladdr((void *)(uintptr_t)family.malloc, &of_malloc) ||
        !dladdr((void *)(uintptr_t)family.free, &of_free))
        stress_fail("nobody serves malloc");
    if (strcmp(of_malloc.dli_fname, of_free.dli_fname) != 0)
        stress_fail("malloc is served by %s but free by %s", of_malloc.dli_fname,
                    of_free.dli_fname);
    if (expect && !strstr(of_malloc.dli_fname, expect))
        stress_fail("malloc is served by %s, not by %s", of_malloc.dli_fname, expect);
}
