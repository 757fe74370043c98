/* SPDX-License-Identifier: MIT
 *
 * Header: policy/steps.h.
 */
#include "policy/steps.h"

#define STEPS_FORGET 8u  /* a gap takes one part in so many off what was before */
#define STEPS_BETTER 3u  /* gaps in a row */
#define STEPS_PAUSE  8u  /* gaps */
#define STEPS_WINDOW 64u /* gaps */

/* Holding for longer than this is not counted: the costs stay within 64 bits, and one gap of an
 * hour is not told from one of a day. */
#define STEPS_HOLD_MAX_MS 600000u

static const uint32_t steps_keep_ms[HAK_STEPS] = {0, 10, 100, 1000, 10000, UINT32_MAX};

void hak_steps_init(struct hak_steps *steps, unsigned fixed_step) {
    *steps = (struct hak_steps){.step = (uint8_t)fixed_step, .fixed_step = (uint8_t)fixed_step};
}

uint32_t hak_steps_keep_ms(unsigned step) {
    return steps_keep_ms[step];
}

uint64_t hak_steps_cost(const struct hak_steps_price *price, unsigned step, size_t pages,
                        uint32_t gap_ms) {
    uint32_t keep = steps_keep_ms[step];
    bool gone = keep != UINT32_MAX && gap_ms > keep;
    uint64_t held = gone ? keep : gap_ms, fault = (uint64_t)pages * price->fault_ns;
    if (held > STEPS_HOLD_MAX_MS) held = STEPS_HOLD_MAX_MS;
    return fault * held / price->hold_ms + (gone ? fault + HAK_STEPS_CALL_NS : 0);
}

/* 8 % less, which is more than the noise of what is counted. */
static bool steps_is_better(uint64_t cost, uint64_t than) {
    return cost < than - than / 100 * 8;
}

static unsigned steps_best(const struct hak_steps *steps) {
    unsigned best = 0;
    for (unsigned step = 1; step < HAK_STEPS; step++)
        if (steps->cost[step] < steps->cost[best]) best = step;
    return best;
}

/* Towards the best one: the steps between may be worse than where it is now. */
static void steps_review(struct hak_steps *steps) {
    unsigned best = steps_best(steps);
    if (steps->pause) {
        steps->pause--;
        return;
    }
    if (best == steps->step || !steps_is_better(steps->cost[best], steps->cost[steps->step])) {
        steps->better = 0;
        return;
    }
    uint8_t up = best > steps->step;
    if (up != steps->up) steps->better = 0;
    steps->up = up;
    if (++steps->better < STEPS_BETTER) return;
    steps->step = (uint8_t)(up ? steps->step + 1 : steps->step - 1);
    steps->better = 0;
    steps->moves++;
    /* On the way it goes on without a pause. */
    steps->pause = steps->step == best ? STEPS_PAUSE : 0;
}

static void steps_end_window(struct hak_steps *steps) {
    if (steps->window_paid > steps->window_fixed + steps->window_fixed / 100) {
        steps->state = HAK_STEPS_FROZEN;
        steps->step = steps->fixed_step;
    }
    steps->window_paid = steps->window_fixed = 0;
}

void hak_steps_count(struct hak_steps *steps, const struct hak_steps_price *price, size_t pages,
                     uint32_t gap_ms) {
    uint64_t paid = hak_steps_cost(price, steps->step, pages, gap_ms);
    uint64_t fixed = hak_steps_cost(price, steps->fixed_step, pages, gap_ms);
    steps->paid += paid;
    steps->fixed += fixed;
    steps->window_paid += paid;
    steps->window_fixed += fixed;
    steps->gaps++;
}

void hak_steps_gap(struct hak_steps *steps, const struct hak_steps_price *price, size_t pages,
                   uint32_t gap_ms) {
    hak_steps_count(steps, price, pages, gap_ms);
    if (steps->state == HAK_STEPS_FROZEN) return;
    for (unsigned step = 0; step < HAK_STEPS; step++) {
        steps->cost[step] -= steps->cost[step] / STEPS_FORGET;
        steps->cost[step] += hak_steps_cost(price, step, pages, gap_ms);
    }
    steps_review(steps);
    if (steps->gaps % STEPS_WINDOW == 0) steps_end_window(steps);
}
