/* SPDX-License-Identifier: MIT
 *
 * The two tables of misuse.h: calls and pointers.
 */
#define _GNU_SOURCE
#include "misuse.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* --- Calls.  Through volatile pointers: what they are given is wrong on purpose. */

static void (*volatile do_free)(void *) = free;
static void *(*volatile do_malloc)(size_t) = malloc;
static void *(*volatile do_realloc)(void *, size_t) = realloc;
static size_t (*volatile do_usable_size)(void *) = malloc_usable_size;

static void call_free(void *pointer, size_t size) {
    (void)size;
    do_free(pointer);
}

static void call_realloc(void *pointer, size_t size) {
    (void)do_realloc(pointer, size + 1);
}

static void call_usable_size(void *pointer, size_t size) {
    (void)size;
    (void)do_usable_size(pointer);
}

static void call_free_sized(void *pointer, size_t size) {
    void (*function)(void *, size_t) = NULL;
    *(void **)&function = dlsym(RTLD_DEFAULT, "free_sized");
    function(pointer, size);
}

static void call_operator_delete(void *pointer, size_t size) {
    void (*function)(void *, size_t) = NULL;
    *(void **)&function = dlsym(RTLD_DEFAULT, "_ZdlPvm");
    function(pointer, size);
}

const struct misuse_call misuse_calls[] = {
    {"free", call_free, NULL},
    {"realloc", call_realloc, NULL},
    {"malloc_usable_size", call_usable_size, NULL},
    {"free_sized", call_free_sized, "free_sized"},
    {"operator_delete", call_operator_delete, "_ZdlPvm"},
};
const size_t misuse_call_count = sizeof(misuse_calls) / sizeof(misuse_calls[0]);

/* --- Pointers that were never a block's */

_Alignas(16) char misuse_static_memory[MISUSE_FOREIGN_BYTES];
char *misuse_stack_memory;

char *misuse_mapping(bool readable) {
    static char *mappings[2];
    if (!mappings[readable]) {
        void *mapping = mmap(NULL, MISUSE_MAPPING_BYTES,
                             readable ? PROT_READ | PROT_WRITE : PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapping == MAP_FAILED) exit(2);
        mappings[readable] = mapping;
    }
    return mappings[readable];
}

static bool aim_one(struct victim *victim) {
    victim->pointer = (char *)(uintptr_t)1;
    return true;
}

static bool aim_non_canonical(struct victim *victim) {
    victim->pointer = (char *)((uintptr_t)victim->block | (uintptr_t)0xDEAD000000000000u);
    return true;
}

static bool aim_kernel(struct victim *victim) {
    victim->pointer = (char *)((uintptr_t)victim->block | (uintptr_t)0xFFFF800000000000u);
    return true;
}

static bool aim_last(struct victim *victim) {
    victim->pointer = (char *)(UINTPTR_MAX - 15);
    return true;
}

static bool aim_stack(struct victim *victim) {
    victim->pointer = misuse_stack_memory + 1024;
    return true;
}

static bool aim_static(struct victim *victim) {
    victim->pointer = misuse_static_memory + 1024;
    return true;
}

static bool aim_mapping(struct victim *victim) {
    victim->pointer = misuse_mapping(true) + MISUSE_MAPPING_BYTES / 2;
    return true;
}

static bool aim_mapping_protected(struct victim *victim) {
    victim->pointer = misuse_mapping(false) + MISUSE_MAPPING_BYTES / 2;
    return true;
}

static bool aim_far(struct victim *victim) {
    victim->pointer = victim->block + ((size_t)1 << 30);
    return true;
}

/* --- Pointers into or beside a live block */

static bool aim_interior(struct victim *victim) {
    victim->pointer = victim->block + 16;
    return victim->usable > 16;
}

static bool aim_middle(struct victim *victim) {
    victim->pointer = victim->block + victim->usable / 2 / 16 * 16;
    return victim->usable > 64;
}

static bool aim_odd(struct victim *victim) {
    victim->pointer = victim->block + 1;
    return true;
}

static bool aim_half_aligned(struct victim *victim) {
    victim->pointer = victim->block + 8;
    return true;
}

