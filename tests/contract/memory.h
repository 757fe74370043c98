/* SPDX-License-Identifier: MIT
 *
 * How much memory this process has: read from /proc without allocating.
 */
#ifndef HAKMEM_TESTS_CONTRACT_MEMORY_H
#define HAKMEM_TESTS_CONTRACT_MEMORY_H

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

/* Bytes resident now; 0 if /proc does not tell. */
static inline size_t memory_resident(void) {
    char text[128];
    int file = open("/proc/self/statm", O_RDONLY);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof(text));
    close(file);
    size_t pages = 0;
    ssize_t i = 0;
    while (i < length && text[i] != ' ') i++;
    for (i++; i < length && text[i] >= '0' && text[i] <= '9'; i++)
        pages = pages * 10 + (size_t)(text[i] - '0');
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

#endif
