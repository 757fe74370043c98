/* SPDX-License-Identifier: MIT
 *
 * Allocates in every phase of a program's life: in an IFUNC resolver (before anything is
 * initialised; linked with -z now it runs while the program is still being relocated), in
 * .preinit_array, in constructors of the highest priority, in main, in atexit handlers and in
 * destructors.  Each phase checks and frees blocks of the one before, and leaves some.
 */
#include "life.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 100 };
static void *blocks[BLOCKS];
static unsigned phases;

static size_t phase_size(size_t i) {
    return i % 25 == 24 ? (size_t)2 << 20 : 16 + i * i * 5;
}

/* Frees what the last phase left, by turns directly and after a realloc, and fills again. */
static void phase(void) {
    for (size_t i = 0; i < BLOCKS; i++) {
        life_give(blocks[i]);
        blocks[i] = life_take(phase_size(i), (uint32_t)i * 31 + phases);
    }
    unsigned char *zeroed = calloc(50, 100);
    for (size_t i = 0; !zeroed || i < 5000; i++)
        if (!zeroed || zeroed[i] != 0) life_fail("phase %u: calloc", phases);
    free(zeroed);
    void *moved = realloc(malloc(50), 70000);
    if (!moved) life_fail("phase %u: realloc", phases);
    free(moved);
    phases++;
}

/* ---- Before main */

static int chosen(void) {
    return 42;
}

__attribute__((used)) static int (*choose(void))(void) {
    phase();
    return chosen;
}

int early_function(void) __attribute__((ifunc("choose")));

static void before_constructors(int argc, char **argv, char **environment) {
    (void)argc, (void)argv, (void)environment;
    phase();
}

__attribute__((section(".preinit_array"), used)) static void (*preinit[])(int, char **, char **) = {
    before_constructors};

static void at_exit_of_constructor(void) {
    phase();
}

__attribute__((constructor(101))) static void first_constructor(void) {
    phase();
    atexit(at_exit_of_constructor);
}

__attribute__((constructor)) static void last_constructor(void) {
    phase();
}

/* ---- After main */

__attribute__((destructor)) static void first_destructor(void) {
    phase();
}

/* The last code of this program that runs. */
__attribute__((destructor(101))) static void last_destructor(void) {
    phase();
    for (size_t i = 0; i < BLOCKS; i++) life_give(blocks[i]);
    life_say("%u phases", phases);
    if (phases < 9) _exit(1);
}

static void at_exit_of_main(void) {
    phase();
}

int main(void) {
    life_start(60);
    if (early_function() != 42) life_fail("the resolver was not asked");
    phase();
    atexit(at_exit_of_main);
    return 0;
}
