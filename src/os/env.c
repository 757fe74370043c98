/* SPDX-License-Identifier: MIT
 *
 * getauxval(3), environ(7), prlimit(2).
 */
#include "os/env.h"

#include "os/syscall.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <time.h>

extern char **environ __attribute__((weak));

/* Set by glibc's dynamic loader before anything else runs: the address of argc on the first stack.
 * Other C libraries lack it, and set environ in time. */
extern void *__libc_stack_end __attribute__((weak));

static const char *const env_empty[] = {NULL};

/* getauxval sets errno when an entry is missing. */
static unsigned long env_auxiliary(unsigned long type) {
    int saved = errno;
    unsigned long value = getauxval(type);
    errno = saved;
    return value;
}

bool hak_env_secure(void) {
    return env_auxiliary(AT_SECURE) != 0;
}

/* The environment as the kernel laid it out: argc, argv[0] ... NULL, envp[0] ... NULL.  For
 * resolvers of indirect functions, which run while environ is still NULL in glibc. */
static const char *const *env_first_stack(void) {
    if (&__libc_stack_end == NULL || __libc_stack_end == NULL) return env_empty;
    const long *words = __libc_stack_end;
    const long arguments = words[0];
    if (arguments < 0 || arguments > 1 << 24 || words[1 + arguments] != 0) return env_empty;
    return (const char *const *)(words + 1 + arguments + 1);
}

const char *const *hak_env_list(void) {
    if (hak_env_secure()) return env_empty;
    if (&environ != NULL && environ != NULL) return (const char *const *)environ;
    return env_first_stack();
}

const char *hak_env_find(const char *const *list, const char *name) {
    const size_t length = strlen(name);
    for (; *list != NULL; list++) {
        if (strncmp(*list, name, length) == 0 && (*list)[length] == '=') return *list + length + 1;
    }
    return NULL;
}

const char *hak_env_get(const char *name) {
    return hak_env_find(hak_env_list(), name);
}

size_t hak_env_page_size(void) {
    static _Atomic size_t page_size; /* atomic, relaxed: everybody finds the same */
    size_t size = atomic_load_explicit(&page_size, memory_order_relaxed);
    if (hak_likely(size != 0)) return size;
    size = env_auxiliary(AT_PAGESZ);
    if (!hak_is_power_of_two(size)) size = HAK_PAGE_BYTES_MIN;
    atomic_store_explicit(&page_size, size, memory_order_relaxed);
    return size;
}

size_t hak_env_address_space(void) {
    static _Atomic size_t space; /* atomic, relaxed: 0: not asked yet */
    size_t bytes = atomic_load_explicit(&space, memory_order_relaxed);
    if (hak_likely(bytes != 0)) return bytes;
    uint64_t limit[2] = {0}; /* soft, hard */
    long result = hak_syscall4(SYS_prlimit64, 0, RLIMIT_AS, 0, (long)limit);
    bytes = result ? SIZE_MAX : (size_t)limit[0];
    if (!bytes) bytes = 1;
    atomic_store_explicit(&space, bytes, memory_order_relaxed);
    return bytes;
}

/* The finaliser of splitmix64: every bit of the argument changes half of the result's. */
static uint64_t env_mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Libc takes its stack canary and pointer guard from the same bytes, so they are not given out as
 * they are: 128 bits go in, 64 come out. */
uint64_t hak_env_random(void) {
    uint64_t words[2];
    const void *bytes = (const void *)env_auxiliary(AT_RANDOM);
    if (bytes != NULL) {
        memcpy(words, bytes, sizeof words);
        return env_mix(env_mix(words[0] + UINT64_C(0x9e3779b97f4a7c15)) + words[1]);
    }
    static _Atomic uint64_t made; /* atomic, relaxed: the first to store decides */
    uint64_t known = 0;
    struct timespec now = {0};
    hak_syscall2(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now);
    uint64_t drawn = env_mix((uint64_t)now.tv_nsec + env_mix((uint64_t)now.tv_sec));
    drawn = env_mix(drawn + (uintptr_t)&words) + (uintptr_t)&made;
    if (atomic_compare_exchange_strong_explicit(&made, &known, drawn, memory_order_relaxed,
                                                memory_order_relaxed)) {
        return drawn;
    }
    return known;
}

const char *hak_env_program(void) {
    const char *path = (const char *)env_auxiliary(AT_EXECFN);
    if (path == NULL || *path == '\0') return "?";
    const char *name = path;
    for (; *path != '\0'; path++) {
        if (path[0] == '/' && path[1] != '\0') name = path + 1;
    }
    return name;
}
