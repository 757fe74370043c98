/* SPDX-License-Identifier: MIT
 *
 * What every stress test shares: the malloc family as a table, arguments, random numbers,
 * contents of blocks, resident memory, threads.
 *
 * Each test is one source, built twice: with family_libc.c for whatever library serves libc's
 * names, and with family_hak.c for the hak_ names of hakmem_core (the only form in a sanitizer
 * build, whose run-time owns malloc).  Arguments are name=value.  A test prints one line and
 * returns 0, or says what failed and returns 1; 77 means that it can't run here.  Nothing is
 * decided by a clock except how long a test runs where it is asked to run for a time.
 *
 * The harness takes its own memory from mmap where it would disturb what is measured.  Every
 * function may be called from any thread, unless its comment says otherwise.
 */
#ifndef HAKMEM_TESTS_STRESS_STRESS_H
#define HAKMEM_TESTS_STRESS_STRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- The family -------------------------------------------------------------------------- */

struct hak_stats;

struct stress_family {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    int (*posix_memalign)(void **out, size_t alignment, size_t size);
    size_t (*usable_size)(void *block);
    void (*free_sized)(void *block, size_t size); /* free where the library has none */
    void (*free_aligned_sized)(void *block, size_t alignment, size_t size);
    int (*trim)(size_t pad);        /* malloc_trim */
    const char *(*give_back)(void); /* everything free to the system; says by what function */
    int (*stats_read)(struct hak_stats *stats); /* NULL: not hakmem */
};

extern struct stress_family family;

/* Completes the table.  Ends the program if malloc is not served by a library whose path contains
 * `expect` (NULL: any). */
void family_open(const char *expect);

/* ---- Start and end ----------------------------------------------------------------------- */

/* A number that the command line may set as name=value; the variable has its default. */
struct stress_argument {
    const char *name;
    size_t *value;
};

/* Sets the variables of arguments[] by the command line; `expect=SUBSTRING` is for family_open. */
void stress_start(int argc, char **argv, const struct stress_argument *arguments, size_t count);

/* Ends the process with status 1 (failed) or 77 (can't run here) after one line on stderr. */
_Noreturn void stress_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void stress_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The block, or stress_fail if it is NULL. */
void *stress_need(void *block, size_t size);

/* ---- Random numbers ---------------------------------------------------------------------- */

/* Mixes all bits of two numbers. */
static inline uint64_t stress_mix(uint64_t a, uint64_t b) {
    uint64_t x = a * UINT64_C(0x9E3779B97F4A7C15) + b;
    x = (x ^ (x >> 32)) * UINT64_C(0xD6E8FEB86659FD93);
    x = (x ^ (x >> 29)) * UINT64_C(0xD6E8FEB86659FD93);
    return x ^ (x >> 32);
}

static inline uint64_t stress_random(uint64_t *state) {
    return stress_mix(*state += 1, UINT64_C(0xA0761D6478BD642F));
}

/* 0 to limit - 1; limit < 2^32. */
static inline size_t stress_below(uint64_t *state, size_t limit) {
    return (size_t)(((stress_random(state) >> 32) * limit) >> 32);
}

/* A size from 0 to `most`, small ones more often: every doubling is as likely as any other. */
size_t stress_size(uint64_t *state, size_t most);

/* ---- Contents ---------------------------------------------------------------------------- */

/* The key of a block's contents: depends on where it is, how long it is, and a seed. */
static inline uint64_t stress_key(const void *block, size_t size, uint64_t seed) {
    return stress_mix((uintptr_t)block ^ (uint64_t)size << 48, seed);
}

/* Writes all of a block; fails if any byte of it is not as stress_write left it. */
void stress_write(void *block, size_t size, uint64_t key);
void stress_check(const void *block, size_t size, uint64_t key, const char *when);
void stress_check_zero(const void *block, size_t size);

/* ---- Memory and threads ------------------------------------------------------------------ */

/* Memory that comes from the system directly and is touched.  It is never returned. */
void *stress_map(size_t bytes) __attribute__((returns_nonnull));

/* Resident memory now, in KiB.  -1 where it says nothing about the allocator: under a sanitizer,
 * under an emulator, without /proc. */
long stress_resident_kib(void);

/* Fails if resident memory is more than `limit_kib` above `start_kib`; returns the growth. */
long stress_check_growth(long start_kib, long limit_kib, const char *what);

double stress_now(void);

/* Runs `body` on each of `count` contexts of `size` bytes, in as many threads, to the end. */
void stress_run_threads(size_t count, void *(*body)(void *), void *contexts, size_t size);

#endif
