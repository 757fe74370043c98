/* SPDX-License-Identifier: MIT
 *
 * Prints the instructions that malloc and free execute on a hit: a child process warms a class up
 * and calls each once; its parent executes it one instruction at a time.  Run with the allocator
 * preloaded.  For each call one line
 *     NAME(SIZE) OUTSIDE OFFSET OFFSET ...
 * with the offsets (as in the library's file) of the instructions executed in the library that
 * defines malloc, and the number of those executed neither there nor in this program.
 *
 * Exit status 77: not x86-64, or the system does not let a process trace its child.
 */
#include <stdio.h>

#if !defined(__x86_64__)

int main(void) {
    puts("x86-64 only");
    return 77;
}

#else

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_MAX  4096 /* recorded of one call: more is no hit */
#define WARM_UP    4    /* blocks held at once while warming up */
#define WARM_TURNS 64

static const size_t sizes[] = {16, 64, 1000, 4096, 32768};

enum { SIZES = sizeof sizes / sizeof *sizes };

/* The code of the object that defines an address. */
struct code {
    uintptr_t address; /* in: looked for */
    uintptr_t base;    /* what the offsets in its file count from */
    uintptr_t start, end;
};

static int find_code(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    struct code *code = argument;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        uintptr_t end = start + segment->p_memsz;
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) && start <= code->address &&
            code->address < end) {
            *code = (struct code){code->address, info->dlpi_addr, start, end};
            return 1;
        }
    }
    return 0;
}

/* A breakpoint: tells the parent that a measured call begins or ends. */
static void mark(void) {
    __asm__ volatile("int3" ::: "memory");
}

static void child(void *(*allocate)(size_t), void (*release)(void *)) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(77);
    mark(); /* the parent takes over here */
    for (int i = 0; i < SIZES; i++) {
        for (int turn = 0; turn < WARM_TURNS; turn++) {
            void *blocks[WARM_UP];
            for (int k = 0; k < WARM_UP; k++) blocks[k] = allocate(sizes[i]);
            for (int k = 0; k < WARM_UP; k++) release(blocks[k]);
        }
        mark();
        void *block = allocate(sizes[i]);
        mark();
        mark();
        release(block);
        mark();
    }
    _exit(0);
}

/* Waits for the child's next stop.  Ends this process if it is not a trap. */
static int next_stop(pid_t pid) {
    int status;
    siginfo_t info;
    if (waitpid(pid, &status, 0) != pid) exit(1);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        puts("ptrace is not allowed here");
        exit(77);
    }
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP ||
        ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) != 0) {
        printf("the traced process stopped or ended with wait status 0x%x\n", (unsigned)status);
        exit(1);
    }
    return info.si_code;
}

/* Prints the instructions between two marks. */
static void trace_call(pid_t pid, const char *name, size_t size, const struct code *library,
                       const struct code *program) {
    static uintptr_t steps[STEPS_MAX];
    size_t count = 0, outside = 0;

    ptrace(PTRACE_CONT, pid, NULL, NULL);
    next_stop(pid);
    do {
        long rip = ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), NULL);
        uintptr_t at = (uintptr_t)rip;
        if (at >= library->start && at < library->end) {
            if (count < STEPS_MAX) steps[count++] = at - library->base;
        } else if (at < program->start || at >= program->end) {
            outside++;
        }
        ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
    } while (next_stop(pid) == TRAP_TRACE);

    printf("%s(%zu) %zu", name, size, outside);
    for (size_t i = 0; i < count; i++) printf(" %lx", (unsigned long)steps[i]);
    putchar('\n');
}

int main(void) {
    void *(*allocate)(size_t);
    void (*release)(void *);
    *(void **)&allocate = dlsym(RTLD_DEFAULT, "malloc");
    *(void **)&release = dlsym(RTLD_DEFAULT, "free");
    struct code library = {.address = (uintptr_t)allocate};
    struct code program = {.address = (uintptr_t)mark};
    if (!dl_iterate_phdr(find_code, &library) || !dl_iterate_phdr(find_code, &program)) return 1;

    setvbuf(stdout, NULL, _IOLBF, 0);
    pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid == 0) child(allocate, release);
    next_stop(pid);
    for (int i = 0; i < SIZES; i++) {
        trace_call(pid, "malloc", sizes[i], &library, &program);
        trace_call(pid, "free", sizes[i], &library, &program);
    }
    kill(pid, SIGKILL);
    return 0;
}

#endif
