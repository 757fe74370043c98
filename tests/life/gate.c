/* SPDX-License-Identifier: MIT
 *
 * Which system calls an allocator makes once the program runs: a seccomp filter lets mmap, munmap,
 * madvise, mprotect, mremap and futex pass (and what this program itself needs: write, exit), and
 * ends the process at any other.  Threads are there before the filter, but allocate only under it.
 */
#define _GNU_SOURCE
#include "life.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORKERS = 3, SHARED = 256, STEPS = 60000 };

static _Atomic(void *) shared[SHARED];
static pthread_barrier_t barrier;

#define ALLOW(number)                                    \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* In all threads at once.  A call outside is trapped, so that its number can be told. */
static void close_gate(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(SYS_mmap),
        ALLOW(SYS_munmap),
        ALLOW(SYS_madvise),
        ALLOW(SYS_mprotect),
        ALLOW(SYS_mremap),
        ALLOW(SYS_futex),
        ALLOW(SYS_write),
        ALLOW(SYS_exit_group),
        ALLOW(SYS_exit),
        ALLOW(SYS_rt_sigreturn),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
        life_skip("no seccomp filter: errno %d", errno);
}

static void trapped(int signal_number, siginfo_t *info, void *context) {
    (void)signal_number, (void)context;
    life_fail("system call %d after start", info->si_syscall);
}

static void work(uint32_t random) {
    for (int i = 0; i < STEPS; i++) {
        uint32_t draw = life_random(&random);
        size_t size = draw % 2000 == 0 ? (size_t)3 << 20
                                       : 16 + (draw >> 8) % ((size_t)16 << draw % 13);
        void *block = life_take(size, draw);
        if (draw % 11 == 0) {
            block = realloc(block, size * 3);
            if (!block) life_fail("realloc");
            life_fill(block, size * 3, draw);
        }
        life_give(atomic_exchange(&shared[draw >> 8 & (SHARED - 1)], block));
        if (i % 20000 == 0) (void)malloc_trim(0);
    }
}

static void *worker(void *argument) {
    pthread_barrier_wait(&barrier); /* started: that made calls of libc's own */
    pthread_barrier_wait(&barrier);
    work(*(uint32_t *)argument);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier); /* for ever: a thread's end makes calls of libc's own */
    return NULL;
}

int main(void) {
    life_start(120);
    static uint32_t seeds[WORKERS] = {1, 2, 3};
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    pthread_barrier_init(&barrier, NULL, WORKERS + 1);
    for (int i = 0; i < WORKERS; i++) (void)life_thread(worker, &seeds[i]);
    life_give(life_take(100, 1)); /* the start is over after this */
    pthread_barrier_wait(&barrier);
    close_gate();
    pthread_barrier_wait(&barrier);
    work(4);
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < SHARED; i++) life_give(atomic_load(&shared[i]));
    life_say("%d steps in each of %d threads: no other system call", STEPS, WORKERS + 1);
    _exit(0);
}
