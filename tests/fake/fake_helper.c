/* SPDX-License-Identifier: MIT
 *
 * The allocator's own thread, played by the test.  Header: fake/fake.h.
 */
#include "fake/fake.h"

#include "os/clock.h"
#include "os/helper.h"
#include "os/stack.h"

static bool helper_second, helper_allowed, helper_works, helper_stack;
static _Atomic unsigned helper_noted;
static void (*helper_body)(void);
static void (*helper_wait)(_Atomic uint32_t *word, uint32_t value, uint32_t ms);
static unsigned helper_waked;
static uint64_t helper_cpu_ns;

void fake_helper_allow(bool process, bool stack, bool works) {
    helper_allowed = process;
    helper_stack = stack;
    helper_works = works;
}

void fake_helper_is_second(bool second) {
    helper_second = second;
}

void fake_helper_on_wait(void (*wait)(_Atomic uint32_t *word, uint32_t value, uint32_t ms)) {
    helper_wait = wait;
}

void (*fake_helper_started(void))(void) {
    void (*body)(void) = helper_body;
    helper_body = NULL;
    return body;
}

unsigned fake_helper_waked(void) {
    return helper_waked;
}

unsigned fake_helper_noted(void) {
    return atomic_load_explicit(&helper_noted, memory_order_relaxed);
}

void fake_helper_use_cpu(uint64_t ns) {
    helper_cpu_ns += ns;
}

/* ---- What the engine calls ------------------------------------------------------------------- */

void hak_helper_note(void) {
    atomic_fetch_add_explicit(&helper_noted, 1, memory_order_relaxed);
}

bool hak_helper_may_start(void) {
    return helper_allowed;
}

bool hak_helper_is_ordinary(void) {
    return true;
}

bool hak_helper_would_be_second(void) {
    return helper_second;
}

bool hak_helper_has_ended(void) {
    return true;
}

bool hak_helper_is_plain(void) {
    return true;
}

bool hak_stack_is_programs(void) {
    return helper_stack;
}

bool hak_helper_start(void (*body)(void)) {
    if (helper_works) helper_body = body;
    return helper_works;
}

void hak_helper_wait(_Atomic uint32_t *word, uint32_t value, uint32_t ms) {
    if (helper_wait) helper_wait(word, value, ms);
}

void hak_helper_wake(_Atomic uint32_t *word) {
    (void)word;
    helper_waked++;
}

uint64_t hak_clock_others_cpu_ns(void) {
    return helper_cpu_ns;
}
