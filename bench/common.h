/* SPDX-License-Identifier: MIT
 *
 * What every benchmark shares: which library serves malloc, the clock, resident memory, arguments.
 *
 * The benchmarks call plain malloc and free, so that any allocator can be preloaded into them.
 * Nothing here allocates or uses stdio before bench_print, so a reading of resident memory shows
 * the allocator and the workload only.  All functions are for the main thread.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stddef.h>
#include <stdint.h>

/* A positional argument: a number, whose variable has the default; or, with a name like
 * `order=lifo|fifo`, one of these words, which must be given: the variable gets its number. */
struct bench_argument {
    const char *name; /* for the usage line and the results */
    size_t *value;
    size_t least; /* smaller numbers are refused */
};

/* Sets the variables of arguments[] by `program [--expect SUBSTRING] [value ...]`, and makes sure
 * that malloc and free come from one library whose path contains SUBSTRING.  Ends the process with
 * 2 (usage) or 3 (another allocator serves malloc).  arguments[] is read again by bench_print. */
void bench_start(int argc, char **argv, const struct bench_argument *arguments, size_t count);

/* Seconds of a monotonic clock. */
double bench_now(void);

/* Resident memory now, in KiB, as exact as the kernel has it, and its lifetime maximum.  -1 where
 * /proc is missing. */
long bench_resident_kib(void);
long bench_peak_kib(void);

/* What a run took.  bench_begin and bench_end bracket the timed part; they may be called again, and
 * the times add up, as do the page faults served without input or output.  Each bench_end reads the
 * memory, so that what is live then is counted. */
struct bench_run {
    double seconds, cpu_seconds;
    long resident_kib, anonymous_kib, peak_kib, faults; /* anonymous: without files' pages */
};
void bench_begin(struct bench_run *run);
void bench_end(struct bench_run *run);

/* Prints one line of key=value pairs: the benchmark, who serves malloc, the arguments, what the
 * format says unless it is NULL, the number of operations and what they took. */
void bench_print(const char *benchmark, const struct bench_run *run, uint64_t operations,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

#define BENCH_THREADS_MAX 1024

/* Runs work(&arguments[i * bytes]) in `threads` threads, and waits for all. */
void bench_threads(size_t threads, void *(*work)(void *), void *arguments, size_t bytes);

/* malloc, of at least 8 bytes; fails the run if there is no memory.  The block's first bytes and
 * its last one are written, so that bench_free sees if it was overwritten, or handed out twice. */
unsigned char *bench_malloc(size_t size);
void bench_free(unsigned char *block);

/* The same for blocks from elsewhere. */
unsigned char *bench_stamp(void *block, size_t size);
size_t bench_check(const unsigned char *block);

/* Asks the allocator to return all the free memory it holds, by whatever function it has for that.
 * Returns that function's name, or "none". */
const char *bench_give_back(void);

/* Prints the message and ends the process with status 1. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Marsaglia's 32-bit xorshift (13, 17, 5).  The state must not be zero. */
static inline uint32_t bench_xorshift32(uint32_t *state) {
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    return x;
}

/* A state for a seed: zero, the one fixed point of xorshift, becomes one. */
static inline uint32_t bench_seed(size_t seed) {
    uint32_t state = (uint32_t)seed;
    return state == 0 ? 1 : state;
}

/* A state for each thread of a run. */
static inline uint32_t bench_thread_seed(size_t seed, size_t thread) {
    return bench_seed(seed * 65537 + thread + 1);
}

/* A number from least to most, from one draw. */
static inline size_t bench_between(uint32_t *state, size_t least, size_t most) {
    return least + bench_xorshift32(state) % (most - least + 1);
}

#endif /* BENCH_COMMON_H */
