/* SPDX-License-Identifier: MIT
 *
 * The background thread.  Header: policy/background.h.
 *
 * Concurrency: all turns on background_word.  Who presses changes it after what is free was marked
 * dirty; the thread falls asleep by a compare-and-swap after it has looked: one of them sees the
 * other.
 */
#include "policy/background.h"

#include "base/counter.h"
#include "config/option.h"
#include "heap/thread_heap.h"
#include "heap/visit.h"
#include "large/bigcache.h"
#include "os/barrier.h"
#include "os/clock.h"
#include "os/helper.h"
#include "os/stack.h"
#include "os/thread.h"
#include "policy/bound.h"
#include "policy/release.h"

/* So many bytes are worth a thread; if it is the first one besides the program's own, so many, and
 * this share of all that is mapped. */
#define BACKGROUND_NEED       ((size_t)2 << 20)
#define BACKGROUND_NEED_FIRST ((size_t)4 << 20)
#define BACKGROUND_SHARE      8u

/* After a refusal the next attempt waits, twice as long each time. */
#define BACKGROUND_RETRY_MS     1u
#define BACKGROUND_RETRY_MS_MAX 64u

/* Looks: so many in a delay; less and less often when nothing changes any more. */
#define BACKGROUND_LOOKS       8u
#define BACKGROUND_LOOK_MS_MIN (HAK_STRESS ? 1u : 10u)
#define BACKGROUND_LOOK_MS_MAX (HAK_STRESS ? 1u : 1000u)
/* If nothing has changed for so long, nothing will: longer than any finite policy step. */
#define BACKGROUND_PATIENCE_MS 12000u

/* A process that uses less than this share of a processor is idle. */
#define BACKGROUND_IDLE_SHARE 32u

/* In an idle process magazines are emptied after this share of the time for which pages are kept:
 * they can be purged when that is over. */
#define BACKGROUND_EMPTY_SHARE 8u

/* For so long, at least, a thread is in no slow path before something is taken from it. */
#define BACKGROUND_QUIET_MS_MIN (HAK_STRESS ? 0u : 100u)

/* For so long a release waits for a look, and so often. */
#define BACKGROUND_LOOK_AWAIT_MS 100u
#define BACKGROUND_LOOKS_AWAITED 3u

enum background_state {
    BACKGROUND_NONE,
    BACKGROUND_AWAKE,   /* or starting */
    BACKGROUND_PRESSED, /* awake, and must look again before it may sleep */
    BACKGROUND_ASLEEP
};

/* atomic: the generation of the process << 2 | state.  Another generation: none. */
static _Atomic uint32_t background_word;

static _Atomic bool background_forbidden; /* atomic, seq_cst: there is to be none any more */
static _Atomic bool background_leaves;    /* atomic, relaxed: it is to end, for now */

/* Looks begun and ended: odd while one is under way.  Written by the thread alone.  atomic,
 * seq_cst: who finds something in the hands of a look sees here that there is one */
static _Atomic uint32_t background_looks;

/* atomic, relaxed: all.  No attempt before that; how long the wait was; was one left out? */
static _Atomic uint64_t background_retry_at;
static _Atomic uint32_t background_retry_ms;
static _Atomic bool background_missed;
/* atomic, relaxed: before hak_purge_noted says so, there can't be enough to do */
static _Atomic uint32_t background_enough_at;

static uint32_t background_make(enum background_state state) {
    return hak_fork_generation() << 2 | (uint32_t)state;
}

static enum background_state background_state_of(uint32_t word) {
    return (word ^ hak_fork_generation() << 2) <= 3 ? (enum background_state)(word & 3)
                                                    : BACKGROUND_NONE;
}

/* seq_cst: what was freed before a press is seen by the look after it; and a start and an end at
 * once see each other (background_forbidden) */
static bool background_move(uint32_t from, enum background_state to) {
    return atomic_compare_exchange_strong_explicit(&background_word, &from, background_make(to),
                                                   memory_order_seq_cst, memory_order_relaxed);
}

static void background_set_none(void) {
    atomic_store_explicit(&background_word, background_make(BACKGROUND_NONE), memory_order_seq_cst);
}

