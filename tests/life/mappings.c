/* SPDX-License-Identifier: MIT
 *
 * The kernel's limit on the number of mappings:
 *   mappings full    uses them all up itself: allocation may fail but nothing may break, frees must
 *                    work although the kernel can't split a mapping, and all is well afterwards
 *   mappings count   how many a heap of 1 GiB takes (at most 100: 1,000 for 10 GiB)
 */
#include "life.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, MAPPINGS_MOST = 100, BLOCKS = 400 };

/* Pages with alternating protection can't be merged.  Returns the first of `pages` of them. */
static char *use_up(size_t *pages) {
    *pages = 1 << 17;
    char *start = mmap(NULL, *pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                       -1, 0);
    if (start == MAP_FAILED) life_skip("no address space");
    for (size_t i = 0; i < *pages; i += 2)
        if (mprotect(start + i * PAGE, PAGE, PROT_READ) != 0) return start;
    life_skip("this system allows more than %zu mappings", *pages);
}

static size_t draw_size(size_t i) {
    return i % 20 == 19 ? (size_t)(1 + i % 3) << 20 : 16 + (i * i * 37) % 200000;
}

/* Allocates and frees in every way while there is not one mapping to be had. */
static unsigned work_without_mappings(void **blocks) {
    unsigned refused = 0;
    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            size_t slot = (i * 7 + round) % BLOCKS;
            life_give(blocks[slot]);
            blocks[slot] = life_try_take(draw_size(i + round), (uint32_t)i);
            refused += !blocks[slot];
        }
        for (size_t i = round % 3; i < BLOCKS; i += 3) {
            if (!blocks[i]) continue;
            life_check(blocks[i]);
            size_t size = draw_size(i * 3 + round);
            errno = 0;
            void *moved = realloc(blocks[i], size);
            if (moved) life_fill(moved, size, 3);
            else if (errno != ENOMEM) life_fail("realloc failed with errno %d", errno);
            blocks[i] = moved ? moved : blocks[i];
            refused += !moved;
        }
    }
    return refused;
}

static int test_full(void) {
    static void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = life_take(draw_size(i), (uint32_t)i);
    size_t pages;
    char *start = use_up(&pages);
    unsigned refused = work_without_mappings(blocks);
    if (munmap(start, pages * PAGE) != 0) life_fail("munmap: errno %d", errno);
    for (size_t i = 0; i < BLOCKS; i++) life_give(blocks[i]);
    for (size_t i = 0; i < 64; i++) /* recovered: nothing may be refused now */
        blocks[i] = life_take((size_t)2 << 20, (uint32_t)i);
    for (size_t i = 0; i < 64; i++) life_give(blocks[i]);
    life_say("without mappings %u requests were refused, all was well afterwards", refused);
    return 0;
}

static size_t count_mappings(void) {
    char text[4096];
    int file = open("/proc/self/maps", O_RDONLY);
    size_t lines = 0;
    ssize_t length;
    while ((length = read(file, text, sizeof(text))) > 0)
        for (ssize_t i = 0; i < length; i++) lines += text[i] == '\n';
    close(file);
    return lines;
}

/* Only the first page of each block is touched: it is the address space that counts. */
static int test_count(void) {
    static const size_t sizes[] = {200, 3000, 20000, 100000, 700000, 1500000, 4 << 20};
    static void *blocks[1 << 17];
    size_t before = count_mappings(), total = 0, count = 0;
    while (total < (size_t)1 << 30 && count < sizeof(blocks) / sizeof(blocks[0])) {
        size_t size = sizes[count % 7];
        char *block = malloc(size);
        if (!block) life_fail("malloc(%zu)", size);
        block[0] = 1;
        blocks[count++] = block;
        total += size;
    }
    size_t mappings = count_mappings() - before;
    for (size_t i = 0; i < count; i += 2) free(blocks[i]);
    size_t half = count_mappings() - before;
    for (size_t i = 1; i < count; i += 2) free(blocks[i]);
    life_say("%zu MiB in %zu blocks: %zu mappings, %zu with half of them freed (at most %d)",
             total >> 20, count, mappings, half, MAPPINGS_MOST);
    return mappings > MAPPINGS_MOST || half > MAPPINGS_MOST;
}

int main(int argc, char **argv) {
    life_start(300);
    if (life_emulated()) life_skip("an emulator maps memory of its own, and needs it");
    return argc > 1 && strcmp(argv[1], "count") == 0 ? test_count() : test_full();
}
