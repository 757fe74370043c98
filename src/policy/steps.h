/* SPDX-License-Identifier: MIT
 *
 * For how long what a site has freed is kept: six steps, and which of them costs the least.  Pure
 * arithmetic: no clock, no memory, no sites.
 *
 *   step      0         1       2        3     4      5
 *   kept for  not       10 ms   100 ms   1 s   10 s   ever
 *
 * When a block of so many pages was free for a time (the gap), a step has cost
 *
 *   holding   pages x fault_ns x held / hold_ms      held: the gap, or what the step keeps, if less
 *   faults    pages x fault_ns + HAK_STEPS_CALL_NS   if the gap was longer than the step keeps
 *
 * so that holding a page for hold_ms costs what its fault costs.  That makes keeping for hold_ms
 * twice as dear as the best choice at the worst, whatever the gap (ski rental: A. R. Karlin et al.,
 * Competitive Snoopy Caching, 1988); the steps do better where a site's gaps are alike.
 *
 * Every gap tells what each step would have cost, not only the one in force: so nothing has to be
 * tried to be known, and the costs can be compared as they are (prediction with expert advice: N.
 * Cesa-Bianchi, G. Lugosi, 2006).  What keeps the choice quiet: another step must be 8 % better, at
 * three gaps in a row; one step at a time; then a pause.
 *
 * The counterfactual: what the fixed step would have cost is added up beside what was paid.  If a
 * window of gaps shows that it was less, the site goes back to the fixed step, for good.
 *
 * Concurrency: each struct is for one thread at a time.
 */
#ifndef HAK_POLICY_STEPS_H
#define HAK_POLICY_STEPS_H

#include "base/base.h"

#define HAK_STEPS         6u
#define HAK_STEPS_CALL_NS 2000u /* a system call and what comes with it */

/* No next call: longer than any step. */
#define HAK_STEPS_NEVER UINT32_MAX

struct hak_steps_price {
    uint32_t fault_ns; /* of a page, with its release */
    uint32_t hold_ms;  /* see above; not 0 */
};

enum hak_steps_state { HAK_STEPS_LEARN, HAK_STEPS_FROZEN };

struct hak_steps {
    uint64_t cost[HAK_STEPS]; /* ns, of the last gaps: each one takes an eighth off before */
    uint64_t paid, fixed;     /* ns, of all gaps: the step in force; the fixed one */
    uint64_t window_paid, window_fixed;
    uint32_t gaps, moves;
    uint8_t step, fixed_step; /* in force; that of the fixed policy */
    uint8_t better;           /* gaps in a row at which one on that side was better: */
    uint8_t up;               /* 1: with more time */
    uint8_t pause;            /* gaps until it may change again */
    uint8_t state;            /* enum hak_steps_state */
};

void hak_steps_init(struct hak_steps *steps, unsigned fixed_step);

/* Milliseconds that a step keeps; UINT32_MAX: for ever. */
uint32_t hak_steps_keep_ms(unsigned step);

/* What a step costs for a block of so many pages that was free for gap_ms. */
uint64_t hak_steps_cost(const struct hak_steps_price *price, unsigned step, size_t pages,
                        uint32_t gap_ms);

/* A gap has become known: adds what the step in force and the fixed one have cost. */
void hak_steps_count(struct hak_steps *steps, const struct hak_steps_price *price, size_t pages,
                     uint32_t gap_ms);

/* The same, and learns from it: may move to another step. */
void hak_steps_gap(struct hak_steps *steps, const struct hak_steps_price *price, size_t pages,
                   uint32_t gap_ms);

#endif
