/* SPDX-License-Identifier: MIT
 *
 * The malloc family as a table, so that each expectation is written once and run three times: on
 * glibc, on hakmem in glibc's place, and on the hak_ names.  family_libc.c and family_hak.c fill in
 * the table; which of them a program is linked with decides.
 *
 * A member that the library at hand does not offer is NULL (free_sized in glibc 2.36): the tests of
 * that member are then skipped.
 *
 * Also here: the sizes that every test walks through, and a pattern for the contents of blocks.
 * Single-threaded.
 */
#ifndef HAKMEM_TESTS_CONTRACT_FAMILY_H
#define HAKMEM_TESTS_CONTRACT_FAMILY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct family {
    const char *name;
    bool glibc; /* glibc's own: some expectations have a documented exception */

    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *block, size_t size);
    void *(*reallocarray)(void *block, size_t count, size_t size);
    void (*free)(void *block);
    void (*cfree)(void *block);
    void (*free_sized)(void *block, size_t size);
    void (*free_aligned_sized)(void *block, size_t alignment, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    void *(*memalign)(size_t alignment, size_t size);
    int (*posix_memalign)(void **out, size_t alignment, size_t size);
    void *(*valloc)(size_t size);
    void *(*pvalloc)(size_t size);
    size_t (*usable_size)(void *block);
    int (*malloc_info)(int options, FILE *stream);
    void (*malloc_stats)(void);
    int (*malloc_trim)(size_t pad);
    int (*mallopt)(int param, int value);
    size_t (*bytes_in_use)(void); /* from mallinfo2 */
};

extern const struct family *family;

/* Fills in the table, and ends the program if another allocator than
 * CONTRACT_SERVED_BY (glibc or hakmem, from the environment) serves malloc: a preload
 * that did not take would pass every test. */
void family_open(void);

/* Sizes in rising order: each from 0 to 1040, then the eighths of every doubling and their
 * neighbours, above 2 MiB only the doublings and theirs. */
#define FAMILY_SIZES_MAX    2048
#define FAMILY_SIZE_LARGEST ((size_t)64 << 20)
extern size_t family_sizes[FAMILY_SIZES_MAX];
extern size_t family_size_count;

/* Writes `size` bytes that depend on seed and place, and looks for the first one that changed: its
 * offset, or `size` if all are there. */
void pattern_write(void *block, size_t size, uint64_t seed);
size_t pattern_check(const void *block, size_t size, uint64_t seed);

/* The offset of the first byte that is not zero, or `size`. */
size_t zero_check(const void *block, size_t size);

/* xorshift64*: the next number of a seeded sequence. */
uint64_t random_next(uint64_t *state);

#define assert_aligned(block, alignment) assert_int_equal((uintptr_t)(block) & ((alignment)-1), 0)

#endif
