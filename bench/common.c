/* SPDX-License-Identifier: MIT
 *
 * What every benchmark shares; see common.h.  The readings go through open and read with buffers
 * on the stack, because stdio allocates.
 */
#include "common.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_WRONG_ALLOCATOR = 3 };

static const char *allocator_path = "?";
static const struct bench_argument *positional;
static size_t positional_count;

void bench_fail(const char *format, ...) {
    va_list values;
    va_start(values, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(STATUS_FAILED);
}

/* ---- Which library serves malloc --------------------------------------------------------- */

/* The address that this program's own calls reach: read through a volatile pointer, as the compiler
 * would otherwise answer for malloc itself. */
static const char *library_of_malloc(void) {
    void *(*volatile function)(size_t) = malloc;
    Dl_info info;
    return dladdr((void *)(uintptr_t)function, &info) && info.dli_fname ? info.dli_fname : "?";
}

static const char *library_of_free(void) {
    void (*volatile function)(void *) = free;
    Dl_info info;
    return dladdr((void *)(uintptr_t)function, &info) && info.dli_fname ? info.dli_fname : "?";
}

static void prove_allocator(const char *expect) {
    allocator_path = library_of_malloc();
    const char *free_path = library_of_free();
    if (strcmp(allocator_path, free_path) != 0) {
        fprintf(stderr, "%s: malloc is served by %s but free by %s\n",
                program_invocation_short_name, allocator_path, free_path);
        exit(STATUS_WRONG_ALLOCATOR);
    }
    if (expect && !strstr(allocator_path, expect)) {
        fprintf(stderr, "%s: malloc is served by %s, not by %s\n", program_invocation_short_name,
                allocator_path, expect);
        exit(STATUS_WRONG_ALLOCATOR);
    }
}

/* ---- Arguments --------------------------------------------------------------------------- */

/* The words of `name=one|two|three`, or NULL. */
static const char *choices_of(const struct bench_argument *argument) {
    const char *equals = strchr(argument->name, '=');
    return equals ? equals + 1 : NULL;
}

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: %s [--expect SUBSTRING]", program_invocation_short_name);
    for (size_t i = 0; i < positional_count; i++)
        if (choices_of(&positional[i])) fprintf(stderr, " %s", choices_of(&positional[i]));
        else fprintf(stderr, " [%s=%zu]", positional[i].name, *positional[i].value);
    fputc('\n', stderr);
    exit(STATUS_USAGE);
}

/* The word of that number in `one|two|three`, and its length; NULL: there are not so many. */
static const char *choice(const char *words, size_t number, size_t *length) {
    for (; words && number > 0; number--) {
        words = strchr(words, '|');
        if (words) words++;
    }
    if (words) *length = strcspn(words, "|");
    return words;
}

static bool parse_choice(const char *text, const char *choices, size_t *value) {
    const char *word;
    size_t length = 0;
    for (size_t number = 0; (word = choice(choices, number, &length)); number++) {
        if (length != strlen(text) || memcmp(word, text, length) != 0) continue;
        *value = number;
        return true;
    }
    return false;
}

static bool parse_number(const char *text, size_t least, size_t *value) {
    char *end = NULL;
    errno = 0;
    unsigned long number = strtoul(text, &end, 0);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || number < least) return false;
    *value = number;
    return true;
}

static bool parse_argument(const char *text, const struct bench_argument *argument) {
    const char *choices = choices_of(argument);
    return choices ? parse_choice(text, choices, argument->value)
                   : parse_number(text, argument->least, argument->value);
}

static void print_arguments(void) {
    for (size_t i = 0; i < positional_count; i++) {
        const struct bench_argument *argument = &positional[i];
        const char *choices = choices_of(argument);
        size_t length = 0;
        if (choices) {
            const char *word = choice(choices, *argument->value, &length);
            printf(" %.*s%.*s", (int)(choices - argument->name), argument->name, (int)length, word);
        } else {
            printf(" %s=%zu", argument->name, *argument->value);
        }
    }
}

void bench_start(int argc, char **argv, const struct bench_argument *arguments, size_t count) {
    const char *expect = NULL;
    size_t next = 0;
    positional = arguments;
    positional_count = count;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--expect") == 0 && i + 1 < argc) {
            expect = argv[++i];
        } else if (next < count && parse_argument(argv[i], &positional[next])) {
            next++;
        } else {
            usage();
        }
    }
    for (; next < count; next++)
        if (choices_of(&positional[next])) usage();
    prove_allocator(expect);
}

/* ---- Clock and memory -------------------------------------------------------------------- */

double bench_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool proc_read(const char *path, char *text, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t length = read(file, text, size - 1);
    close(file);
    if (length <= 0) return false;
    text[length] = '\0';
    return true;
}

/* The number after `key` at the start of a line, or -1. */
static long number_after(const char *key, const char *text) {
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, strlen(key)) == 0) return strtol(line + strlen(key), NULL, 10);
    }
    return -1;
}

/* What is resident, and of that, what is in no file.  smaps_rollup walks the page tables.  statm
 * and status read per-processor counters that some kernels sum up only roughly (hundreds of KiB),
 * so they are the second choice. */
static void resident(long *all, long *anonymous) {
    char text[4096] = "";
    bool exact = proc_read("/proc/self/smaps_rollup", text, sizeof text);
    if (!exact) proc_read("/proc/self/status", text, sizeof text);
    *all = number_after(exact ? "Rss:" : "VmRSS:", text);
    *anonymous = number_after(exact ? "Anonymous:" : "RssAnon:", text);
}

long bench_resident_kib(void) {
    long all, anonymous;
    resident(&all, &anonymous);
    return all;
}

