/* SPDX-License-Identifier: MIT
 *
 * An untimed run under a tracer: ptrace(2) stops the program only at system calls for memory, which
 * a seccomp filter picks, at new processes and threads, and at ends.  The tracer is a process of
 * its own: when it ends, the kernel ends all that it traces (PTRACE_O_EXITKILL).
 *
 * Where tracing is forbidden the program runs all the same, and nothing is counted.
 */
#include "compare.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_LEFT_S 1 /* what the program leaves running may go on for so long */

#if defined(__x86_64__)
#define LOOK_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define LOOK_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define LOOK_ARCH AUDIT_ARCH_RISCV64
#else
#define LOOK_ARCH 0 /* nothing is counted */
#endif

static const int look_number[LOOK_CALLS] = {
    [LOOK_MMAP] = SYS_mmap,       [LOOK_MUNMAP] = SYS_munmap, [LOOK_MREMAP] = SYS_mremap,
    [LOOK_MADVISE] = SYS_madvise, [LOOK_BRK] = SYS_brk,       [LOOK_MPROTECT] = SYS_mprotect,
};

/* ---- In the program, before it becomes itself ------------------------------------------------ */

/* From here on each call of look_number[] stops with its index as the event's message. */
static bool look_filter(void) {
    struct sock_filter code[4 + 2 * LOOK_CALLS + 1];
    size_t at = 0;
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                              offsetof(struct seccomp_data, arch));
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LOOK_ARCH, 1, 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                              offsetof(struct seccomp_data, nr));
    for (uint32_t call = 0; call < LOOK_CALLS; call++) {
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                  (uint32_t)look_number[call], 0, 1);
        code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | call);
    }
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {(unsigned short)at, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static _Noreturn void look_become(const struct process *process, int go) {
    char traced = 0;
    if (read(go, &traced, 1) != 1) _exit(127);
    close(go);
    if (traced && !look_filter()) _exit(127);
    process_become(process);
}

/* ---- In the tracer --------------------------------------------------------------------------- */

/* A thread is about to end; only the first of a process stands for it. */
static void look_end(struct look *look, pid_t pid) {
    char text[4096];
    if (!tree_read(pid, "status", text, sizeof text) || tree_number(text, "Tgid:") != pid) return;
    const double peak = tree_number(text, "VmHWM:");
    if (peak < look->peak_kib) return;
    look->peak_kib = peak;
    look->final_kib = tree_number(text, "VmRSS:");
}

/* What PTRACE_SEIZE reports of a stopped thread; lets it go on. */
static void look_stop(struct look *look, pid_t pid, int status) {
    const int event = status >> 16, number = WSTOPSIG(status);
    unsigned long message = 0;
    long deliver = 0;
    switch (event) {
    case PTRACE_EVENT_SECCOMP:
        ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message);
        if (message < LOOK_CALLS) look->calls[message]++;
        break;
    case PTRACE_EVENT_EXIT:
        look_end(look, pid);
        break;
    case PTRACE_EVENT_STOP:
        if (number == SIGTRAP) break;
        ptrace(PTRACE_LISTEN, pid, NULL, NULL); /* stopped by a signal, and stays so */
        return;
    case 0:
        deliver = number;
        break;
    default: /* fork, clone: the new one reports itself */
        break;
    }
    ptrace(PTRACE_CONT, pid, NULL, deliver);
}

/* Until nothing is left of the program, or the alarm ends the tracer, and with it what is left. */
static void look_watch(struct look *look) {
    for (;;) {
        int status;
        const pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR) continue;
        if (pid < 0) return;
        if (WIFSTOPPED(status)) {
            look_stop(look, pid, status);
        } else if (pid == look->pid) {
            look->status = status;
            look->ended = true;
            alarm(LOOK_LEFT_S);
        }
    }
}

static _Noreturn void look_trace(const struct process *process, struct look *look, bool trace) {
    int go[2];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pipe2(go, O_CLOEXEC) != 0) _exit(1);
    const pid_t pid = fork();
    if (pid < 0) _exit(1);
    if (pid == 0) {
        close(go[1]);
        look_become(process, go[0]);
    }
    close(go[0]);
    setpgid(pid, pid);
    const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESECCOMP |
                         PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
    look->traced = trace && LOOK_ARCH != 0 && ptrace(PTRACE_SEIZE, pid, NULL, options) == 0;
    look->pid = pid;
    const char traced = (char)look->traced;
    if (write(go[1], &traced, 1) != 1) _exit(1);
    close(go[1]);
    look_watch(look);
    _exit(0);
}

pid_t look_start(const struct process *process, struct look *look, bool trace) {
    memset(look, 0, sizeof *look);
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) look_trace(process, look, trace);
    if (pid > 0) process_note(0, pid);
    return pid;
}
