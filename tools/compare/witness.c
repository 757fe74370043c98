/* SPDX-License-Identifier: MIT
 *
 * Preloaded in front of an allocator by `hakmem compare`, in its untimed run: appends the line
 * "PROGRAM\tLIBRARY" to the file $HAKMEM_WITNESS, where LIBRARY is the one that the program's calls
 * of malloc really reach.  It allocates nothing and stays out of the way if anything fails.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WITNESS_LINE_BYTES 1024

/* The file that the malloc of the process is in, or NULL. */
static const char *witness_library(void) {
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
    const char *path = getenv("HAKMEM_WITNESS");
    const char *library = path ? witness_library() : NULL;
    if (!library) return;
    char line[WITNESS_LINE_BYTES];
    const int saved = errno;
    const int length = snprintf(line, sizeof line, "%s\t%s\n", program_invocation_short_name,
                                library);
    const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && length > 0 && length < (int)sizeof line &&
        write(fd, line, (size_t)length) != length) {
        unlink(path);
    }
    if (fd >= 0) close(fd);
    errno = saved;
}
