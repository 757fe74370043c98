/* SPDX-License-Identifier: MIT
 *
 * The program that inject.c makes suffer: small, large and huge blocks, calloc over dirty memory,
 * realloc up and down, alignments, a first-class heap, memory given back, threads that hand blocks
 * over and end with some live, and a forked child that does it again.  All contents are checked.
 *
 * Between the markers every request may be refused, with ENOMEM and nothing else changed.  After
 * them everything must be as if nothing had happened.  Nothing but the allocator makes memory calls
 * in between: no stdio, and stacks of our own for the threads.
 *   fault_workload [SHARE]
 * does the SHARE-th part of it.
 */
#define _GNU_SOURCE
#include "marker.h"

#include "hakmem.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 400, SHARED = 64, THREADS = 3, STACK_BYTES = 128 << 10 };

static _Atomic(unsigned char *) shared[SHARED];
static _Atomic unsigned refused;
static unsigned share = 1;

static _Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *format, ...) {
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (write(STDERR_FILENO, text, (size_t)length) < 0 || write(STDERR_FILENO, "\n", 1) < 0)
        _exit(2);
    _exit(1);
}

/* ---- Blocks: size in the first 8 bytes, then one byte over and over.  Of a large one the head and
 * the last bytes are written, so that page faults do not take all the time. */

enum { HEAD = 32 << 10, TAIL = 64 };

static unsigned char block_byte(size_t size) {
    return (unsigned char)(size % 251 + 1);
}

static size_t block_head(size_t size) {
    return size < HEAD ? size : HEAD;
}

static void block_fill(unsigned char *block, size_t size) {
    memset(block, block_byte(size), block_head(size));
    memcpy(block, &size, sizeof(size));
    if (size >= 2 * HEAD) memset(block + size - TAIL, block_byte(size), TAIL);
}

static bool is_all(const unsigned char *bytes, size_t length, unsigned char value) {
    return length == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, length - 1) == 0);
}

static size_t block_check(const unsigned char *block) {
    size_t size;
    memcpy(&size, block, sizeof(size));
    if (size < 16 || size > (size_t)64 << 20 ||
        !is_all(block + sizeof(size), block_head(size) - sizeof(size), block_byte(size)) ||
        (size >= 2 * HEAD && !is_all(block + size - TAIL, TAIL, block_byte(size))))
        fail("block %p has changed: size %zu", (const void *)block, size);
    return size;
}

/* A refused request must say why, and leaves NULL behind. */
static bool granted(const void *block, const char *call, size_t size) {
    if (block) return true;
    if (errno != ENOMEM) fail("%s(%zu) refused with errno %d", call, size, errno);
    refused++;
    return false;
}

static unsigned char *take(size_t size) {
    unsigned char *block = malloc(size);
    if (granted(block, "malloc", size)) block_fill(block, size);
    return block;
}

static unsigned char *take_zeroed(size_t size) {
    unsigned char *block = calloc(1, size);
    if (!granted(block, "calloc", size)) return NULL;
    bool zero = is_all(block, block_head(size), 0);
    for (size_t at = HEAD; at < size; at += 512) /* all pages, and the ends of them */
        zero = zero && block[at] == 0;
    if (!zero || block[size - 1] != 0) fail("calloc(%zu) gave memory that is not zero", size);
    block_fill(block, size);
    return block;
}

static unsigned char *take_aligned(size_t alignment, size_t size) {
    unsigned char *block = memalign(alignment, size);
    if (!granted(block, "memalign", size)) return NULL;
    if ((uintptr_t)block % alignment != 0)
        fail("memalign(%zu, %zu) gave %p", alignment, size, (void *)block);
    block_fill(block, size);
    return block;
}

static unsigned char *resize(unsigned char *block, size_t size) {
    size_t old = block_check(block);
    unsigned char *moved = realloc(block, size);
    if (!granted(moved, "realloc", size)) {
        block_check(block);
        return block;
    }
    size_t kept = block_head(old < size ? old : size);
    if (!is_all(moved + sizeof(size_t), kept - sizeof(size_t), block_byte(old)))
        fail("realloc from %zu to %zu: contents have changed", old, size);
    block_fill(moved, size);
    return moved;
}

static void give(unsigned char *block) {
    if (!block) return;
    block_check(block);
    errno = 1234;
    free(block);
    if (errno != 1234) fail("free set errno to %d", errno);
}

/* ---- Work */

static uint32_t draw(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Blocks of up to `limit` bytes in every way there is; `steps` of them. */
static void work(uint32_t seed, size_t limit, unsigned steps) {
    unsigned char *slots[SLOTS] = {NULL};
    uint32_t random = seed;
    for (unsigned i = 0; i < steps / share; i++) {
        uint32_t number = draw(&random);
        unsigned char **slot = &slots[number % SLOTS];
        size_t size = 16 + (number >> 9) % limit;
        switch (number >> 5 & 7) {
        case 0:
            if (*slot) *slot = resize(*slot, size);
            break;
        case 1:
            *slot = atomic_exchange(&shared[number >> 20 & (SHARED - 1)], *slot);
            break;
        case 2:
            give(*slot);
            *slot = take_zeroed(size);
            break;
        case 3:
            give(*slot);
            *slot = take_aligned((size_t)32 << (number >> 16 & 7), size);
            break;
        default:
            give(*slot);
            *slot = number >> 31 ? take(size) : NULL;
        }
    }
    for (size_t i = 0; i < SLOTS; i++) give(slots[i]);
}

/* More of them than any reserve of address space that an allocator begins with. */
static void work_huge(void) {
    enum { COUNT = 14 };
    unsigned char *blocks[COUNT] = {NULL};
    for (size_t round = 0; round < 4; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            size_t size = ((size_t)1 << 20) + i * 800000;
            blocks[i] = round % 2 ? take_zeroed(size) : take(size);
        }
        for (size_t i = 0; i < COUNT; i++)
            if (blocks[i]) blocks[i] = resize(blocks[i], i % 2 ? 300000 : 15000000);
        give(blocks[5]);
        blocks[5] = take_aligned((size_t)8 << 20, 2000000);
        for (size_t i = 0; i < COUNT; i++) give(blocks[i]);
        (void)malloc_trim(0);
    }
}

