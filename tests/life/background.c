/* SPDX-License-Identifier: MIT
 *
 * The allocator's own thread: when there is one, when there must be none, and that memory goes back
 * in a process that makes no calls any more.
 *   background idle | threads | callback | handler | sandbox | namespace | vfork | fork
 *   background last
 *   background on | off          with HAKMEM_BACKGROUND
 */
#define _GNU_SOURCE
#include "life.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCKS = 200000, SIZE = 100, BURST_KIB = BLOCKS * SIZE / 1024, REST_KIB = 1024 };

static void *blocks[BLOCKS];

static void fill(void) {
    for (uint32_t i = 0; i < BLOCKS; i++) blocks[i] = life_take(SIZE, i);
}

static void empty(void) {
    for (uint32_t i = 0; i < BLOCKS; i++) life_give(blocks[i]);
}

/* Not inlined, so that the stack is as it is written. */
static __attribute__((noinline)) void burst(void) {
    fill();
    empty();
}

static void pause_ms(long ms) {
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Allocates nothing: reads the folder by the system call alone. */
static unsigned threads(void) {
    struct entry {
        uint64_t node, next;
        unsigned short bytes;
        unsigned char type;
        char name[];
    };
    static _Alignas(struct entry) char list[4096];
    unsigned count = 0;
    int folder = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY);
    if (folder < 0) life_skip("no /proc/self/task");
    for (long bytes; (bytes = syscall(SYS_getdents64, folder, list, sizeof list)) > 0;)
        for (char *at = list; at < list + bytes; at += ((struct entry *)(void *)at)->bytes)
            count += ((struct entry *)(void *)at)->name[0] != '.';
    close(folder);
    return count;
}

static void expect(unsigned count, const char *when) {
    unsigned now = threads();
    if (now != count) life_fail("%s: %u threads, not %u", when, now, count);
}

/* The alarm of life_start ends what never comes. */
static void await_rest(size_t before_kib) {
    while (life_resident_kib() > before_kib + REST_KIB) pause_ms(20);
}

static void idle(void) {
    size_t before = life_resident_kib();
    expect(1, "at first");
    fill();
    expect(1, "with much in use");
    size_t full = life_resident_kib();
    empty();
    expect(2, "with much free");
    await_rest(before);
    life_say("%zu KiB in use, %zu KiB after", full, life_resident_kib());
    burst(); /* wakes it */
    await_rest(before);
    expect(2, "the second time");
}

static pthread_barrier_t barrier;

static void *burst_and_stay(void *argument) {
    burst();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return argument;
}

/* In a thread's own function; and the heaps of threads that have ended. */
static void in_threads(void) {
    size_t before = life_resident_kib();
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_t thread = life_thread(burst_and_stay, NULL);
    pthread_barrier_wait(&barrier);
    expect(3, "after a thread's burst");
    pthread_barrier_wait(&barrier);
    life_join(thread);
    await_rest(before);
}

/* ---- Where there must be none ---------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    static bool done;
    if (!done) burst();
    done = true;
    return *(const int *)a - *(const int *)b;
}

/* libc may hold a lock. */
static void callback(void) {
    int numbers[4] = {4, 3, 2, 1};
    qsort(numbers, 4, sizeof numbers[0], compare);
    expect(1, "after a burst in a function that libc has called");
}

static void on_signal(int number) {
    (void)number;
    burst();
}

static void handler(void) {
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    expect(1, "after a burst in a signal handler");
}

/* Ends the process at anything but what an allocator of a single thread calls. */
#define ALLOW(number)                                    \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void sandbox(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* the number of the call */
        ALLOW(SYS_mmap),
        ALLOW(SYS_munmap),
        ALLOW(SYS_madvise),
        ALLOW(SYS_futex),
        ALLOW(SYS_exit_group),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    burst();
    expect(2, "before the sandbox");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) life_skip("no sandbox: errno %d", errno);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
        life_skip("no seccomp filter: errno %d", errno);
    for (int i = 0; i < 20; i++) burst();
    _exit(0);
}

static void namespace(void) {
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        if (child == 0) {
            burst();
            expect(2, "in a child");
            if (unshare(CLONE_NEWUSER) != 0 && errno == EINVAL)
                life_fail("a thread is in the way of unshare");
            burst();
            expect(1, "after unshare");
            _exit(0);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status != 0) life_fail("status %#x", status);
    }
    if (unshare(-1) != -1 || errno != EINVAL) life_fail("unshare takes what it should not");
    if (setns(-1, 0) != -1 || errno != EBADF) life_fail("setns takes what it should not");
}

/* What runs before exec has the memory of the parent. */
static __attribute__((noinline)) void in_vfork(void) {
    pid_t child = vfork();
    if (child == 0) {
        burst();
        _exit((int)threads() - 1);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0)
        life_fail("a child of vfork has ended with %#x", status);
}

static void vforked(void) {
    in_vfork();
    expect(1, "after a child of vfork");
    burst();
    expect(2, "after a burst");
}

/* A child starts its own when it has something to give back. */
static void forked(void) {
    burst();
    expect(2, "in the parent");
    pid_t child = fork();
    if (child == 0) {
        expect(1, "in the child");
        burst();
        expect(2, "after the child's burst");
        await_rest(life_resident_kib());
        _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) life_fail("status %#x", status);
}

static void *outlive(void *argument) {
    if (argument) burst();
    pause_ms(200);
    return NULL;
}

/* libc ends a process with the last of its threads: the allocator's own must not be that. */
static void last(void) {
    burst();
    expect(2, "after a burst");
    life_thread(outlive, NULL);
    life_thread(outlive, &barrier);
    pthread_exit(NULL);
}

static void on(void) {
    expect(2, "from the start");
    size_t before = life_resident_kib();
    burst();
    await_rest(before);
    expect(2, "at the end");
}

static void off(void) {
    burst();
    expect(1, "although it is off");
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {{"idle", idle},
                 {"threads", in_threads},
                 {"callback", callback},
                 {"handler", handler},
                 {"sandbox", sandbox},
                 {"namespace", namespace},
                 {"vfork", vforked},
                 {"fork", forked},
                 {"last", last},
                 {"on", on},
                 {"off", off}};
    life_start(60);
    if (life_emulated()) life_skip("an emulator has threads of its own");
    memset(blocks, 1, sizeof blocks); /* resident from the start */
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        if (argc < 2 || strcmp(argv[1], tests[i].name) != 0) continue;
        tests[i].run();
        return 0;
    }
    life_fail("background: which test?");
}
