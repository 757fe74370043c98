/* SPDX-License-Identifier: MIT
 *
 * Misuses of malloc's family, as a product of two tables: the calls that take a pointer, and the
 * pointers that they must not be given.  misuse.c makes one of each meet, once a process or all in
 * turn.
 *
 * Single-threaded, but for the helper threads that are joined before the next step.
 */
#ifndef HAKMEM_TESTS_MISUSE_MISUSE_H
#define HAKMEM_TESTS_MISUSE_MISUSE_H

#include <stdbool.h>
#include <stddef.h>

/* A function of the family, reduced to a pointer and the size that the block was asked for. */
struct misuse_call {
    const char *name;
    void (*run)(void *pointer, size_t size);
    const char *symbol; /* looked up at run time: glibc may lack it.  NULL: always there */
};

extern const struct misuse_call misuse_calls[];
extern const size_t misuse_call_count;

/* Who runs a step. */
enum misuse_thread { MISUSE_SAME, MISUSE_OTHER };

/* One misuse on its way. */
struct victim {
    char *block; /* allocated with `size`, filled with VICTIM_BYTE */
    size_t size;
    size_t usable;
    char *pointer; /* what the call will be given */
    bool live;     /* the block is still the program's while the call is made */
};

#define VICTIM_BYTE 0x6D

struct misuse_pointer {
    const char *name;
    /* Sets victim->pointer; false: there is no such pointer for this size. */
    bool (*aim)(struct victim *victim);
    /* Frees the block once, in one way or another.  NULL: it stays live. */
    void (*spoil)(struct victim *victim);
    /* In a program that holds many blocks it may be the address of another one: then no allocator
     * can tell the call from a right one. */
    bool may_be_another;
};

extern const struct misuse_pointer misuse_pointers[];
extern const size_t misuse_pointer_count;

/* Memory that was never the allocator's; no block may lie there. */
#define MISUSE_FOREIGN_BYTES 4096
extern char misuse_static_memory[MISUSE_FOREIGN_BYTES];
extern char *misuse_stack_memory;    /* set by main, of MISUSE_FOREIGN_BYTES */
char *misuse_mapping(bool readable); /* 64 KiB */
#define MISUSE_MAPPING_BYTES 65536

void misuse_thread_start(void); /* before misuse_in_thread */
void misuse_in_thread(void (*function)(void *pointer, size_t size), void *pointer, size_t size);

#endif
