/* SPDX-License-Identifier: MIT
 *
 * For how long a freed huge block is kept: by the fixed policy; with the option `learn`, by what
 * its site has taught (policy/steps.h); with a policy file, by what it says, to begin with or for
 * good.
 *
 *   fixed   up to 32 MiB as other free memory: purge_delay_ms; above, not at all
 *
 * A site's freed blocks are matched with its next calls, the last one first; of more than four that
 * wait at once the oldest counts as never followed by another.
 *
 * Concurrency: callable from any thread, and from a signal handler.  What is known of a site has a
 * lock that is only tried: who finds it held goes by the fixed policy, and teaches nothing.
 */
#ifndef HAK_POLICY_KEEP_H
#define HAK_POLICY_KEEP_H

#include "observe/site.h"
#include "policy/steps.h"

#include <stdatomic.h>

#define HAK_KEEP_WAITING 4u

/* A freed block whose site has not asked for another since. */
struct hak_keep_block {
    uint32_t freed_ms;
    uint32_t pages;
};

struct hak_keep_site {
    _Atomic uint32_t lock; /* os/lock.h: of all below */
    uint32_t waiting;
    struct hak_keep_block block[HAK_KEEP_WAITING]; /* the last one freed last */
    struct hak_steps steps;
};

/* By the number of the site.  atomic, set once; NULL: it has freed nothing yet, or not learned. */
extern _Atomic(struct hak_keep_site *) hak_keep_table[HAK_SITES];

/* A site has been given a huge block. */
void hak_keep_taken(uint16_t site, uint32_t now_ms);

/* A site's block of so many bytes is freed.  Returns for how many ms it is to be kept; 0: not;
 * HAK_BIGCACHE_USUAL, HAK_BIGCACHE_EVER. */
uint32_t hak_keep_freed(uint16_t site, size_t bytes, uint32_t now_ms);

/* What is known of a site.  False: nothing. */
bool hak_keep_read(uint16_t site, struct hak_steps *out);

#endif
