/* SPDX-License-Identifier: MIT
 *
 * A program with one call site of large blocks that come and go, for `hakmem learn`; and the same
 * after a change that has moved it (LEARNER_MOVED).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifdef LEARNER_MOVED
__attribute__((noinline, used)) static int learner_moved(int x) {
    return printf("%d\n", x) + puts("never called, but in front of what follows");
}
#endif

__attribute__((noinline)) char *learner_site(void);
__attribute__((noinline)) char *learner_site(void) {
    char *block = malloc((size_t)100 << 20);
    if (!block) exit(1);
    block[0] = 1;
    return block;
}

int main(int argc, char **argv) {
    const struct timespec gap = {0, 2000000};
    const int rounds = argc > 1 ? atoi(argv[1]) : 60;
    for (int i = 0; i < rounds; i++) {
        char *volatile block = learner_site();
        free(block);
        nanosleep(&gap, NULL);
    }
    return 0;
}
