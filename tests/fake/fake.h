/* SPDX-License-Identifier: MIT
 *
 * A kernel, a clock and threads that do as they are told.  They define every function of
 * src/os/page.h, clock.h and thread.h, over real memory, so that the engine works on them as it is.
 *
 *   pages    A reserved range of address space.  Mapped pages can be used; others are protected, so
 *            that a use after unmapping crashes, and are not mapped again (fake_page_reuse changes
 *            that).  A call that the kernel would refuse (to unmap or purge what is not mapped, an
 *            odd size) ends the process.  Any call can be made to fail.
 *   clock    Stands still until it is set.
 *   helper   The allocator's own thread: never runs unless the test does it.
 *   barrier  One in all threads, of which there is one.
 *   threads  A thread is simulated by what the engine keeps for one (struct fake_thread): one test
 *            can play several by switching between them.  Real threads work too; each ends with
 *            fake_thread_end().  A fork is seen when fake_fork() says so.
 *
 * Concurrency: the functions of src/os/ may be called from any thread and order nothing among
 * threads (relaxed atomics, no lock), so that a race detector sees the engine's own order only.
 * Those that give orders or answers here are for one thread.
 */
#ifndef HAK_TESTS_FAKE_FAKE_H
#define HAK_TESTS_FAKE_FAKE_H

#include "heap/heap.h"
#include "os/page.h"

/* ---- Pages ----------------------------------------------------------------------------------- */

enum fake_call {
    FAKE_MAP,      /* hak_page_map for HAK_PAGE_HEAP ... */
    FAKE_MAP_META, /* ... and for HAK_PAGE_META */
    FAKE_UNMAP,
    FAKE_PURGE,      /* hak_page_purge for HAK_PAGE_HEAP ... */
    FAKE_PURGE_META, /* ... and for HAK_PAGE_META */
    FAKE_RESIZE,
    FAKE_MOVE,
    FAKE_ADVISE, /* hak_page_avoid_huge: its failure has no effect */
    FAKE_POPULATE,
    FAKE_OFFER,
    FAKE_WIPE, /* hak_page_map_wiped */
    FAKE_CALLS
};

#define FAKE_BIT(call) (1u << (call))
#define FAKE_ALL       ((1u << FAKE_CALLS) - 1)
#define FAKE_FOR_EVER  (~0ul)

/* 4, 16 or 64 KiB; before the engine's first call. */
void fake_page_size(size_t bytes);

/* Of the calls of these kinds (FAKE_BIT), `count` fail from the nth on, 1 being the next one. */
void fake_page_fail(unsigned kinds, unsigned long nth, unsigned long count);
void fake_page_fail_never(void);

/* Mappings fail that would make more than `bytes` of them (as RLIMIT_AS does); 0: no limit. */
void fake_page_limit(size_t bytes);

/* Calls that were made to fail since the last fake_page_fail; all calls of one kind, since ever. */
unsigned long fake_page_failures(void);
unsigned long fake_page_calls(enum fake_call call);

/* The log: the call made `back` calls ago (0: the last one), of one kind or of any (FAKE_CALLS). */
struct fake_entry {
    enum fake_call call;
    char *start;
    size_t bytes;
    bool worked;
};
struct fake_entry fake_page_log(enum fake_call call, unsigned back);

/* Bytes now mapped, for one use. */
size_t fake_page_mapped(enum hak_page_use use);

/* Are all pages of the range mapped? */
bool fake_page_is_mapped(const void *start, size_t bytes);

/* Unmapped pages may be mapped again, lowest first.  Off at the start. */
void fake_page_reuse(bool on);

/* Where the next mapping is looked for: `bytes` after the start of some 4 GiB of address space, so
 * that a test can put a mapping on the border of two leaves of the page map. */
void fake_page_place(size_t bytes);

/* Called, if set, when code that is not to be looked at begins (true) and ends (step.h). */
extern void (*fake_hook)(bool begins);

/* What hak_page_touch takes a page, and hak_page_touch_huge in all; 0, as at the start: it is
 * refused.  How often the latter was called, and for what the last time. */
void fake_touch_costs(uint64_t page_ns, uint64_t huge_ns);
unsigned fake_touch_calls(void);
char *fake_touch_last(void);

/* ---- Clock ----------------------------------------------------------------------------------- */

void fake_clock_set(uint64_t ms);
void fake_clock_advance(uint64_t ms);

/* ---- Threads --------------------------------------------------------------------------------- */

struct fake_thread {
    struct hak_tls tls;    /* while another one runs */
    void (*ended)(void *); /* hak_thread_at_end */
    void *value;
    unsigned ends; /* calls of fake_thread_end */
};

/* Goes on as another thread: a zeroed one is new.  Returns the one that ran until now. */
struct fake_thread *fake_thread_switch(struct fake_thread *to);

/* The running thread ends: calls what was asked for by hak_thread_at_end. */
void fake_thread_end(void);

/* hak_thread_at_end says false (no key left). */
void fake_thread_no_keys(bool on);

/* The process has been forked; the running thread is the one that goes on. */
void fake_fork(void);

/* Calls of hak_fork_arm, and of hak_fork_done. */
unsigned fake_fork_armed(void);
unsigned fake_fork_finished(void);

/* ---- The allocator's own thread -------------------------------------------------------------- */

/* May there be one in this process (hak_helper_may_start); is the stack the program's own; does
 * starting it work?  None of this at the start. */
void fake_helper_allow(bool process, bool stack, bool works);

/* hak_helper_would_be_second.  No at the start. */
void fake_helper_is_second(bool second);

/* The body of one that was started since the last call; NULL: none was.  The test runs it, and is
 * called where it waits: instead of waiting. */
void (*fake_helper_started(void))(void);
void fake_helper_on_wait(void (*wait)(_Atomic uint32_t *word, uint32_t value, uint32_t ms));

/* Calls of hak_helper_wake, and of hak_helper_note. */
unsigned fake_helper_waked(void);
unsigned fake_helper_noted(void);

/* The process has used so much processor time. */
void fake_helper_use_cpu(uint64_t ns);

/* ---- What memory is used --------------------------------------------------------------------- */

/* The process's resident bytes; 0, as at the start: not known. */
void fake_usage_resident(size_t bytes);

/* Its control group's limit (UINT64_MAX, as at the start: none), what it uses, and of 10,000
 * moments those in which its tasks wait. */
void fake_usage_group(uint64_t limit, uint64_t used, uint32_t waits);

/* How often somebody has asked. */
unsigned fake_usage_asked(void);

/* ---- Barriers in all threads ----------------------------------------------------------------- */

/* So many calls of hak_barrier work, and no more. */
void fake_barrier_fail_after(unsigned calls);

/* Called, if set, in each one that works: another thread runs there. */
void fake_barrier_on_call(void (*call)(void));

#endif
