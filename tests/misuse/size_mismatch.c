/* SPDX-License-Identifier: MIT
 *
 * Frees a block with another size than it was asked for:
 *   size_mismatch free_sized|free_aligned_sized|operator_delete|operator_delete_aligned SIZE
 *   WRONG_SIZE
 *
 * Says "pointer P block B usable N" first and "survived" at the end, as misuse.c does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIGNMENT 64

static void say(const char *text) {
    if (write(STDOUT_FILENO, text, strlen(text)) < 0) _exit(2);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name, *symbol;
        enum { SIZE, ALIGNMENT_SIZE, SIZE_ALIGNMENT } arguments;
    } calls[] = {
        {"free_sized", "free_sized", SIZE},
        {"free_aligned_sized", "free_aligned_sized", ALIGNMENT_SIZE},
        {"operator_delete", "_ZdlPvm", SIZE},
        {"operator_delete_aligned", "_ZdlPvmSt11align_val_t", SIZE_ALIGNMENT},
    };
    size_t call = 0;
    while (argc == 4 && call < 4 && strcmp(calls[call].name, argv[1]) != 0) call++;
    if (argc != 4 || call == 4) return 2;
    size_t size = strtoul(argv[2], NULL, 10), wrong = strtoul(argv[3], NULL, 10);
    void (*with_one)(void *, size_t) = NULL;
    void (*with_two)(void *, size_t, size_t) = NULL;
    *(void **)&with_one = dlsym(RTLD_DEFAULT, calls[call].symbol);
    *(void **)&with_two = dlsym(RTLD_DEFAULT, calls[call].symbol);
    if (!with_one) return 77;

    void *block = calls[call].arguments == SIZE ? malloc(size) : aligned_alloc(ALIGNMENT, size);
    if (!block) return 2;
    char text[160];
    snprintf(text, sizeof(text), "pointer %#zx block %#zx usable %zu\n", (size_t)block,
             (size_t)block, malloc_usable_size(block));
    say(text);
    switch (calls[call].arguments) {
    case SIZE:
        with_one(block, wrong);
        break;
    case ALIGNMENT_SIZE:
        with_two(block, ALIGNMENT, wrong);
        break;
    case SIZE_ALIGNMENT:
        with_two(block, wrong, ALIGNMENT);
        break;
    }
    say("survived\n");
    return 0;
}
