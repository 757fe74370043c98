/* SPDX-License-Identifier: MIT
 *
 * Makes one of the kinds of misuse in kinds.h: kinds NAME; without a name it lists them. Status
 * 0: nothing stopped it.  Two kinds are not meant to be stopped but to come out harmless, and
 * print "harmless" if they do.
 */
#include "kinds.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE = 256 << 10, PAGE = 4096 };

static void (*volatile give)(void *) = free;
static void *(*volatile resize)(void *, size_t) = realloc;
static size_t (*volatile usable)(void *) = malloc_usable_size;

static volatile char *take(size_t size) {
    void *(*volatile allocate)(size_t) = malloc;
    void *block = allocate(size);
    if (!block) exit(2);
    return block;
}

static void give_back(volatile char *block) {
    give((void *)(uintptr_t)block);
}

static size_t usable_size(volatile char *block) {
    return usable((void *)(uintptr_t)block);
}

static void free_twice(size_t size, int delayed) {
    volatile char *first = take(size), *second = take(size);
    give_back(first);
    if (delayed) give_back(second);
    give_back(first);
}

static void kind_double_free_small(void) {
    free_twice(16, 0);
}

static void kind_double_free_small_delayed(void) {
    free_twice(16, 1);
}

static void kind_double_free_large(void) {
    free_twice(LARGE, 0);
}

static void kind_double_free_large_delayed(void) {
    free_twice(LARGE, 1);
}

/* Changes one byte `past` bytes behind the usable end, then frees. */
static void write_past(size_t size, size_t past) {
    volatile char *block = take(size);
    size_t end = usable_size(block);
    block[end + past] ^= 1;
    give_back(block);
}

static void kind_overflow_small_1_byte(void) {
    write_past(8, 0);
}

static void kind_overflow_small_8_byte(void) {
    write_past(8, 7);
}

static void kind_overflow_large_1_byte(void) {
    write_past(LARGE, 0);
}

static void kind_overflow_large_8_byte(void) {
    write_past(LARGE, 7);
}

static void free_in_mapping(int protection) {
    give_back(take(16)); /* so that the allocator has started */
    char *mapping = mmap(NULL, 16 * PAGE, protection, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (mapping == MAP_FAILED) exit(2);
    give_back(mapping + 8 * PAGE);
}

static void kind_invalid_free_protected(void) {
    free_in_mapping(PROT_NONE);
}

static void kind_invalid_free_unprotected(void) {
    free_in_mapping(PROT_READ | PROT_WRITE);
}

static void kind_invalid_free_small_region(void) {
    give_back(take(16) + 4 * PAGE);
}

static void kind_invalid_free_small_region_far(void) {
    give_back(take(16) + ((size_t)1 << 30));
}

static void kind_invalid_malloc_usable_size_small(void) {
    (void)usable_size(take(16) + 4 * PAGE);
}

static void kind_invalid_malloc_usable_size_small_quarantine(void) {
    volatile char *block = take(16);
    give_back(block);
    (void)usable_size(block);
}

static void kind_unaligned_malloc_usable_size_small(void) {
    (void)usable_size(take(16) + 1);
}

static void kind_unaligned_free_small(void) {
    give_back(take(16) + 1);
}

static void kind_unaligned_free_large(void) {
    give_back(take(LARGE) + 1);
}

static void kind_uninitialized_free(void) {
    give((void *)(uintptr_t)1);
}

static void kind_uninitialized_malloc_usable_size(void) {
    (void)usable((void *)(uintptr_t)1);
}

static void kind_uninitialized_realloc(void) {
    if (!resize((void *)(uintptr_t)1, 16)) exit(1);
}

/* Looks whether a freed block reads as zeros. */
static int freed_block_is_zero(size_t size) {
    volatile char *block = take(size);
    memset((void *)(uintptr_t)block, 'a', 16);
    give_back(block);
    for (size_t i = 0; i < size; i++)
        if (block[i] != 0) return 0;
    return 1;
}

static void kind_read_after_free_small(void) {
    if (freed_block_is_zero(16)) puts("harmless");
}

static void kind_read_after_free_large(void) {
    (void)freed_block_is_zero(LARGE);
}

static void kind_read_zero_size(void) {
    (void)take(0)[0];
}

static void kind_write_zero_size(void) {
    take(0)[0] = 5;
}

/* A string that fills a block to its usable end without a terminator. */
static void kind_string_overflow(void) {
    volatile char *block = take(16);
    size_t size = usable_size(block);
    memset((void *)(uintptr_t)block, 'a', size);
    size_t length = 0;
    while (block[length] != '\0') length++;
    if (length == size) puts("harmless");
}

/* Writes to a freed block; `reused`: after it was handed out again. */
static void write_freed(size_t size, size_t offset, int reused) {
    volatile char *block = take(size);
    give_back(block);
    if (reused) (void)take(size);
    block[offset] = 'a';
    for (int i = 0; i < 100000 && size < LARGE; i++) /* let it come round */
        give_back(take(size));
}

static void kind_write_after_free_small(void) {
    write_freed(128, 65, 0);
}

static void kind_write_after_free_small_reuse(void) {
    write_freed(128, 65, 1);
}

static void kind_write_after_free_large(void) {
    write_freed(LARGE, 64 * 1024 + 1, 0);
}

static void kind_write_after_free_large_reuse(void) {
    write_freed(LARGE, 64 * 1024 + 1, 1);
}

#define KIND(name) \
    { #name, kind_##name }

static const struct {
    const char *name;
    void (*make)(void);
} kinds[] = {
    KIND(delete_type_size_mismatch),
    KIND(invalid_aligned_sized_delete_small),
    KIND(invalid_aligned_sized_delete_large),
    KIND(double_free_small),
    KIND(double_free_small_delayed),
    KIND(double_free_large),
    KIND(double_free_large_delayed),
    KIND(overflow_small_1_byte),
    KIND(overflow_small_8_byte),
    KIND(overflow_large_1_byte),
    KIND(overflow_large_8_byte),
    KIND(invalid_free_protected),
    KIND(invalid_free_unprotected),
    KIND(invalid_free_small_region),
    KIND(invalid_free_small_region_far),
    KIND(invalid_malloc_usable_size_small),
    KIND(invalid_malloc_usable_size_small_quarantine),
    KIND(unaligned_malloc_usable_size_small),
    KIND(unaligned_free_small),
    KIND(unaligned_free_large),
    KIND(uninitialized_free),
    KIND(uninitialized_malloc_usable_size),
    KIND(uninitialized_realloc),
    KIND(read_after_free_small),
    KIND(read_after_free_large),
    KIND(read_zero_size),
    KIND(write_zero_size),
    KIND(string_overflow),
    KIND(write_after_free_small),
    KIND(write_after_free_small_reuse),
    KIND(write_after_free_large),
    KIND(write_after_free_large_reuse),
};

int main(int argc, char **argv) {
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (argc < 2) {
            puts(kinds[i].name);
        } else if (strcmp(argv[1], kinds[i].name) == 0) {
            kinds[i].make();
            return 0;
        }
    }
    return argc < 2 ? 0 : 2;
}
