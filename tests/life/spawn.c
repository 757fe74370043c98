/* SPDX-License-Identifier: MIT
 *
 * New processes other than by fork, out of a program whose threads allocate all the
 * time: vfork and exec, posix_spawn, and a bare clone system call, of which libc and its
 * fork handlers know nothing.
 *   spawn ROUNDS
 */
#define _GNU_SOURCE
#include "life.h"

#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 2, SHARED = 500 };

extern char **environ;

static _Atomic(void *) shared[SHARED];
static _Atomic bool stop;

static void *work(void *argument) {
    uint32_t random = *(uint32_t *)argument;
    while (!atomic_load(&stop)) {
        uint32_t draw = life_random(&random);
        life_give(atomic_exchange(&shared[draw % SHARED], life_take(16 + draw % 4000, draw)));
    }
    return NULL;
}

static void wait_for(pid_t pid, const char *what) {
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        life_fail("%s: the child ended with %#x", what, (unsigned)status);
}

/* The child shares the parent's memory until it has called exec; it allocates nothing itself. */
static pid_t by_vfork(char **arguments) {
    pid_t pid = vfork();
    if (pid == 0) {
        execv(arguments[0], arguments);
        _exit(127);
    }
    return pid;
}

/* A copy of this thread, made behind libc's back. */
static pid_t by_clone(uint32_t seed) {
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid != 0) return pid;
    signal(SIGALRM, SIG_DFL);
    alarm(60);
    for (size_t i = 0; i < SHARED; i++) /* of threads that are not here */
        life_give(atomic_exchange(&shared[i], NULL));
    for (uint32_t i = 0; i < 500; i++) life_give(life_take(16 + (i * 37 + seed) % 5000, i));
    _exit(0);
}

int main(int argc, char **argv) {
    life_start(600);
    if (argc > 1 && argv[1][0] == 'c') { /* the program that is executed */
        life_give(life_take(1000, 1));
        return 0;
    }
    if (life_emulated()) life_skip("an emulated program can't execute itself");
    uint32_t rounds = (uint32_t)life_argument(argc, argv, 1, 150);
    char mode[] = "child", *arguments[] = {argv[0], mode, NULL};
    pthread_t workers[WORKERS];
    static uint32_t seeds[WORKERS] = {1, 2};
    for (int i = 0; i < WORKERS; i++) workers[i] = life_thread(work, &seeds[i]);
    for (uint32_t i = 0; i < rounds; i++) {
        pid_t pid;
        wait_for(by_vfork(arguments), "vfork and exec");
        wait_for(by_clone(i), "clone");
        if (posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ) != 0)
            life_fail("posix_spawn");
        wait_for(pid, "posix_spawn");
    }
    atomic_store(&stop, true);
    for (int i = 0; i < WORKERS; i++) life_join(workers[i]);
    for (size_t i = 0; i < SHARED; i++) life_give(atomic_load(&shared[i]));
    life_say("%u rounds of vfork, clone and posix_spawn", rounds);
    return 0;
}
