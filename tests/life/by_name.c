/* SPDX-License-Identifier: MIT
 *
 * Uses the library by its hak_ names, a little of everything, and prints nothing if all is right.
 * For valgrind, and linked statically with glibc and with musl.
 */
#include "hakmem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 300 };

static void check(int ok) {
    static const char text[] = "by_name: FAILED\n";
    if (ok) return;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) _exit(2);
    _exit(1);
}

static void *use_family(void *unused) {
    unsigned char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = i % 100 == 99 ? (size_t)3 << 20 : i * i;
        blocks[i] = i % 3 == 0 ? hak_calloc(1, size) : hak_malloc(size);
        check(blocks[i] != NULL && hak_usable_size(blocks[i]) >= size);
        check(i % 3 != 0 || size == 0 || blocks[i][size - 1] == 0);
        memset(blocks[i], (int)i, size);
    }
    for (size_t i = 0; i < BLOCKS; i += 2) {
        blocks[i] = hak_realloc(blocks[i], i * i + 1000);
        check(blocks[i] != NULL && (i < 2 || blocks[i][i] == (unsigned char)i));
    }
    for (size_t i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
    void *aligned = hak_aligned_alloc(4096, 10000);
    check(aligned != NULL && (size_t)aligned % 4096 == 0);
    hak_free_aligned_sized(aligned, 4096, 10000);
    return unused;
}

static void use_heap(void) {
    struct hak_heap *heap = hak_heap_new();
    check(heap != NULL);
    for (size_t i = 0; i < BLOCKS; i++) {
        void *block = hak_heap_malloc(heap, i * 10);
        check(block != NULL);
        memset(block, 1, i * 10);
        if (i % 2) hak_free(block);
    }
    hak_heap_destroy(heap);
}

int main(void) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION, .size = sizeof(stats)};
    pthread_t threads[3];
    (void)use_family(NULL);
    for (int i = 0; i < 3; i++) check(pthread_create(&threads[i], NULL, use_family, NULL) == 0);
    for (int i = 0; i < 3; i++) check(pthread_join(threads[i], NULL) == 0);
    use_heap();
    pid_t child = fork();
    if (child == 0) {
        (void)use_family(NULL);
        _exit(0);
    }
    int status = -1;
    check(waitpid(child, &status, 0) == child && status == 0);
    hak_tiny_magazine_flush_all();
    (void)hak_collect();
    check(hak_stats_read(&stats) == 0);
    check(stats.mapped == stats.live + stats.cached + stats.free_dirty + stats.purged +
                              stats.metadata + stats.waste);
    return 0;
}
