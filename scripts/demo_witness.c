/* SPDX-License-Identifier: MIT
 *
 * Preloaded before an allocator: appends "program library" to the file $DEMO_WITNESS, where
 * library is the one that the program's calls of malloc really reach.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The library that defines the malloc of the process, or NULL. */
static const char *malloc_library(void) {
    Dl_info info;
    ElfW(Sym) *symbol = NULL;
    void *function = dlsym(RTLD_DEFAULT, "malloc");
    if (!function || !dladdr1(function, &info, (void **)&symbol, RTLD_DL_SYMENT)) return NULL;
    if (symbol && symbol->st_shndx == SHN_UNDEF) {
        /* A program that is not position independent and takes malloc's address: that is its own
         * stub, which calls the first definition behind the program and this library. */
        function = dlsym(RTLD_NEXT, "malloc");
        if (!function || !dladdr(function, &info)) return NULL;
    }
    return info.dli_fname;
}

__attribute__((constructor)) static void witness(void) {
    const char *path = getenv("DEMO_WITNESS");
    const char *library = malloc_library();
    if (!path || !library) return;
    char line[1024];
    int length = snprintf(line, sizeof line, "%s %s\n", program_invocation_short_name, library);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || length >= (int)sizeof line) return;
    if (write(fd, line, (size_t)length) != length) unlink(path);
    close(fd);
}
