/* SPDX-License-Identifier: MIT
 *
 * Linked statically with libhakmem.a, for a libc of either kind: malloc must be hakmem's also for
 * libc itself, and every name of the family must be there without clashing with libc's own.
 */
#include "hakmem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *memalign(size_t alignment, size_t size);
size_t malloc_usable_size(void *block);

/* A volatile pointer: the compiler is not to join malloc and free to nothing. */
static void *(*volatile allocate)(size_t) = malloc;

static unsigned long long live(void) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION, .size = sizeof(stats)};
    return hak_stats_read(&stats) == 0 ? stats.live : 0;
}

static int fail(const char *what) {
    fprintf(stderr, "static_names: %s\n", what);
    return 1;
}

int main(void) {
    unsigned long long before = live();
    char *block = allocate(100000);
    if (!block || live() < before + 100000) return fail("malloc is not hakmem's");
    if (malloc_usable_size(block) != hak_usable_size(block))
        return fail("malloc_usable_size is not hakmem's");
    free(block);

    before = live();
    char *copy = strdup("libc's own allocations come from hakmem"); /* from inside libc */
    if (!copy || live() <= before) return fail("strdup is not served by hakmem");
    free(copy);

    void *aligned = NULL;
    if (posix_memalign(&aligned, 4096, 100) != 0 || (size_t)aligned % 4096 != 0)
        return fail("posix_memalign");
    free(aligned);
    aligned = memalign(256, 10);
    free(realloc(aligned, 5000));
    free(aligned_alloc(64, 640));
    free(calloc(10, 10));
    errno = 0;
    if (allocate((size_t)-1) || errno != ENOMEM) return fail("malloc(SIZE_MAX)");

    FILE *stream = tmpfile(); /* stdio's buffers */
    if (!stream || fprintf(stream, "%d\n", 1) < 0 || fclose(stream) != 0) return fail("stdio");
    return 0;
}
