/* SPDX-License-Identifier: MIT
 *
 * A library to be preloaded before or after the allocator: it counts the calls of malloc's
 * family and passes them on to whoever comes next, as profilers and leak checkers do.  To find
 * the next one it calls dlsym, also for a name that nobody has: the text of that error is
 * allocated, through this very library.
 *
 * Until the next functions are known, requests are met from a small array and never freed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static void *(*next_malloc)(size_t);
static void (*next_free)(void *);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);

static _Alignas(16) char early[65536];
static size_t early_used;
static _Atomic int resolving;
static _Atomic unsigned long calls;

static void *early_take(size_t size) {
    size_t start = early_used;
    early_used += (size + 15) / 16 * 16;
    if (early_used > sizeof(early)) _exit(99);
    return early + start;
}

static int is_early(const void *block) {
    return (uintptr_t)block - (uintptr_t)early < sizeof(early);
}

/* Single-threaded at that time: the first call comes from the dynamic
 * linker or from libc's start. */
static int resolved(void) {
    if (next_realloc) return 1;
    if (resolving) return 0;
    resolving = 1;
    (void)dlsym(RTLD_NEXT, "a name that nobody has");
    (void)dlerror();
    *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&next_free = dlsym(RTLD_NEXT, "free");
    *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
    resolving = 0;
    return 1;
}

EXPORT void *malloc(size_t size) {
    calls++;
    return resolved() ? next_malloc(size) : early_take(size);
}

EXPORT void *calloc(size_t count, size_t size) {
    calls++;
    return resolved() ? next_calloc(count, size) : early_take(count * size);
}

EXPORT void free(void *block) {
    calls++;
    if (block && !is_early(block) && resolved()) next_free(block);
}

EXPORT void *realloc(void *block, size_t size) {
    calls++;
    if (!resolved()) return early_take(size);
    if (!is_early(block)) return next_realloc(block, size);
    void *moved = next_malloc(size);
    if (moved) memcpy(moved, block, size < 256 ? size : 256);
    return moved;
}

__attribute__((destructor)) static void report(void) {
    char text[64];
    int length = snprintf(text, sizeof(text), "interposer: %lu calls\n", calls);
    if (write(STDOUT_FILENO, text, (size_t)length) < 0) _exit(98);
}
