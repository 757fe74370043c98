/* SPDX-License-Identifier: MIT
 *
 * fork in a program whose threads use stdio:
 *   fork_stdio RUNS
 *
 * fork takes the lock of stdio's list of streams.  A thread in fflush(NULL) holds it and waits for
 * a stream; a thread in getline holds that stream and allocates.  If fork has taken the allocator's
 * locks first, and waits for the list, all three wait for ever.
 */
#include "life.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { READERS = 3, FLUSHERS = 2, FORKS = 40, LINES = 40 };

static _Atomic bool stop;

/* Lines of rising length, so that getline allocates and resizes its
 * buffer with the stream locked. */
static FILE *make_stream(void) {
    FILE *stream = tmpfile();
    if (!stream) life_fail("tmpfile");
    for (size_t i = 1; i <= LINES; i++) {
        for (size_t k = 0; k < 100 * i; k++) fputc('x', stream);
        fputc('\n', stream);
    }
    fflush(stream);
    return stream;
}

static void *read_lines(void *argument) {
    FILE *stream = argument;
    while (!atomic_load(&stop)) {
        rewind(stream);
        char *line = NULL;
        size_t room = 0;
        for (size_t i = 1; i <= LINES && !atomic_load(&stop); i++) {
            ssize_t length = getline(&line, &room, stream);
            if (length != (ssize_t)(100 * i + 1))
                life_fail("getline read %zd bytes, not %zu", length, 100 * i + 1);
            if (i % 3 == 0) {
                free(line);
                line = NULL;
                room = 0;
            }
        }
        free(line);
    }
    return NULL;
}

static void *flush_all(void *argument) {
    const struct timespec pause = {0, 20000};
    while (!atomic_load(&stop)) {
        fflush(NULL);
        nanosleep(&pause, NULL); /* fork wants that lock too */
    }
    return argument;
}

static void child(uint32_t seed) {
    signal(SIGALRM, SIG_DFL);
    alarm(60);
    for (size_t i = 0; i < 50; i++) life_give(life_take(16 + i * 100, seed));
    FILE *stream = fopen("/dev/null", "w"); /* stdio itself works in the child */
    if (!stream || fprintf(stream, "%u\n", seed) < 0 || fclose(stream) != 0) _exit(1);
    _exit(0);
}

static void run(uint32_t number) {
    pthread_t readers[READERS], flushers[FLUSHERS];
    FILE *streams[READERS];
    atomic_store(&stop, false);
    for (int i = 0; i < READERS; i++) {
        streams[i] = make_stream();
        readers[i] = life_thread(read_lines, streams[i]);
    }
    for (int i = 0; i < FLUSHERS; i++) flushers[i] = life_thread(flush_all, NULL);
    for (uint32_t i = 0; i < FORKS; i++) {
        pid_t pid = fork();
        int status = 0;
        if (pid == 0) child(number * FORKS + i);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
            life_fail("run %u, fork %u: the child ended with %#x", number, i, (unsigned)status);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < FLUSHERS; i++) life_join(flushers[i]);
    for (int i = 0; i < READERS; i++) {
        life_join(readers[i]);
        fclose(streams[i]);
    }
}

int main(int argc, char **argv) {
    life_start(1200);
    uint32_t runs = (uint32_t)life_argument(argc, argv, 1, 20);
    for (uint32_t i = 0; i < runs; i++) run(i);
    life_say("%u runs of %d forks: 0 deadlocks", runs, FORKS);
    return 0;
}
