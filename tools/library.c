/* SPDX-License-Identifier: MIT
 *
 * Finds libhakmem.so.
 */
#include "tool.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define LIBRARY_NAME  "libhakmem.so"
#define LIBRARY_PARTS "hakmem" /* the folder of what only this command uses, installed */

bool library_self(char *out, size_t size) {
    ssize_t length = readlink("/proc/self/exe", out, size - 1);
    if (length > 0 && (size_t)length < size - 1) {
        out[length] = '\0';
        return true;
    }
    /* no /proc */
    char path[PATH_MAX];
    const char *executed = (const char *)getauxval(AT_EXECFN);
    if (executed == NULL || realpath(executed, path) == NULL) return false;
    return (size_t)snprintf(out, size, "%s", path) < size;
}

/* A preloaded library is looked for again by every child of the program, in whatever folder that
 * is: so the path is made absolute.  LD_PRELOAD has no way to quote its separators. */
bool library_resolve(const char *path, char out[PATH_MAX], char *why, size_t size) {
    if (realpath(path, out) == NULL) {
        snprintf(why, size, "%s: %s", path, strerror(errno));
        return false;
    }
    if (strpbrk(out, " :") == NULL) return true;
    snprintf(why, size, "%s: LD_PRELOAD can't hold a path with a blank or a colon; give another",
             out);
    return false;
}

static bool library_take(const char *path, char *out) {
    char why[PATH_MAX + 128];
    if (library_resolve(path, out, why, sizeof why)) return true;
    fprintf(stderr, "%s: %s\n", program_invocation_name, why);
    return false;
}

bool library_find(const char *given, char out[PATH_MAX]) {
    static const char *const places[] = {LIBRARY_NAME, HAKMEM_LIBDIR "/" LIBRARY_NAME};
    char self[PATH_MAX], path[PATH_MAX + sizeof HAKMEM_LIBDIR + sizeof LIBRARY_NAME + 1];
    if (given == NULL) given = getenv("HAKMEM_LIB");
    if (given != NULL && *given != '\0') return library_take(given, out);

    if (!library_self(self, sizeof self)) {
        fprintf(stderr,
                "%s: the path of this command is unknown; give the library with --lib PATH\n",
                program_invocation_name);
        return false;
    }
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "%s/%s", self, places[i]);
        if (access(path, F_OK) == 0) return library_take(path, out);
    }
    fprintf(stderr,
            "%s: no " LIBRARY_NAME " in %s or %s/" HAKMEM_LIBDIR "; give it with --lib PATH\n",
            program_invocation_name, self, self);
    return false;
}

bool library_find_part(const char *name, char out[PATH_MAX]) {
    static const char *const folders[] = {"", HAKMEM_LIBDIR "/" LIBRARY_PARTS "/"};
    char self[PATH_MAX], path[PATH_MAX + sizeof HAKMEM_LIBDIR + NAME_MAX];
    if (!library_self(self, sizeof self)) return false;
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s%s", self, folders[i], name);
        if (access(path, F_OK) == 0) return library_take(path, out);
    }
    fprintf(stderr, "%s: no %s in %s or %s/%s\n", program_invocation_name, name, self, self,
            folders[1]);
    return false;
}
