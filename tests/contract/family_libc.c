/* SPDX-License-Identifier: MIT
 *
 * The family under libc's names: glibc's own functions, or those of a library preloaded over them.
 */
#define _GNU_SOURCE
#include "family.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static struct family libc_family = {
    .name = "libc",
    .malloc = malloc,
    .calloc = calloc,
    .realloc = realloc,
    .reallocarray = reallocarray,
    .free = free,
    .aligned_alloc = aligned_alloc,
    .memalign = memalign,
    .posix_memalign = posix_memalign,
    .valloc = valloc,
    .pvalloc = pvalloc,
    .usable_size = malloc_usable_size,
    .malloc_info = malloc_info,
    .malloc_stats = malloc_stats,
    .malloc_trim = malloc_trim,
    .mallopt = mallopt,
};

const struct family *family = &libc_family;

static size_t libc_bytes_in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* The functions that glibc 2.36 lacks: C23's, and cfree, which old programs still import. */
static void libc_find_optional(void) {
    *(void **)&libc_family.cfree = dlsym(RTLD_DEFAULT, "cfree");
    *(void **)&libc_family.free_sized = dlsym(RTLD_DEFAULT, "free_sized");
    *(void **)&libc_family.free_aligned_sized = dlsym(RTLD_DEFAULT, "free_aligned_sized");
}

void family_open(void) {
    libc_family.bytes_in_use = libc_bytes_in_use;
    libc_find_optional();

    const char *served_by = getenv("CONTRACT_SERVED_BY");
    if (!served_by) return;
    void *hak_version = dlsym(RTLD_DEFAULT, "hak_version");
    Dl_info malloc_place, hakmem_place;
    bool hakmem = hak_version && dladdr(hak_version, &hakmem_place) &&
                  dladdr(dlsym(RTLD_DEFAULT, "malloc"), &malloc_place) &&
                  malloc_place.dli_fbase == hakmem_place.dli_fbase;
    if (hakmem != (strcmp(served_by, "hakmem") == 0)) {
        fprintf(stderr, "malloc should be served by %s, and is not\n", served_by);
        exit(1);
    }
    libc_family.glibc = !hakmem;
}
