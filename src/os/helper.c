/* SPDX-License-Identifier: MIT
 *
 * Header: os/helper.h.
 */
#include "os/helper.h"

#include "os/futex.h"
#include "os/module.h"
#include "os/syscall.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* A stack has room for the program's thread-local data, too, which may be large. */
#define HELPER_STACK_MIN ((size_t)128 << 10)
#define HELPER_STACK_MAX ((size_t)128 << 20)

/* As many processors as a mask has room for; with more, the kernel refuses. */
#define HELPER_PROCESSORS 8192u

/* Of glibc since 2.32. */
extern char __libc_single_threaded __attribute__((weak));

/* atomic, relaxed: of the thread started last; 0: there was none, or it does not run yet */
static _Atomic long helper_thread;
/* atomic, relaxed: of this process; 0: not noted yet */
static _Atomic long helper_process;

HAK_STARTUP void hak_helper_note(void) {
    atomic_store_explicit(&helper_process, hak_syscall0(SYS_getpid), memory_order_relaxed);
    atomic_store_explicit(&helper_thread, 0, memory_order_relaxed);
}

bool hak_helper_may_start(void) {
    return atomic_load_explicit(&helper_process, memory_order_relaxed) == hak_syscall0(SYS_getpid);
}

bool hak_helper_is_plain(void) {
    const void *libc = hak_module_libc();
    return libc && libc == hak_module_at((uintptr_t)pthread_create);
}

bool hak_helper_would_be_second(void) {
    return &__libc_single_threaded && __libc_single_threaded;
}

/* Who starts it may have a priority, or be bound to processors, that are not meant for this: it
 * runs as the process's first thread does, at ordinary priority. */
static void helper_be_ordinary(void) {
    const struct sched_param none = {0};
    long process = hak_syscall0(SYS_getpid);
    unsigned long processors[HELPER_PROCESSORS / (8 * sizeof(long))];
    if (hak_syscall1(SYS_sched_getscheduler, 0) != SCHED_OTHER)
        hak_syscall3(SYS_sched_setscheduler, 0, SCHED_OTHER, (long)&none);
    long bytes = hak_syscall3(SYS_sched_getaffinity, process, sizeof processors, (long)processors);
    if (bytes > 0) hak_syscall3(SYS_sched_setaffinity, 0, bytes, (long)processors);
    long nice = hak_syscall2(SYS_getpriority, PRIO_PROCESS, process); /* 20 - what libc says */
    if (nice > 0) hak_syscall3(SYS_setpriority, PRIO_PROCESS, 0, 20 - nice);
}

bool hak_helper_is_ordinary(void) {
    long own = hak_syscall2(SYS_getpriority, PRIO_PROCESS, 0);
    long first = hak_syscall2(SYS_getpriority, PRIO_PROCESS, hak_syscall0(SYS_getpid));
    return hak_syscall1(SYS_sched_getscheduler, 0) == SCHED_OTHER && own >= first;
}

static void *helper_main(void *body) {
    atomic_store_explicit(&helper_thread, hak_syscall0(SYS_gettid), memory_order_relaxed);
    hak_syscall2(SYS_prctl, PR_SET_NAME, (long)"hakmem");
    helper_be_ordinary();
    (*(void (**)(void))body)();
    return NULL;
}

static bool helper_create(void *body) {
    pthread_attr_t how;
    pthread_t thread;
    int error = pthread_attr_init(&how);
    if (error) return false;
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    for (size_t stack = HELPER_STACK_MIN; stack <= HELPER_STACK_MAX; stack *= 4) {
        pthread_attr_setstacksize(&how, stack);
        error = pthread_create(&thread, &how, helper_main, body);
        if (error != EINVAL) break;
    }
    pthread_attr_destroy(&how);
    return !error;
}

bool hak_helper_start(void (*body)(void)) {
    static void (*helper_body)(void); /* the same at every call */
    sigset_t all, before;
    int saved = errno;
    helper_body = body;
    atomic_store_explicit(&helper_thread, 0, memory_order_relaxed);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = helper_create(&helper_body);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return started;
}

bool hak_helper_has_ended(void) {
    long thread = atomic_load_explicit(&helper_thread, memory_order_relaxed);
    if (!thread) return true;
    long process = atomic_load_explicit(&helper_process, memory_order_relaxed);
    if (process == hak_syscall0(SYS_getpid) &&
        hak_syscall3(SYS_tgkill, process, thread, 0) != -ESRCH) {
        return false;
    }
    atomic_store_explicit(&helper_thread, 0, memory_order_relaxed); /* the number is used again */
    return true;
}

void hak_helper_wait(_Atomic uint32_t *word, uint32_t value, uint32_t ms) {
    const struct hak_futex_time time = {ms / 1000, ms % 1000 * 1000000L};
    hak_futex_wait(word, value, ms ? &time : NULL);
}

void hak_helper_wake(_Atomic uint32_t *word) {
    hak_futex_wake(word);
}
