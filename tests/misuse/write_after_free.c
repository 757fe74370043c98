/* SPDX-License-Identifier: MIT
 *
 * Writes to a block after it was freed, then allocates until the allocator has
 * handed it out again:
 *   write_after_free SIZE OFFSET LENGTH magazine|slab
 *
 * where the block is free in the thread's magazine, or has gone back to its slab.
 * Says "survived" at the end, as misuse.c does.  Status 1 if two live blocks overlap.
 */
#include "overlap.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void (*volatile do_free)(void *) = free;

static void say(const char *text) {
    if (write(STDOUT_FILENO, text, strlen(text)) < 0) _exit(2);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    size_t size = strtoul(argv[1], NULL, 10), offset = strtoul(argv[2], NULL, 10);
    size_t length = strtoul(argv[3], NULL, 10);

    char *volatile keeper = malloc(size), *volatile block = malloc(size);
    if (!keeper || !block) return 2; /* with one in use, the slab is kept */
    do_free(block);
    if (strcmp(argv[4], "slab") == 0) {
        void *flush = dlsym(RTLD_DEFAULT, "hak_tiny_magazine_flush_all");
        if (!flush) return 2;
        ((void (*)(void))(uintptr_t)flush)();
    }
    memset(block + offset, 'a', length);
    if (overlap_check(100000, size, NULL, 0) != 0) {
        say("blocks overlap or changed\n");
        return 1;
    }
    say("survived\n");
    return 0;
}
