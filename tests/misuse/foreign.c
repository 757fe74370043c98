/* SPDX-License-Identifier: MIT
 *
 * A plugin that was opened with RTLD_DEEPBIND finds libc's own malloc before any preloaded one.
 * Its blocks reach the program, which frees them:
 *   foreign PLUGIN free|realloc|usable COUNT
 *
 * Says "pointer P block B usable N" for the first of them, and "survived" at the end.  Status 1:
 * the contents of a block changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *text) {
    if (write(STDOUT_FILENO, text, strlen(text)) < 0) _exit(2);
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_DEEPBIND);
    void *(*plugin_malloc)(size_t) = NULL;
    if (plugin) *(void **)&plugin_malloc = dlsym(plugin, "plugin_malloc");
    if (!plugin_malloc) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    for (long i = 0; i < strtol(argv[3], NULL, 10); i++) {
        size_t size = 100 + (size_t)i * 10;
        char *block = plugin_malloc(size);
        memset(block, 'p', size);
        if (i == 0) {
            char text[160];
            snprintf(text, sizeof(text), "pointer %#zx block %#zx usable 0\n", (size_t)block,
                     (size_t)block);
            say(text);
        }
        if (strcmp(argv[2], "realloc") == 0) {
            block = realloc(block, 2 * size);
            if (block && (block[0] != 'p' || memcmp(block, block + 1, size - 1) != 0)) return 1;
            free(block);
        } else if (strcmp(argv[2], "usable") == 0) {
            (void)malloc_usable_size(block); /* and left */
        } else {
            free(block);
        }
    }
    say("survived\n");
    return 0;
}