static uint32_t background_load(void) {
    return atomic_load_explicit(&background_word, memory_order_seq_cst);
}

/* ---- The thread ------------------------------------------------------------------------------ */

struct background_pace {
    uint64_t cpu_ns;
    uint64_t looked_ms;  /* the last look; 0: there was none */
    uint64_t changed_ms; /* when `left` was another */
    size_t left;         /* bytes that were not given back */
    uint32_t pause_ms;   /* until the next look */
};

static uint32_t background_first_pause(int64_t delay_ms) {
    int64_t pause = delay_ms / BACKGROUND_LOOKS;
    if (pause < BACKGROUND_LOOK_MS_MIN) return BACKGROUND_LOOK_MS_MIN;
    return pause < BACKGROUND_LOOK_MS_MAX ? (uint32_t)pause : BACKGROUND_LOOK_MS_MAX;
}

/* Has the process been idle since the last look?  (What this thread does itself says nothing.) */
static bool background_is_idle(struct background_pace *pace, uint64_t now_ms) {
    uint64_t cpu_ns = hak_clock_others_cpu_ns();
    int64_t used = (int64_t)(cpu_ns - pace->cpu_ns);
    int64_t passed = (int64_t)(now_ms - pace->looked_ms) * 1000000;
    pace->cpu_ns = cpu_ns;
    return pace->looked_ms && used < passed / BACKGROUND_IDLE_SHARE;
}

/* What can be given back, now or later. */
static size_t background_left(void) {
    return hak_purge_dirty() + hak_bigcache_bytes();
}

/* Works for the heaps of threads that sleep.  True: others may come to sleep. */
static bool background_visit(uint64_t now_ms, uint32_t age_ms, bool idle) {
    size_t empty_ms = idle ? age_ms / BACKGROUND_EMPTY_SHARE : age_ms, thin_ms = age_ms;
    if (HAK_STRESS) empty_ms = thin_ms = 0;
    return hak_visit_quiet((uint32_t)now_ms,
                           (uint32_t)hak_max_size(empty_ms, BACKGROUND_QUIET_MS_MIN),
                           (uint32_t)hak_max_size(thin_ms, BACKGROUND_QUIET_MS_MIN));
}

/* Gives back what is due.  False: there is nothing more to be done. */
static bool background_look(struct background_pace *pace) {
    uint64_t now = hak_clock_ms();
    hak_bound_look(now, false);
    int64_t delay = hak_purge_delay_ms();
    if (delay < 0) return false;
    bool idle = background_is_idle(pace, now);
    uint32_t age = (uint32_t)(idle ? delay / 2 : delay);
    bool more = background_visit(now, age, idle);
    hak_release_look(now, age, idle);
    size_t left = background_left();
    bool changed = left != pace->left || !pace->looked_ms;
    uint32_t first = background_first_pause(delay);
    pace->left = left;
    pace->looked_ms = now;
    if (changed) {
        pace->changed_ms = now;
        pace->pause_ms = first;
    } else if (now - pace->changed_ms > (uint64_t)delay &&
               pace->pause_ms < BACKGROUND_LOOK_MS_MAX) {
        pace->pause_ms *= 2;
    }
    return more || (left && now - pace->changed_ms < BACKGROUND_PATIENCE_MS + (uint64_t)delay);
}

/* Waits for the next look; or, if there is nothing to do, for pressure. */
static void background_wait(struct background_pace *pace, bool work) {
    uint32_t word = background_load();
    if (work || !background_move(background_make(BACKGROUND_AWAKE), BACKGROUND_ASLEEP)) {
        hak_helper_wait(&background_word, word, pace->pause_ms);
        background_move(background_make(BACKGROUND_PRESSED), BACKGROUND_AWAKE);
        return;
    }
    while (background_load() == background_make(BACKGROUND_ASLEEP))
        hak_helper_wait(&background_word, background_make(BACKGROUND_ASLEEP), 0);
    pace->looked_ms = 0; /* what has been used in the meantime says nothing */
}

