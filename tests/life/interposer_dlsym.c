/* SPDX-License-Identifier: MIT
 *
 * A library to be preloaded beside the allocator: its dlsym calls calloc, as that of
 * older C libraries does, each time.  An allocator that calls dlsym on its way to
 * memory does not survive it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static void *(*real_dlsym)(void *, const char *);

__attribute__((visibility("default"))) void *dlsym(void *restrict handle,
                                                   const char *restrict name) {
    static const char *const versions[] = {"GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17"};
    for (size_t i = 0; !real_dlsym && i < sizeof(versions) / sizeof(versions[0]); i++)
        *(void **)&real_dlsym = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    char *memory = calloc(3, 100);
    if (!memory) abort();
    memory[0] = name[0];
    /* RTLD_NEXT is seen from here then, which does for malloc: nothing before has it. */
    void *result = real_dlsym(handle, name);
    free(memory);
    return result;
}