static bool aim_past_end(struct victim *victim) {
    victim->pointer = victim->block + victim->usable;
    return true;
}

/* 16 KiB on: in the same slab, in the part that was never handed out. */
static bool aim_untouched(struct victim *victim) {
    victim->pointer = victim->block + 16384;
    return victim->size <= 1000;
}

/* --- The block itself, freed before */

static bool aim_block(struct victim *victim) {
    victim->pointer = victim->block;
    return true;
}

static void spoil_at_once(struct victim *victim) {
    do_free(victim->block);
}

static void spoil_another_between(struct victim *victim) {
    void *other = do_malloc(victim->size);
    do_free(victim->block);
    do_free(other);
}

/* A thousand calls between the two frees, none of which can be given the same memory: they are of
 * another class, which has room enough in the slabs that it holds already. */
static void spoil_long_ago(struct victim *victim) {
    enum { COUNT = 300, PAIRS = 500 };
    void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) blocks[i] = do_malloc(100);
    do_free(victim->block);
    for (size_t i = 0; i < PAIRS; i++) {
        do_free(blocks[i * 7 % COUNT]);
        blocks[i * 7 % COUNT] = do_malloc(100 + i % 8);
    }
    for (size_t i = 0; i < COUNT; i++) do_free(blocks[i]);
}

static void spoil_in_another_thread(struct victim *victim) {
    misuse_in_thread(call_free, victim->block, 0);
}

static void spoil_by_realloc(struct victim *victim) {
    (void)do_realloc(victim->block, 0);
}

const struct misuse_pointer misuse_pointers[] = {
    {"one", aim_one, NULL, false},
    {"non_canonical", aim_non_canonical, NULL, false},
    {"kernel", aim_kernel, NULL, false},
    {"last", aim_last, NULL, false},
    {"stack", aim_stack, NULL, false},
    {"static", aim_static, NULL, false},
    {"mapping", aim_mapping, NULL, false},
    {"mapping_protected", aim_mapping_protected, NULL, false},
    {"far", aim_far, NULL, false},
    {"interior", aim_interior, NULL, false},
    {"middle", aim_middle, NULL, false},
    {"odd", aim_odd, NULL, false},
    {"half_aligned", aim_half_aligned, NULL, false},
    {"past_end", aim_past_end, NULL, true},
    {"untouched", aim_untouched, NULL, true},
    {"freed", aim_block, spoil_at_once, false},
    {"freed_and_another", aim_block, spoil_another_between, false},
    {"freed_long_ago", aim_block, spoil_long_ago, false},
    {"freed_elsewhere", aim_block, spoil_in_another_thread, false},
    {"freed_by_realloc", aim_block, spoil_by_realloc, false},
};
const size_t misuse_pointer_count = sizeof(misuse_pointers) / sizeof(misuse_pointers[0]);

/* ---- Threads: one other thread for the whole program, which has allocated before: a thread that
 * starts between the spoiling and the call could be given the very memory that was spoilt. */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void (*function)(void *, size_t); /* NULL: nothing to do */
    void *pointer;
    size_t size;
} errand = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *errand_runner(void *argument) {
    free(malloc(100));
    pthread_mutex_lock(&errand.lock);
    for (;;) {
        if (errand.function) {
            errand.function(errand.pointer, errand.size);
            errand.function = NULL;
            pthread_cond_broadcast(&errand.changed);
        }
        pthread_cond_wait(&errand.changed, &errand.lock);
    }
    return argument;
}

static void errand_nothing(void *pointer, size_t size) {
    (void)pointer;
    (void)size;
}

void misuse_in_thread(void (*function)(void *, size_t), void *pointer, size_t size) {
    pthread_mutex_lock(&errand.lock);
    errand.pointer = pointer;
    errand.size = size;
    errand.function = function;
    pthread_cond_broadcast(&errand.changed);
    while (errand.function) pthread_cond_wait(&errand.changed, &errand.lock);
    pthread_mutex_unlock(&errand.lock);
}

void misuse_thread_start(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, errand_runner, NULL) != 0) exit(2);
    misuse_in_thread(errand_nothing, NULL, 0);
}