static bool background_is_wanted(void) {
    return hak_option_int(HAK_OPTION_BACKGROUND) != HAK_BACKGROUND_OFF &&
           !atomic_load_explicit(&background_forbidden, memory_order_seq_cst);
}

static bool background_goes_on(void) {
    return background_is_wanted() &&
           !atomic_load_explicit(&background_leaves, memory_order_relaxed);
}

/* A fork may have left a look that never ends. */
static void background_looking(bool on) {
    uint32_t looks = atomic_load_explicit(&background_looks, memory_order_relaxed);
    atomic_store_explicit(&background_looks, looks + ((looks & 1) != on), memory_order_seq_cst);
}

static void background_run(void) {
    struct background_pace pace = {.pause_ms = background_first_pause(hak_purge_delay_ms())};
    if (hak_helper_is_ordinary()) hak_barrier_begin(); /* without, it visits no heap */
    bool work = true;
    background_looking(false);
    while (background_goes_on()) {
        background_wait(&pace, work);
        if (!background_goes_on()) break;
        background_looking(true);
        work = background_look(&pace);
        background_looking(false);
    }
    background_set_none();
}

/* ---- Beside it ------------------------------------------------------------------------------ */

/* Waits until a look that is under way has ended, or for long enough.  Returns background_looks. */
static uint32_t background_await_look(void) {
    for (unsigned ms = 0;; ms++) {
        uint32_t looks = atomic_load_explicit(&background_looks, memory_order_seq_cst);
        if (!(looks & 1) || ms == BACKGROUND_LOOK_AWAIT_MS || hak_fork_pending() ||
            background_state_of(background_load()) == BACKGROUND_NONE) {
            return looks; /* in a child that has not noted that it is one, there is no thread */
        }
        hak_helper_wait(&background_looks, looks, 1);
    }
}

size_t hak_background_release(void) {
    size_t bytes = 0;
    for (unsigned tries = 0; tries < BACKGROUND_LOOKS_AWAITED; tries++) {
        uint32_t looks = background_await_look();
        bytes += hak_release_all();
        if (atomic_load_explicit(&background_looks, memory_order_seq_cst) == looks) break;
    }
    return bytes;
}

/* ---- Waking and ending it -------------------------------------------------------------------- */

/* If there is one: it looks again, or is woken. */
static uint32_t background_wake(void) {
    uint32_t word = background_load();
    while (background_state_of(word) == BACKGROUND_AWAKE &&
           !background_move(word, BACKGROUND_PRESSED)) {
        word = background_load();
    }
    if (background_state_of(word) == BACKGROUND_ASLEEP && background_move(word, BACKGROUND_AWAKE))
        hak_helper_wake(&background_word);
    return word;
}

/* It has been told to end: waits until it is gone. */
static void background_await_end(void) {
    for (;;) {
        uint32_t word = background_load();
        enum background_state state = background_state_of(word);
        if (state == BACKGROUND_NONE && hak_helper_has_ended()) return;
        if (state != BACKGROUND_NONE && background_move(word, BACKGROUND_PRESSED))
            hak_helper_wake(&background_word);
        hak_helper_wait(&background_word, background_load(), 1);
    }
}

/* A thread has left its heap, and so many have one.  libc ends the process with its last thread:
 * that must not be this one. */
static void background_thread_left(uint32_t heaps) {
    if (heaps) {
        /* What the thread has given back; there is no slow path that would say so. */
        if (atomic_load_explicit(&hak_purge_pressure, memory_order_acquire)) background_wake();
    } else {
        atomic_store_explicit(&background_leaves, true, memory_order_relaxed);
        background_await_end();
    }
}

/* ---- Starting it ----------------------------------------------------------------------------- */

static void background_refused(uint64_t now_ms) {
    uint32_t wait = atomic_load_explicit(&background_retry_ms, memory_order_relaxed) * 2;
    if (wait < BACKGROUND_RETRY_MS) wait = BACKGROUND_RETRY_MS;
    if (wait > BACKGROUND_RETRY_MS_MAX) wait = BACKGROUND_RETRY_MS_MAX;
    atomic_store_explicit(&background_retry_ms, wait, memory_order_relaxed);
    atomic_store_explicit(&background_retry_at, now_ms + wait, memory_order_relaxed);
}