long bench_peak_kib(void) {
    char text[4096] = "";
    proc_read("/proc/self/status", text, sizeof text);
    return number_after("VmHWM:", text);
}

static long minor_faults(void) {
    struct rusage now;
    return getrusage(RUSAGE_SELF, &now) == 0 ? now.ru_minflt : 0;
}

/* ---- Runs ---------------------------------------------------------------------------------- */

static double cpu_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void bench_begin(struct bench_run *run) {
    run->faults -= minor_faults();
    run->cpu_seconds -= cpu_now();
    run->seconds -= bench_now();
}

void bench_end(struct bench_run *run) {
    run->seconds += bench_now();
    run->cpu_seconds += cpu_now();
    run->faults += minor_faults();
    resident(&run->resident_kib, &run->anonymous_kib);
    run->peak_kib = bench_peak_kib();
}

void bench_print(const char *benchmark, const struct bench_run *run, uint64_t operations,
                 const char *format, ...) {
    va_list values;
    printf("benchmark=%s malloc=%s", benchmark, allocator_path);
    print_arguments();
    if (format) {
        putchar(' ');
        va_start(values, format);
        vprintf(format, values);
        va_end(values);
    }
    printf(" ops=%" PRIu64 " seconds=%.9f cpu_seconds=%.9f ops_per_s=%.0f ns_per_op=%.3f"
           " resident_kib=%ld anonymous_kib=%ld peak_kib=%ld faults=%ld\n",
           operations, run->seconds, run->cpu_seconds, (double)operations / run->seconds,
           run->seconds * 1e9 / (double)operations, run->resident_kib, run->anonymous_kib,
           run->peak_kib, run->faults);
}

/* ---- Threads ------------------------------------------------------------------------------- */

void bench_threads(size_t threads, void *(*work)(void *), void *arguments, size_t bytes) {
    static pthread_t thread[BENCH_THREADS_MAX]; /* not malloc's memory: that would count */
    if (threads > BENCH_THREADS_MAX) bench_fail("at most %d threads", BENCH_THREADS_MAX);
    for (size_t i = 0; i < threads; i++) {
        int error = pthread_create(&thread[i], NULL, work, (char *)arguments + i * bytes);
        if (error) bench_fail("pthread_create: %s", strerror(error));
    }
    for (size_t i = 0; i < threads; i++) pthread_join(thread[i], NULL);
}

/* ---- Blocks -------------------------------------------------------------------------------- */

/* The size is in the first four bytes, and what follows from it and the address in the next and in
 * the last one: a block that was handed out twice has another's size, or an end that is not one. */
static unsigned char mark_of(const unsigned char *block, uint32_t size) {
    uintptr_t mixed = ((uintptr_t)block >> 4) * 0x9E3779B1u + size;
    return (unsigned char)(mixed >> 8 | 1);
}

unsigned char *bench_stamp(void *memory, size_t size) {
    unsigned char *block = memory;
    uint32_t bytes = (uint32_t)size;
    if (!block) bench_fail("out of memory for %zu bytes", size);
    memcpy(block, &bytes, sizeof bytes);
    block[sizeof bytes] = block[size - 1] = mark_of(block, bytes);
    return block;
}

size_t bench_check(const unsigned char *block) {
    uint32_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    unsigned char mark = mark_of(block, bytes);
    if (block[sizeof bytes] != mark || block[bytes - 1] != mark)
        bench_fail("block %p was overwritten", (const void *)block);
    return bytes;
}

unsigned char *bench_malloc(size_t size) {
    return bench_stamp(malloc(size), size);
}

void bench_free(unsigned char *block) {
    bench_check(block);
    free(block);
}

/* ---- Giving memory back ------------------------------------------------------------------ */

/* The address as a function of another type; dlsym has no other way to say it. */
#define FUNCTION(type, address) ((type)(uintptr_t)(address))

static void give_back_jemalloc(void *mallctl) {
    int (*control)(const char *, void *, size_t *, void *, size_t) = FUNCTION(
        int (*)(const char *, void *, size_t *, void *, size_t), mallctl);
    control("thread.tcache.flush", NULL, NULL, NULL, 0);
    control("arena.4096.purge", NULL, NULL, NULL, 0); /* 4096: all arenas */
}

/* The preloaded allocator's own functions are looked for first: glibc's malloc_trim is always
 * there, and does nothing for the others. */
const char *bench_give_back(void) {
    void *address = dlsym(RTLD_DEFAULT, "hak_collect");
    if (address) {
        void *flush = dlsym(RTLD_DEFAULT, "hak_tiny_magazine_flush_all");
        if (flush) FUNCTION(void (*)(void), flush)();
        FUNCTION(size_t(*)(void), address)();
        return "hak_collect";
    }
    if ((address = dlsym(RTLD_DEFAULT, "mi_collect"))) {
        FUNCTION(void (*)(bool), address)(true);
        return "mi_collect";
    }
    if ((address = dlsym(RTLD_DEFAULT, "mallctl"))) {
        give_back_jemalloc(address);
        return "mallctl";
    }
    if ((address = dlsym(RTLD_DEFAULT, "MallocExtension_ReleaseFreeMemory"))) {
        FUNCTION(void (*)(void), address)();
        return "MallocExtension_ReleaseFreeMemory";
    }
    if ((address = dlsym(RTLD_DEFAULT, "scalable_allocation_command"))) {
        FUNCTION(int (*)(int, void *), address)(0, NULL); /* TBBMALLOC_CLEAN_ALL_BUFFERS */
        return "scalable_allocation_command";
    }
    if ((address = dlsym(RTLD_DEFAULT, "malloc_trim"))) {
        FUNCTION(int (*)(size_t), address)(0);
        return "malloc_trim";
    }
    return "none";
}