/* Many empty slabs at once, given back and taken again as zeroed memory. */
static void work_emptying(void) {
    enum { COUNT = 3000 };
    static unsigned char *blocks[COUNT];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT / share; i++)
            blocks[i] = round == 1 ? take_zeroed(1000 + i % 100) : take(500 + i % 1000);
        for (size_t i = 0; i < COUNT / share; i++) give(blocks[i]);
        (void)malloc_trim(0);
    }
}

/* Where the library is not hakmem there are no first-class heaps. */
static void work_heap(void) {
    struct hak_heap *(*heap_new)(void);
    void *(*heap_malloc)(struct hak_heap *, size_t);
    void (*heap_destroy)(struct hak_heap *);
    *(void **)&heap_new = dlsym(RTLD_DEFAULT, "hak_heap_new");
    *(void **)&heap_malloc = dlsym(RTLD_DEFAULT, "hak_heap_malloc");
    *(void **)&heap_destroy = dlsym(RTLD_DEFAULT, "hak_heap_destroy");
    struct hak_heap *heap = heap_new ? heap_new() : NULL;
    if (!heap_new || !granted(heap, "hak_heap_new", 0)) return;
    for (size_t i = 0; i < 300 / share; i++) {
        size_t size = i % 50 == 49 ? (size_t)2 << 20 : 16 + i * 40;
        unsigned char *block = heap_malloc(heap, size);
        if (!granted(block, "hak_heap_malloc", size)) continue;
        block_fill(block, size);
        if (i % 2) give(block);
    }
    heap_destroy(heap);
}

static void *work_in_thread(void *argument) {
    work(*(uint32_t *)argument, 6000, 1500);
    return NULL;
}

/* A thread can't always be had either: its work is done here then. */
static void work_threads(uint32_t seed) {
    static char stacks[THREADS][STACK_BYTES] __attribute__((aligned(4096)));
    pthread_t threads[THREADS];
    uint32_t seeds[THREADS];
    bool running[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstack(&attributes, stacks[i], STACK_BYTES);
        seeds[i] = seed + (uint32_t)i;
        running[i] = pthread_create(&threads[i], &attributes, work_in_thread, &seeds[i]) == 0;
        pthread_attr_destroy(&attributes);
        if (!running[i]) work_in_thread(&seeds[i]);
    }
    for (int i = 0; i < THREADS; i++)
        if (running[i] && pthread_join(threads[i], NULL) != 0) fail("pthread_join");
}

static void work_all(uint32_t seed) {
    work(seed, 1000, 4000);
    work(seed + 1, 200000, 600);
    work_huge();
    work_emptying();
    work_threads(seed + 2);
    work_heap();
}

static void work_in_child(void) {
    pid_t child = fork();
    if (child == 0) {
        work_all(77);
        _exit(0);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        fail("the child ended with status %#x", (unsigned)status);
}

/* ---- Afterwards */

/* Nothing may be lost, and where the memory is must still add up. */
static void check_recovered(void) {
    unsigned before = refused;
    work_all(5);
    if (refused != before)
        fail("%u requests were refused after the failures had ended", refused - before);
    for (size_t i = 0; i < SHARED; i++) give(atomic_exchange(&shared[i], NULL));
    int (*stats_read)(struct hak_stats *);
    *(void **)&stats_read = dlsym(RTLD_DEFAULT, "hak_stats_read");
    struct hak_stats s = {.version = HAK_STATS_VERSION, .size = sizeof(s)};
    if (!stats_read) return;
    if (stats_read(&s) != 0) fail("hak_stats_read failed");
    uint64_t sum = s.live + s.cached + s.free_dirty + s.purged + s.metadata + s.waste;
    if (sum != s.mapped)
        fail("mapped is %llu, but its parts add up to %llu", (unsigned long long)s.mapped,
             (unsigned long long)sum);
}

int main(int argc, char **argv) {
    if (argc > 1) share = (unsigned)strtoul(argv[1], NULL, 10);
    unsigned char *kept = take(1000), *kept_huge = take(3 << 20);
    (void)syscall(MARKER_CALL, MARKER_ON);
    work_all(3);
    work_in_child();
    (void)syscall(MARKER_CALL, MARKER_OFF);
    give(kept);
    give(kept_huge);
    unsigned in_between = refused;
    check_recovered();
    char text[40];
    int length = snprintf(text, sizeof(text), "refused %u\n", in_between);
    return write(STDOUT_FILENO, text, (size_t)length) != length;
}
