/* SPDX-License-Identifier: MIT
 *
 * Header: observe/wrapper.h.
 */
#include "observe/wrapper.h"

#include <string.h>

#define WRAPPER_FIRST  16u /* calls that are not looked at: so few do not matter */
#define WRAPPER_LOOKS  64u
#define WRAPPER_DEPTH  4u /* wrappers of wrappers */
#define WRAPPER_OWN    8u /* frames of this library, up to the function that was called */
#define WRAPPER_SHIFT  6  /* places for the rules of those, as a power of two */
#define WRAPPER_PROBES 8u

/* A return address in this library.  atomic, relaxed: both; the address is set once, and the rule
 * as in struct hak_site_wrapper. */
struct wrapper_own {
    _Atomic uintptr_t pc;
    _Atomic uint64_t rule;
};

static struct wrapper_own wrapper_own[1 << WRAPPER_SHIFT];

/* ---- The way up ------------------------------------------------------------------------------ */

/* To the frame that has called this one, by the rule for it, which is kept at `at`. */
static bool wrapper_step(_Atomic uint64_t *at, struct hak_frame *frame) {
    struct hak_cfi_rule rule;
    uint64_t bits = atomic_load_explicit(at, memory_order_relaxed);
    memcpy(&rule, &bits, sizeof rule);
    if (hak_unlikely(!bits || (rule.known && !hak_unwind_is_current(rule, frame->pc)))) {
        rule = hak_unwind_find(frame->pc);
        if (!rule.known) rule.fingerprint = 1; /* it was looked for */
        memcpy(&bits, &rule, sizeof bits);
        atomic_store_explicit(at, bits, memory_order_relaxed);
    }
    return hak_unwind_step(rule, frame);
}

static bool wrapper_step_own(struct hak_frame *frame) {
    uint32_t place = hak_hash(frame->pc, WRAPPER_SHIFT);
    for (unsigned probe = 0; probe < WRAPPER_PROBES; probe++) {
        struct wrapper_own *own = &wrapper_own[(place + probe) % (1u << WRAPPER_SHIFT)];
        uintptr_t found = atomic_load_explicit(&own->pc, memory_order_relaxed);
        bool taken = !found && atomic_compare_exchange_strong_explicit(&own->pc, &found, frame->pc,
                                                                       memory_order_relaxed,
                                                                       memory_order_relaxed);
        if (taken || found == frame->pc) return wrapper_step(&own->rule, frame);
    }
    return false;
}

/* The frame of the site, behind those of this library. */
static bool wrapper_reach(const struct hak_call *call, struct hak_frame *frame) {
    *frame = hak_frame_of(call->mark);
    for (unsigned own = 0; frame->pc != (uintptr_t)call->site; own++)
        if (own == WRAPPER_OWN || !wrapper_step_own(frame)) return false;
    return true;
}

/* ---- Wrappers -------------------------------------------------------------------------------- */

static bool wrapper_is_known(const struct hak_site_wrapper *wrapper) {
    return atomic_load_explicit(&wrapper->known, memory_order_relaxed);
}

static bool wrapper_is_due(struct hak_site_wrapper *wrapper, bool large) {
    uint32_t looks = atomic_load_explicit(&wrapper->looks, memory_order_relaxed);
    if (looks >= WRAPPER_LOOKS && !large) return false;
    /* Another thread's look may be lost: it is one of many. */
    atomic_store_explicit(&wrapper->looks, looks + 1, memory_order_relaxed);
    return looks < WRAPPER_LOOKS ? looks >= WRAPPER_FIRST : looks % WRAPPER_LOOKS == 0;
}

/* Is the site a wrapper, now that it has been called from there? */
static bool wrapper_note(struct hak_site_wrapper *wrapper, uintptr_t caller) {
    for (unsigned i = 0; i < HAK_SITE_CALLERS - 1; i++) {
        uintptr_t found = atomic_load_explicit(&wrapper->caller[i], memory_order_relaxed);
        if (!found &&
            atomic_compare_exchange_strong_explicit(&wrapper->caller[i], &found, caller,
                                                    memory_order_relaxed, memory_order_relaxed)) {
            return false;
        }
        if (found == caller) return false;
    }
    atomic_store_explicit(&wrapper->known, true, memory_order_relaxed);
    return true;
}

/* From the site of a number on, as long as the sites are wrappers, or may turn out to be. */
static __attribute__((noinline)) uint16_t wrapper_walk(const struct hak_call *call, uint16_t number,
                                                       bool large, uintptr_t *address) {
    struct hak_frame frame;
    if (!wrapper_reach(call, &frame)) return number;
    for (unsigned depth = 0; depth < WRAPPER_DEPTH; depth++) {
        struct hak_site_wrapper *wrapper = &hak_site_table[number].wrapper;
        bool known = wrapper_is_known(wrapper);
        if (depth && !known && !wrapper_is_due(wrapper, large)) break;
        if (!wrapper_step(&wrapper->rule, &frame)) break;
        if (!known && !wrapper_note(wrapper, frame.pc)) break;
        uint16_t caller = hak_site_find((const void *)frame.pc);
        if (!caller) break; /* no place: what it asks for counts for the wrapper */
        number = caller;
        *address = frame.pc;
    }
    return number;
}

uint16_t hak_wrapper_site(const struct hak_call *call, bool large, uintptr_t *address) {
    uint16_t number = hak_site_find(call->site);
    struct hak_site_wrapper *wrapper = &hak_site_table[number].wrapper;
    *address = (uintptr_t)call->site;
    return number && (wrapper_is_known(wrapper) || wrapper_is_due(wrapper, large))
               ? wrapper_walk(call, number, large, address)
               : number;
}
