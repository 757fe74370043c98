/* SPDX-License-Identifier: MIT
 *
 * Makes system calls that manage memory fail, in a real process:
 *   inject N once|from PROGRAM ARGUMENTS...
 *
 * The N-th call of mmap, munmap, mremap, mprotect or madvise fails with ENOMEM, or all from the
 * N-th on; N = 0: none.  Calls count between the program's two markers (workload.c), over all of
 * its threads and children.  At its end it prints "calls C failed F" and has the program's exit
 * status; 128 + s if any process of it was killed by signal s.
 *
 * How: a seccomp filter in the program stops it (SECCOMP_RET_TRACE) at those calls only, so that
 * all others run at full speed; the tracer replaces the call's number by one that does nothing and
 * sets the result.  x86-64.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "marker.h"

enum { SKIPPED = 77 };

static _Noreturn void cannot(const char *what) {
    fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
    exit(SKIPPED);
}

/* ---- In the program's process, before it is executed */

#define TRACE(number)                                    \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE)

static void install_filter(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        TRACE(SYS_mmap),
        TRACE(SYS_munmap),
        TRACE(SYS_mremap),
        TRACE(SYS_mprotect),
        TRACE(SYS_madvise),
        TRACE(MARKER_CALL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        cannot("seccomp");
}

static _Noreturn void execute(char **arguments) {
    raise(SIGSTOP); /* until the tracer is there */
    install_filter();
    execv(arguments[0], arguments);
    cannot(arguments[0]);
}

/* ---- In the tracer */

static unsigned long fail_at, calls, failed;
static bool from, active;

/* A process is stopped before one of the calls of the filter. */
static void judge_call(pid_t pid) {
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &registers) != 0) return; /* killed meanwhile */
    if (registers.orig_rax == MARKER_CALL) {
        if (registers.rdi == MARKER_ON || registers.rdi == MARKER_OFF)
            active = registers.rdi == MARKER_ON;
        return;
    }
    if (!active) return;
    calls++;
    if (fail_at == 0 || (from ? calls < fail_at : calls != fail_at)) return;
    failed++;
    registers.orig_rax = (unsigned long long)-1; /* no system call */
    registers.rax = (unsigned long long)-ENOMEM;
    ptrace(PTRACE_SETREGS, pid, NULL, &registers);
}

/* Lets a stopped process go on, after whatever it was stopped for. */
static void handle_stop(pid_t pid, int status) {
    int signal_number = WSTOPSIG(status), event = status >> 16;
    if (event == PTRACE_EVENT_SECCOMP) judge_call(pid);
    ptrace(PTRACE_CONT, pid, NULL, (void *)(long)(event ? 0 : signal_number));
}

/* Follows the program, its threads and children to their end; returns the exit status. */
static int follow(pid_t program) {
    int result = 0, killed = 0, status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        if (WIFSTOPPED(status)) {
            handle_stop(pid, status);
        } else if (WIFSIGNALED(status)) {
            fprintf(stderr, "inject: process %d was killed by signal %d\n", pid, WTERMSIG(status));
            killed = 128 + WTERMSIG(status);
        } else if (pid == program) {
            result = WEXITSTATUS(status);
        }
    }
    return killed ? killed : result;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    fail_at = strtoul(argv[1], NULL, 10);
    from = strcmp(argv[2], "from") == 0;
    pid_t program = fork();
    int status;
    if (program == 0) execute(argv + 3);
    if (program < 0 || waitpid(program, &status, WUNTRACED) != program) cannot("fork");
    long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SEIZE, program, NULL, (void *)options) != 0) {
        kill(program, SIGKILL);
        cannot("ptrace");
    }
    kill(program, SIGCONT);
    int result = follow(program);
    printf("calls %lu failed %lu\n", calls, failed);
    return result;
}
