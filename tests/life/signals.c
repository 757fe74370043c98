/* SPDX-License-Identifier: MIT
 *
 * Signal handlers that allocate and free, in a storm of signals, while the
 * interrupted code does the same:
 *   signals SIGNALS
 *
 * POSIX forbids it; the allocator must not deadlock all the same, and blocks of size classes that
 * the interrupted code does not use at that moment stay right.  So the handler has its own sizes.
 * (With classes in common no allocator without a lock or restartable code can keep both right.)
 */
#include "life.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>

enum { WORKERS = 2, KEPT = 16, SLOTS = 400 };

static _Atomic unsigned handled;
static _Atomic bool stop;
static _Thread_local void *kept[KEPT]; /* of this thread's handler */
static _Thread_local unsigned handler_calls;
static _Thread_local volatile sig_atomic_t ready;

/* Sizes of the handler: 8000 to 32000 in steps that no size of main's
 * comes near, and a huge one. */
static size_t handler_size(unsigned call) {
    return call % 50 == 49 ? (size_t)3 << 20 : 8000 + 1500 * (call % KEPT);
}

static void handler(int signal_number) {
    (void)signal_number;
    int saved = errno;
    if (ready) {
        unsigned call = handler_calls++;
        life_give(kept[call % KEPT]);
        kept[call % KEPT] = life_take(handler_size(call), call);
        life_give(kept[(call * 5 + 3) % KEPT]);
        kept[(call * 5 + 3) % KEPT] = NULL;
        atomic_fetch_add(&handled, 1);
    }
    errno = saved;
}

/* Sizes of the interrupted code: up to 4000. */
static void *work(void *argument) {
    uint32_t random = *(uint32_t *)argument;
    void *slots[SLOTS] = {NULL};
    ready = 1;
    while (!atomic_load(&stop)) {
        uint32_t draw = life_random(&random);
        life_give(slots[draw % SLOTS]);
        slots[draw % SLOTS] = draw >> 30 ? life_take(16 + (draw >> 12) % 3984, draw) : NULL;
    }
    ready = 0;
    for (size_t i = 0; i < SLOTS; i++) life_give(slots[i]);
    for (size_t i = 0; i < KEPT; i++) life_give(kept[i]);
    return NULL;
}

int main(int argc, char **argv) {
    life_start(1800); /* a million signals take minutes, and more on a busy machine */
    unsigned wanted = (unsigned)life_argument(argc, argv, 1, 20000);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask); /* a handler in a handler would use the same size classes */
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGVTALRM, &action, NULL);

    static uint32_t seeds[WORKERS] = {11, 22};
    pthread_t workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) workers[i] = life_thread(work, &seeds[i]);
    /* A timer that interrupts whoever runs, and signals aimed at each worker. */
    struct itimerval timer = {{0, 300}, {0, 300}};
    setitimer(ITIMER_VIRTUAL, &timer, NULL);
    while (atomic_load(&handled) < wanted) {
        struct timespec pause = {0, 20000};
        for (int i = 0; i < WORKERS; i++) pthread_kill(workers[i], SIGUSR1);
        nanosleep(&pause, NULL);
    }
    memset(&timer, 0, sizeof(timer));
    setitimer(ITIMER_VIRTUAL, &timer, NULL);
    atomic_store(&stop, true);
    for (int i = 0; i < WORKERS; i++) life_join(workers[i]);
    life_say("%u signals handled", atomic_load(&handled));
    return 0;
}
