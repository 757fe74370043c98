/* SPDX-License-Identifier: MIT
 *
 * What every stress test shares.  Header: stress.h.
 */
#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_SKIPPED = 77 };

/* ---- Start and end ----------------------------------------------------------------------- */

/* _exit: the other threads are still at work, and exit would run destructors under them. */
__attribute__((format(printf, 2, 0))) static _Noreturn void leave(int status, const char *format,
                                                                  va_list values) {
    char reason[400], line[512];
    vsnprintf(reason, sizeof reason, format, values);
    int length = snprintf(line, sizeof line, "%s: %s\n", program_invocation_short_name, reason);
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
    _exit(status);
}

void stress_fail(const char *format, ...) {
    va_list values;
    va_start(values, format);
    leave(STATUS_FAILED, format, values);
}

void stress_skip(const char *format, ...) {
    va_list values;
    va_start(values, format);
    leave(STATUS_SKIPPED, format, values);
}

void *stress_need(void *block, size_t size) {
    if (!block) stress_fail("no memory for a block of %zu bytes: %s", size, strerror(errno));
    return block;
}

static _Noreturn void usage(const struct stress_argument *arguments, size_t count) {
    fprintf(stderr, "usage: %s [expect=SUBSTRING]", program_invocation_short_name);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, " [%s=%zu]", arguments[i].name, *arguments[i].value);
    fputc('\n', stderr);
    exit(STATUS_USAGE);
}

static bool set_argument(const struct stress_argument *arguments, size_t count, const char *text) {
    const char *equals = strchr(text, '=');
    if (!equals || equals[1] < '0' || equals[1] > '9') return false;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(arguments[i].name);
        if (length != (size_t)(equals - text) || strncmp(text, arguments[i].name, length) != 0)
            continue;
        char *end = NULL;
        *arguments[i].value = strtoul(equals + 1, &end, 0);
        return *end == '\0';
    }
    return false;
}

void stress_start(int argc, char **argv, const struct stress_argument *arguments, size_t count) {
    static const char expect_name[] = "expect=";
    const char *expect = NULL;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], expect_name, sizeof expect_name - 1) == 0)
            expect = argv[i] + sizeof expect_name - 1;
        else if (!set_argument(arguments, count, argv[i])) usage(arguments, count);
    }
    family_open(expect);
}

/* ---- Random numbers ---------------------------------------------------------------------- */

size_t stress_size(uint64_t *state, size_t most) {
    unsigned doublings = 1;
    while (doublings < 40 && ((size_t)1 << doublings) <= most) doublings++;
    size_t top = (size_t)1 << stress_below(state, doublings);
    size_t size = top == 1 ? stress_below(state, 2) : top + stress_below(state, top);
    return size > most ? most : size;
}

/* ---- Contents ---------------------------------------------------------------------------- */

#define WORD_STEP UINT64_C(0xC2B2AE3D27D4EB4F)

void stress_write(void *block, size_t size, uint64_t key) {
    unsigned char *at = block;
    for (; size >= sizeof key; size -= sizeof key, at += sizeof key, key += WORD_STEP)
        memcpy(at, &key, sizeof key);
    memcpy(at, &key, size);
}

/* Finds the first wrong byte for the message. */
static _Noreturn void report_contents(const void *block, size_t size, uint64_t key,
                                      const char *when) {
    const unsigned char *bytes = block;
    size_t offset = 0;
    unsigned char expected = 0;
    for (; offset < size; offset++) {
        uint64_t word = key + offset / sizeof key * WORD_STEP;
        memcpy(&expected, (unsigned char *)&word + offset % sizeof key, 1);
        if (bytes[offset] != expected) break;
    }
    stress_fail("%s: block %p of %zu bytes has %02x at offset %zu, not %02x", when, block, size,
                offset < size ? bytes[offset] : expected, offset, expected);
}

/* All words are compared before anything is decided: the loop runs at the speed of memory. */
void stress_check(const void *block, size_t size, uint64_t key, const char *when) {
    const unsigned char *at = block;
    uint64_t word = key, found, wrong = 0;
    size_t left = size;
    for (; left >= sizeof word; left -= sizeof word, at += sizeof word, word += WORD_STEP) {
        memcpy(&found, at, sizeof found);
        wrong |= found ^ word;
    }
    if (wrong != 0 || memcmp(at, &word, left) != 0) report_contents(block, size, key, when);
}

void stress_check_zero(const void *block, size_t size) {
    const unsigned char *bytes = block;
    if (size > 0 && (bytes[0] != 0 || memcmp(bytes, bytes + 1, size - 1) != 0))
        stress_fail("calloc: block %p of %zu bytes is not zero", block, size);
}

/* ---- Memory and threads ------------------------------------------------------------------ */

void *stress_map(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) stress_fail("mmap of %zu bytes: %s", bytes, strerror(errno));
    return memset(memory, 0, bytes);
}

/* smaps_rollup walks the page tables: exact, where the counters behind statm may be hundreds of KiB
 * off. */
long stress_resident_kib(void) {
    static const char key[] = "\nRss:";
    char text[2048];
    if (!STRESS_RESIDENT) return -1;
    int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    const char *found = strstr(text, key);
    return found ? strtol(found + sizeof key - 1, NULL, 10) : -1;
}

long stress_check_growth(long start_kib, long limit_kib, const char *what) {
    long now_kib = stress_resident_kib();
    if (start_kib < 0 || now_kib < 0) return -1;
    long growth_kib = now_kib - start_kib;
    if (growth_kib > limit_kib)
        stress_fail("%s: resident memory grew by %ld KiB, from %ld to %ld; %ld are allowed", what,
                    growth_kib, start_kib, now_kib, limit_kib);
    return growth_kib;
}

double stress_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void stress_run_threads(size_t count, void *(*body)(void *), void *contexts, size_t size) {
    pthread_t threads[256];
    if (count > sizeof threads / sizeof *threads) stress_fail("%zu threads are too many", count);
    for (size_t i = 0; i < count; i++) {
        int error = pthread_create(&threads[i], NULL, body, (char *)contexts + i * size);
        if (error) stress_fail("pthread_create: %s", strerror(error));
    }
    for (size_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
}
