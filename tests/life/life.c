/* SPDX-License-Identifier: MIT
 *
 * See life.h.
 */
#define _GNU_SOURCE
#include "life.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Endings */

/* A closed descriptor is ignored: some tests close them all. */
__attribute__((format(printf, 2, 0))) static void write_line(int fd, const char *format,
                                                             va_list arguments) {
    char text[400];
    int length = vsnprintf(text, sizeof(text) - 1, format, arguments);
    if (length < 0 || (size_t)length > sizeof(text) - 2) length = sizeof(text) - 2;
    text[length] = '\n';
    if (write(fd, text, (size_t)length + 1) < 0) return;
}

void life_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(STDERR_FILENO, format, arguments);
    va_end(arguments);
    _exit(1);
}

void life_skip(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(STDERR_FILENO, format, arguments);
    va_end(arguments);
    _exit(LIFE_SKIPPED);
}

void life_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(STDOUT_FILENO, format, arguments);
    va_end(arguments);
}

static void alarm_rings(int signal_number) {
    static const char text[] = "hung: the alarm rang\n";
    (void)signal_number;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) _exit(2);
    _exit(1);
}

void life_start(unsigned alarm_seconds) {
    signal(SIGALRM, alarm_rings);
    alarm(alarm_seconds);
    const char *preload = getenv("LD_PRELOAD");
    const char *library = preload ? strstr(preload, "/libhakmem.so") : NULL;
    if (!library || memchr(preload, ':', (size_t)(library - preload)))
        return; /* not preloaded, or not in front */
    Dl_info hakmem, serving;
    void *hak_version = dlsym(RTLD_DEFAULT, "hak_version");
    if (!hak_version || !dladdr(hak_version, &hakmem) ||
        !dladdr(dlsym(RTLD_DEFAULT, "malloc"), &serving) || hakmem.dli_fbase != serving.dli_fbase)
        life_fail("hakmem was preloaded (%s), but does not serve malloc", preload);
}

/* ---- Blocks */

struct life_block {
    uint32_t seed;
    uint32_t seed_again; /* both words of the first 16 bytes are under check */
    uint64_t size;
    uint8_t rest[];
};

static uint8_t pattern_at(uint32_t seed, size_t place) {
    return (uint8_t)(seed + place * 3 + (place >> 7));
}

void life_fill(void *memory, size_t size, uint32_t seed) {
    struct life_block *block = memory;
    block->seed = seed;
    block->seed_again = ~seed;
    block->size = size;
    for (size_t i = 0; i < size - LIFE_BLOCK_MIN; i++) block->rest[i] = pattern_at(seed, i);
}

void *life_try_take(size_t size, uint32_t seed) {
    if (size < LIFE_BLOCK_MIN) size = LIFE_BLOCK_MIN;
    errno = 0;
    void *block = malloc(size);
    if (!block) {
        if (errno != ENOMEM) life_fail("malloc(%zu) failed with errno %d", size, errno);
        return NULL;
    }
    if ((uintptr_t)block % 16 != 0) life_fail("malloc(%zu) gave %p", size, block);
    life_fill(block, size, seed);
    return block;
}

void *life_take(size_t size, uint32_t seed) {
    void *block = life_try_take(size, seed);
    if (!block) life_fail("malloc(%zu) failed", size);
    return block;
}

void life_check(const void *memory) {
    const struct life_block *block = memory;
    if (block->seed_again != ~block->seed)
        life_fail("block %p: its head changed: seed %#x and %#x, size %llu", memory, block->seed,
                  ~block->seed_again, (unsigned long long)block->size);
    for (size_t i = 0; i < block->size - LIFE_BLOCK_MIN; i++)
        if (block->rest[i] != pattern_at(block->seed, i))
            life_fail("block %p of %llu bytes: byte %zu changed", memory,
                      (unsigned long long)block->size, i + LIFE_BLOCK_MIN);
}

size_t life_size(const void *memory) {
    return ((const struct life_block *)memory)->size;
}

void life_give(void *memory) {
    if (!memory) return;
    life_check(memory);
    /* So that whoever is given it twice notices. */
    ((struct life_block *)memory)->seed_again = ((struct life_block *)memory)->seed;
    int saved = errno = 1234;
    free(memory);
    if (errno != saved) life_fail("free changed errno to %d", errno);
}

/* ---- Figures */

uint32_t life_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static size_t read_file(const char *path, char *text, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) life_skip("%s can't be read", path);
    size_t length = 0;
    ssize_t count;
    while ((count = read(file, text + length, size - 1 - length)) > 0) length += (size_t)count;
    close(file);
    text[length] = '\0';
    return length;
}

bool life_emulated(void) {
    return getenv("HAKTEST_EMULATED") != NULL;
}

bool life_has_proc(void) {
    return !life_emulated() && access("/proc/self/statm", R_OK) == 0;
}

int life_verdict(bool too_much) {
    if (life_emulated()) life_skip("resident memory is the emulator's; the rest has passed");
    return too_much;
}

size_t life_resident_kib(void) {
    char text[200];
    if (life_emulated()) return 0;
    read_file("/proc/self/statm", text, sizeof(text));
    const char *resident = strchr(text, ' ');
    return resident ? strtoul(resident, NULL, 10) * ((size_t)sysconf(_SC_PAGESIZE) / 1024) : 0;
}

size_t life_status_kib(const char *field) {
    char text[4096];
    if (life_emulated()) return 0;
    read_file("/proc/self/status", text, sizeof(text));
    const char *line = strstr(text, field);
    return line ? strtoul(line + strlen(field) + 1, NULL, 10) : 0;
}

/* ---- Threads */

pthread_t life_thread(void *(*function)(void *), void *argument) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    int error = pthread_create(&thread, &attributes, function, argument);
    if (error) life_fail("pthread_create: error %d", error);
    pthread_attr_destroy(&attributes);
    return thread;
}

void life_join(pthread_t thread) {
    int error = pthread_join(thread, NULL);
    if (error) life_fail("pthread_join: error %d", error);
}

long life_argument(int argc, char **argv, int index, long otherwise) {
    return index < argc ? strtol(argv[index], NULL, 10) : otherwise;
}
