/* SPDX-License-Identifier: MIT
 *
 * Started without descriptor 2, opens files until one of them has that number, and ends.  Nothing
 * of what the allocator has to say at exit may get into that file:
 *   descriptors FILE
 */
#include "life.h"

#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int file;
    if (argc != 2) return 3;
    do {
        file = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0666);
    } while (file >= 0 && file < STDERR_FILENO);
    if (file != STDERR_FILENO) return 3;
    for (size_t i = 0; i < 1000; i++) life_give(life_take(16 + i * 10, (uint32_t)i));
    return 0;
}
