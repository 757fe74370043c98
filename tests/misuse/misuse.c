/* SPDX-License-Identifier: MIT
 *
 * Makes one call with one pointer that it must not be given:
 *   misuse CALL POINTER SIZE same|other [overlap]
 * or all calls with all pointers in turn, for which HAKMEM_ON_ERROR=report is needed:
 *   misuse all
 *
 * Says on standard output what it is about to do ("pointer P block B usable N"), then makes
 * the call, then says "survived".  Whoever runs it (run_misuse.py) knows from the first
 * line what the allocator must have said.  "overlap", and "all" at its end: looks whether
 * memory is handed out twice.
 *
 * Status 0: as expected so far; 1: memory was handed out twice or a live block changed; 77: there
 * is no such call or no such pointer here.
 */
#define _GNU_SOURCE
#include "misuse.h"
#include "overlap.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SKIPPED = 77, OVERLAP_BLOCKS = 50000, VICTIMS_MAX = 4096 };

/* Without stdio: its buffers would come from the allocator in the middle of a misuse. */
static void say(const char *text) {
    if (write(STDOUT_FILENO, text, strlen(text)) < 0) _exit(2);
}

static bool victim_make(struct victim *victim, size_t size) {
    victim->size = size;
    victim->block = malloc(size);
    if (!victim->block) return false;
    victim->usable = malloc_usable_size(victim->block);
    memset(victim->block, VICTIM_BYTE, victim->usable);
    return true;
}

static bool victim_is_intact(const struct victim *victim) {
    return victim->block[0] == VICTIM_BYTE &&
           memcmp(victim->block, victim->block + 1, victim->usable - 1) == 0;
}

static bool call_exists(const struct misuse_call *call) {
    return !call->symbol || dlsym(RTLD_DEFAULT, call->symbol) != NULL;
}

/* One misuse, from a fresh block to the call.  False: not possible. */
static bool misuse_run(const struct misuse_call *call, const struct misuse_pointer *pointer,
                       size_t size, enum misuse_thread thread, struct victim *victim,
                       bool announce) {
    if (!call_exists(call) || !victim_make(victim, size) || !pointer->aim(victim)) return false;
    victim->live = pointer->spoil == NULL;
    if (announce) {
        char text[160];
        snprintf(text, sizeof(text), "pointer %#zx block %#zx usable %zu\n",
                 (size_t)victim->pointer, (size_t)victim->block, victim->usable);
        say(text);
    }
    if (pointer->spoil) pointer->spoil(victim);
    if (thread == MISUSE_OTHER) misuse_in_thread(call->run, victim->pointer, size);
    else call->run(victim->pointer, size);
    return true;
}

/* The live victims are the program's still, and foreign memory was never the allocator's. */
static unsigned check_overlaps(const struct victim *victims, size_t count, size_t size) {
    static struct overlap_area areas[VICTIMS_MAX + 4];
    size_t area_count = 0;
    areas[area_count++] = (struct overlap_area){misuse_static_memory, MISUSE_FOREIGN_BYTES};
    areas[area_count++] = (struct overlap_area){misuse_stack_memory, MISUSE_FOREIGN_BYTES};
    areas[area_count++] = (struct overlap_area){misuse_mapping(true), MISUSE_MAPPING_BYTES};
    areas[area_count++] = (struct overlap_area){misuse_mapping(false), MISUSE_MAPPING_BYTES};
    for (size_t i = 0; i < count; i++)
        if (victims[i].live)
            areas[area_count++] = (struct overlap_area){victims[i].block, victims[i].usable};
    return overlap_check(OVERLAP_BLOCKS, size, areas, area_count);
}

static int finish(const struct victim *victims, size_t count, size_t size, bool overlap) {
    unsigned bad = overlap ? check_overlaps(victims, count, size) : 0;
    for (size_t i = 0; i < count; i++) {
        if (!victims[i].live) continue;
        if (!victim_is_intact(&victims[i])) bad++;
        free(victims[i].block);
    }
    if (bad) {
        char text[80];
        snprintf(text, sizeof(text), "%u blocks overlap or changed\n", bad);
        say(text);
        return 1;
    }
    say("survived\n");
    return 0;
}

static struct victim all_victims[VICTIMS_MAX];

/* Every call with one pointer, from both threads; returns the number of victims so far. */
static size_t run_pointer(const struct misuse_pointer *pointer, size_t size, size_t count) {
    for (size_t c = 0; c < misuse_call_count; c++) {
        for (int thread = MISUSE_SAME; thread <= MISUSE_OTHER; thread++) {
            if (count == VICTIMS_MAX) _exit(2);
            if (misuse_run(&misuse_calls[c], pointer, size, (enum misuse_thread)thread,
                           &all_victims[count], false))
                count++;
        }
    }
    return count;
}

static int run_all(void) {
    static const size_t sizes[] = {16, 64, 1000, 5000, 40000, 256 << 10, 3 << 20};
    size_t count = 0;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
        for (size_t p = 0; p < misuse_pointer_count; p++)
            if (!misuse_pointers[p].may_be_another)
                count = run_pointer(&misuse_pointers[p], sizes[s], count);
    char text[80];
    snprintf(text, sizeof(text), "%zu misuses made\n", count);
    say(text);
    return finish(all_victims, count, 64, true);
}

int main(int argc, char **argv) {
    char stack_memory[MISUSE_FOREIGN_BYTES] __attribute__((aligned(16)));
    misuse_stack_memory = stack_memory;
    misuse_thread_start();
    if (argc == 2 && strcmp(argv[1], "all") == 0) return run_all();
    if (argc != 5 && argc != 6) return 2;
    size_t size = strtoul(argv[3], NULL, 10);
    enum misuse_thread thread = strcmp(argv[4], "other") == 0 ? MISUSE_OTHER : MISUSE_SAME;
    struct victim victim;
    for (size_t c = 0; c < misuse_call_count; c++)
        for (size_t p = 0; p < misuse_pointer_count; p++)
            if (strcmp(misuse_calls[c].name, argv[1]) == 0 &&
                strcmp(misuse_pointers[p].name, argv[2]) == 0) {
                if (!misuse_run(&misuse_calls[c], &misuse_pointers[p], size, thread, &victim, true))
                    return SKIPPED;
                return finish(&victim, 1, size, argc == 6);
            }
    return 2;
}
