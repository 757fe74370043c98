/* SPDX-License-Identifier: MIT
 *
 * Single steps by the processor's trap flag.  Header: step.h.
 *
 * The engine's instructions are those in the program's own text; calls of the fake kernel are left
 * out (one call of the real one is one step too), and so is libc.
 */
#include "step.h"

#include "engine.h"

#include <sys/wait.h>
#include <ucontext.h>

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#define STEP_TRAP_FLAG 0x100

struct step_plan {
    void (*operation)(void *argument);
    void (*meanwhile)(void *argument); /* at each place, in the child */
    void (*after)(void *argument);     /* preemption: in the child, when the operation is done */
    bool fork;                         /* else preemption */
};

extern const char __executable_start, etext;

static const struct step_plan *step_plan_now;
static void *step_argument;
static volatile unsigned step_places;
static volatile int step_status; /* of the child that failed, and ... */
static const char *volatile step_failed_at;
static volatile bool step_in_child;

/* The red zone under the stack pointer is left alone. */
static __attribute__((noinline)) void step_arm(void) {
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}

static __attribute__((noinline)) void step_disarm(void) {
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}

static void step_hook(bool begins) {
    if (begins) step_disarm();
    else step_arm();
}

/* The ModRM byte at `at` names memory, and not a place relative to the stack pointer. */
static bool step_names_memory(const unsigned char *at) {
    if (at[0] >> 6 == 3) return false;
    return (at[0] & 7) != 4 || (at[1] & 7) != 4;
}

static bool step_two_byte_touches(const unsigned char *at) {
    switch (*at) {
    case 0x05: /* syscall */
        return true;
    case 0x0d: /* prefetch */
    case 0x18:
    case 0x1f: /* nop */
        return false;
    case 0x38:
    case 0x3a:
        return step_names_memory(at + 2);
    default:
        if (*at >= 0x80 && *at <= 0x8f) return false; /* jumps */
        if (*at >= 0xc8 && *at <= 0xcf) return false; /* bswap */
        return step_names_memory(at + 1);
    }
}

/* Does the instruction read or write memory other than the stack?  Between two that do, one place
 * is as good as another.  Of doubtful ones it is said that they do. */
static bool step_touches_memory(const unsigned char *at) {
    while (*at == 0x66 || *at == 0xf0 || *at == 0xf2 || *at == 0xf3 || *at == 0x2e || *at == 0x3e ||
           *at == 0x64 || *at == 0x65 || (*at >= 0x40 && *at <= 0x4f)) {
        at++;
    }
    unsigned char code = *at;
    if (code == 0x0f) return step_two_byte_touches(at + 1);
    if (code < 0x40) return (code & 7) < 4 && step_names_memory(at + 1);
    if (code == 0x63 || code == 0x69 || code == 0x6b) return step_names_memory(at + 1);
    if (code < 0x80 || code == 0x8d) return false; /* push, pop, jumps, lea */
    if (code < 0x90) return step_names_memory(at + 1);
    if (code < 0xa0 || code == 0xa8 || code == 0xa9) return false;
    if (code < 0xb0) return true; /* string instructions */
    if (code < 0xc0 || code == 0xc2 || code == 0xc3 || code == 0xc9) return false;
    if (code == 0xc4 || code == 0xc5) return true; /* vector instructions */
    if (code == 0xe8 || code == 0xe9 || code == 0xeb) return false;
    return step_names_memory(at + 1);
}

static void step_child(ucontext_t *context) {
    context->uc_mcontext.gregs[REG_EFL] &= ~STEP_TRAP_FLAG;
    fake_hook = NULL;
    step_in_child = true;
    step_plan_now->meanwhile(step_argument);
    if (step_plan_now->fork) _exit(0);
}

static void step_trap(int signal_number, siginfo_t *info, void *where) {
    ucontext_t *context = where;
    const char *at = (const char *)context->uc_mcontext.gregs[REG_RIP];
    int status = -1;
    (void)signal_number;
    (void)info;
    if (at < &__executable_start || at >= &etext) return; /* libc */
    if (!step_touches_memory((const unsigned char *)at)) return;
    step_places++;
    pid_t child = _Fork();
    if (child == 0) {
        step_child(context);
        return;
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        step_status = status;
        step_failed_at = at;
        context->uc_mcontext.gregs[REG_EFL] &= ~STEP_TRAP_FLAG;
        fake_hook = NULL;
    }
}

bool step_possible(void) {
    return true;
}

static void step_run(const struct step_plan *plan, void *argument) {
    struct sigaction action = {.sa_sigaction = step_trap, .sa_flags = SA_SIGINFO}, old;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTRAP, &action, &old);
    step_plan_now = plan;
    step_argument = argument;
    step_places = 0;
    step_status = 0;
    fflush(NULL);
    fake_hook = step_hook;
    step_arm();
    plan->operation(argument);
    step_disarm();
    fake_hook = NULL;
    if (step_in_child) {
        plan->after(argument);
        _exit(0);
    }
    sigaction(SIGTRAP, &old, NULL);
    if (step_status) {
        fail_msg("at place %u (addr2line 0x%lx): wait status 0x%x", step_places,
                 (unsigned long)(step_failed_at - &__executable_start), (unsigned)step_status);
    }
    print_message("%u places\n", step_places);
}

void step_fork(void (*operation)(void *), void (*child)(void *), void *argument) {
    struct step_plan plan = {operation, child, NULL, true};
    step_run(&plan, argument);
}

void step_preempt(void (*operation)(void *), void (*meanwhile)(void *), void (*after)(void *),
                  void *argument) {
    struct step_plan plan = {operation, meanwhile, after, false};
    step_run(&plan, argument);
    after(argument);
}

#else

bool step_possible(void) {
    return false;
}

void step_fork(void (*operation)(void *), void (*child)(void *), void *argument) {
    (void)operation;
    (void)child;
    (void)argument;
    skip();
}

void step_preempt(void (*operation)(void *), void (*meanwhile)(void *), void (*after)(void *),
                  void *argument) {
    (void)after;
    step_fork(operation, meanwhile, argument);
}

#endif
