/* SPDX-License-Identifier: MIT
 *
 * libhakmem_floor.so: an allocator that does as little as a program can survive, to measure what
 * a benchmark costs without any allocator.  Time above this floor is what an allocator is
 * answerable for.
 *
 * malloc of up to 1040 bytes returns the next slot of a ring of the block's size class; free does
 * nothing. So a slot is handed out again after HAKFLOOR_SLOTS (default 64) further mallocs of
 * its class, whether its block was freed or not.  A program whose blocks live shorter than that
 * runs correctly; one whose blocks live longer overwrites itself, which random_mixed sees in the
 * pass that follows the timed part. 64 slots are enough for its standard working set of 400, and
 * stay in the second-level cache. The first KEPT_SLOTS blocks of each class are outside the ring
 * and never handed out again: they serve what the program and libc allocate at their start for
 * good.
 *
 * Larger and aligned blocks are cut from one range that is never used again.  When it is used up
 * the process is refused: one line on stderr, then abort.  The rings are written before they are
 * used, so that no page fault falls into the timed part.
 *
 * Concurrency: each thread has its own rings; the range is cut by an atomic addition.
 * Thread-local data is one pointer, initial-exec; NULL means that the thread has no rings yet.
 */
#include <errno.h>
#include <malloc.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    GRAIN = 16,
    CLASSES = 66, /* class c has blocks of 16 * c bytes; class 0 is for malloc(0) and has 16 too */
    SMALL_MAX = GRAIN * (CLASSES - 1),
    KEPT_SLOTS = 64,
    SLOTS_MAX = 1 << 16,
};
#define RANGE_BYTES ((size_t)1 << 30)

struct ring {
    unsigned char *next, *end, *start; /* start: behind the kept slots */
    size_t size;
    unsigned char *first; /* of the kept slots */
};

struct rings {
    struct ring ring[CLASSES];
    struct rings *older;
};

static __thread struct rings *own_rings __attribute__((tls_model("initial-exec")));
static _Atomic(struct rings *) all_rings;
static _Atomic(unsigned char *) range_start;
static atomic_size_t range_used;

static _Noreturn void refuse(const char *message) {
    ssize_t ignored = write(STDERR_FILENO, message, strlen(message));
    (void)ignored;
    abort();
}

static void *map(size_t bytes, int flags) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags,
                        -1, 0);
    if (memory == MAP_FAILED) refuse("hakmem_floor: no memory\n");
    return memory;
}

/* ---- Rings ------------------------------------------------------------------------------- */

/* getenv does not allocate, and no thread changes the environment before the first malloc. */
static size_t ring_slots(void) {
    const char *text = getenv("HAKFLOOR_SLOTS");
    size_t slots = text ? strtoul(text, NULL, 10) : 64;
    return slots < 1 ? 1 : slots > SLOTS_MAX ? SLOTS_MAX : slots;
}

static size_t class_bytes(size_t class) {
    return class == 0 ? GRAIN : class * GRAIN;
}

static struct rings *new_rings(void) {
    size_t slots = ring_slots() + KEPT_SLOTS, bytes = 0;
    for (size_t class = 0; class < CLASSES; class ++) bytes += class_bytes(class) * slots;
    struct rings *rings = map(sizeof *rings, 0);
    unsigned char *memory = map(bytes, MAP_POPULATE);
    memset(memory, 0, bytes);
    for (size_t class = 0; class < CLASSES; class ++) {
        struct ring *ring = &rings->ring[class];
        ring->size = class_bytes(class);
        ring->first = ring->next = memory;
        ring->start = memory + KEPT_SLOTS * ring->size;
        ring->end = memory + slots * ring->size;
        memory = ring->end;
    }
    rings->older = atomic_load(&all_rings);
    while (!atomic_compare_exchange_weak(&all_rings, &rings->older, rings))
        ;
    return rings;
}

/* A thread's first malloc. */
__attribute__((noinline, cold)) static void *begin(size_t size) {
    own_rings = new_rings();
    return malloc(size);
}

/* ---- The range of larger blocks: [size][block], the size in the GRAIN bytes before the block  */

static unsigned char *range(void) {
    unsigned char *start = atomic_load(&range_start);
    if (start) return start;
    unsigned char *fresh = map(RANGE_BYTES, MAP_NORESERVE);
    if (atomic_compare_exchange_strong(&range_start, &start, fresh)) return fresh;
    munmap(fresh, RANGE_BYTES);
    return start;
}

__attribute__((noinline, cold)) static void *cut(size_t alignment, size_t size) {
    if (size > RANGE_BYTES || alignment > RANGE_BYTES) refuse("hakmem_floor: block too large\n");
    unsigned char *start = range();
    size_t needed = ((size + GRAIN - 1) & ~(size_t)(GRAIN - 1)) + alignment + GRAIN;
    size_t used = atomic_fetch_add(&range_used, needed);
    if (used > RANGE_BYTES - needed) refuse("hakmem_floor: memory used up\n");
    uintptr_t block = ((uintptr_t)start + used + GRAIN + alignment - 1) &
                      ~(uintptr_t)(alignment - 1);
    memcpy((void *)(block - GRAIN), &size, sizeof size);
    return (void *)block;
}

/* How much can be copied from a block: exact in the range, the class size in a ring of any
 * thread. */
static size_t block_bytes(const void *block) {
    const unsigned char *start = atomic_load(&range_start);
    size_t size = 0;
    if (start && (size_t)((const unsigned char *)block - start) < RANGE_BYTES) {
        memcpy(&size, (const unsigned char *)block - GRAIN, sizeof size);
        return size;
    }
    for (const struct rings *rings = atomic_load(&all_rings); rings; rings = rings->older)
        for (size_t class = 0; class < CLASSES; class ++)
            if (rings->ring[class].first <= (const unsigned char *)block &&
                (const unsigned char *)block < rings->ring[class].end)
                return rings->ring[class].size;
    refuse("hakmem_floor: unknown block\n");
}

/* ---- The family -------------------------------------------------------------------------- */

EXPORT void *malloc(size_t size) {
    if (__builtin_expect(size > SMALL_MAX, 0)) return cut(GRAIN, size);
    struct rings *rings = own_rings;
    if (__builtin_expect(!rings, 0)) return begin(size);
    struct ring *ring = &rings->ring[(size + GRAIN - 1) / GRAIN];
    unsigned char *block = ring->next, *next = block + ring->size;
    ring->next = next == ring->end ? ring->start : next;
    return block;
}

EXPORT void free(void *block) {
    (void)block;
}

EXPORT void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = malloc(bytes);
    /* The range is zero: it comes from the system and is used once. */
    return bytes > SMALL_MAX ? block : memset(block, 0, bytes);
}

EXPORT void *realloc(void *block, size_t size) {
    void *fresh = malloc(size);
    if (block) {
        size_t bytes = block_bytes(block);
        memcpy(fresh, block, bytes < size ? bytes : size);
    }
    return fresh;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    return cut(alignment < GRAIN ? GRAIN : alignment, size);
}

EXPORT void *memalign(size_t alignment, size_t size) {
    return aligned_alloc(alignment, size);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
    *out = aligned_alloc(alignment, size);
    return 0;
}

EXPORT size_t malloc_usable_size(void *block) {
    return block ? block_bytes(block) : 0;
}
