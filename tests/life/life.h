/* SPDX-License-Identifier: MIT
 *
 * What the programs in this folder share: blocks that carry their own check, figures from /proc,
 * endings.  Nothing here uses stdio or allocates but life_take, so that it may be called from a
 * resolver, a signal handler, or a child of a threaded process.
 *
 * Every program runs on any malloc; LD_PRELOAD decides.  Status 0: passed, 1: failed, 77: can't be
 * tried here.  A program that hangs is ended by its own alarm (life_start) with a message.
 */
#ifndef HAKMEM_TESTS_LIFE_LIFE_H
#define HAKMEM_TESTS_LIFE_LIFE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIFE_SKIPPED 77

/* Checks that hakmem serves malloc if it was preloaded, and sets an alarm after which the process
 * counts as hung. */
void life_start(unsigned alarm_seconds);

/* Both write one line to standard error and end the process at once. */
void life_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void life_skip(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* One line to standard output. */
void life_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A block of `size` >= 16 bytes that holds its size, a seed and a pattern made from both. */
#define LIFE_BLOCK_MIN 16
void *life_take(size_t size, uint32_t seed);

/* The same, but NULL if there is no memory; errno must be ENOMEM then. */
void *life_try_take(size_t size, uint32_t seed);

/* Gives a block of unknown origin its size, seed and pattern. */
void life_fill(void *block, size_t size, uint32_t seed);

/* Ends the program if a block of life_take has changed; life_give frees it too, NULL is ignored. */
void life_check(const void *block);
void life_give(void *block);

/* The size that a block was taken with. */
size_t life_size(const void *block);

/* xorshift; *state must not be 0. */
uint32_t life_random(uint32_t *state);

/* Resident memory of this process in KiB, and a field of /proc/self/status ("VmPeak", "VmHWM").
 * Both end the program as skipped if there is no /proc.  Under an emulator they are 0. */
bool life_has_proc(void);
size_t life_resident_kib(void);
size_t life_status_kib(const char *field);

/* The exit status of a test that has looked at resident memory.  Under an emulator, whose own
 * memory is part of the figure, the rest has passed, and the test counts as skipped. */
int life_verdict(bool too_much);

/* Does an emulator stand in for the kernel (scripts/qemu-user)? */
bool life_emulated(void);

/* Starts a thread with a stack of 256 KiB, so that stacks are no part of any figure. */
pthread_t life_thread(void *(*function)(void *), void *argument);
void life_join(pthread_t thread);

/* The argument at `index` as a number, or the given one. */
long life_argument(int argc, char **argv, int index, long otherwise);

#endif