/* There is none: `word`. */
static bool background_start(uint32_t word) {
    if (!hak_helper_may_start()) return false;
    if (!background_move(word, BACKGROUND_AWAKE)) return true; /* another thread starts it */
    atomic_store_explicit(&background_leaves, false, memory_order_relaxed);
    atomic_store_explicit(&hak_thread_heap_left, background_thread_left, memory_order_relaxed);
    /* Again, after the move: who forbids it looks at the word after that. */
    if (background_is_wanted() && hak_helper_start(background_run)) return true;
    background_set_none();
    return false;
}

static size_t background_need(void) {
    if (HAK_STRESS) return 0;
    if (!hak_helper_would_be_second()) return BACKGROUND_NEED;
    size_t mapped = hak_counter_read(&hak_counters.mapped_bytes);
    return hak_max_size(BACKGROUND_NEED_FIRST, mapped / BACKGROUND_SHARE);
}

/* Is enough free?  If not, nobody has to look again before so much more has become free. */
static bool background_is_worth_it(void) {
    uint32_t noted = hak_purge_noted();
    uint32_t enough = atomic_load_explicit(&background_enough_at, memory_order_relaxed);
    if ((int32_t)(noted - enough) < 0) return false;
    size_t need = background_need(), there = background_left();
    if (there >= need) return true;
    uint32_t units = (uint32_t)hak_min_size((need - there) >> HAK_UNIT_SHIFT, INT32_MAX);
    atomic_store_explicit(&background_enough_at, noted + units, memory_order_relaxed);
    return false;
}

static void background_try(uint32_t word) {
    uint64_t now = hak_clock_ms();
    if (!background_is_wanted() || hak_purge_delay_ms() < 0) return;
    if (now < atomic_load_explicit(&background_retry_at, memory_order_relaxed)) {
        atomic_store_explicit(&background_missed, true, memory_order_relaxed);
        return;
    }
    if (!background_is_worth_it()) return;
    if (!hak_helper_is_plain() || !hak_stack_is_programs() || !background_start(word))
        background_refused(now);
}

/* The process has grown: is that too much? */
static void background_grown(void) {
    uint64_t now = hak_clock_ms();
    if (!hak_bound_look(now, true)) return;
    hak_release_now(now);
    background_wake(); /* for what other threads keep */
}

void hak_background_press(void) {
    /* acquire: pairs with the release in purge_press */
    uint32_t what = atomic_exchange_explicit(&hak_purge_pressure, 0, memory_order_acquire);
    if (what & HAK_PURGE_GROWN) background_grown();
    if (!(what & HAK_PURGE_FREED)) return;
    uint32_t word = background_wake();
    if (background_state_of(word) == BACKGROUND_NONE) background_try(word);
}

void hak_background_remind(uint64_t now_ms) {
    if (background_state_of(background_load()) == BACKGROUND_ASLEEP) hak_purge_press();
    if (atomic_load_explicit(&background_missed, memory_order_relaxed) &&
        now_ms >= atomic_load_explicit(&background_retry_at, memory_order_relaxed)) {
        atomic_store_explicit(&background_missed, false, memory_order_relaxed);
        hak_purge_press();
    }
}

static __attribute__((noinline)) void background_begin(void) {
    uint32_t word = background_load();
    if (background_state_of(word) == BACKGROUND_NONE) background_start(word);
}

HAK_STARTUP void hak_background_begin(void) {
    if (hak_option_int(HAK_OPTION_BACKGROUND) == HAK_BACKGROUND_ON) background_begin();
}

void hak_background_end(void) {
    if (!atomic_load_explicit(&background_forbidden, memory_order_seq_cst)) {
        /* Between vfork and exec it would be the parent's that ends.  A child that has done nothing
         * yet has not noted that it is one. */
        if (!hak_helper_may_start() && !hak_fork_pending()) return;
        atomic_store_explicit(&background_forbidden, true, memory_order_seq_cst);
        hak_bound_end();
    }
    background_await_end();
}
