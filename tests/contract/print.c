/* SPDX-License-Identifier: MIT
 *
 * Writes one kind of report to standard output, for check_print.py to parse:
 *   contract_print xml|text|json
 * malloc_info under its libc name, so that it can be run on glibc too; the others by dlsym.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *blocks[500];

/* Something to report about: live and free blocks of many sizes, some of an ended thread. */
static void *leave_blocks(void *unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) blocks[i] = malloc(i * i * 10);
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i += 3) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t thread;
    if (argc != 2 || pthread_create(&thread, NULL, leave_blocks, NULL) != 0) return 2;
    pthread_join(thread, NULL);
    if (strcmp(argv[1], "xml") == 0) return malloc_info(0, stdout) != 0 || fflush(stdout) != 0;
    int (*print)(int, int) = NULL; /* the enum of hakmem.h: text 0, JSON 1 */
    *(void **)&print = dlsym(RTLD_DEFAULT, "hak_stats_print");
    return !print || print(STDOUT_FILENO, strcmp(argv[1], "json") == 0) != 0;
}
