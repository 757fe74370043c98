/* SPDX-License-Identifier: MIT
 *
 * How much is claimed: superslabs, and mappings of huge blocks; against the option limit_hard_mb.
 *
 * Concurrency: callable from any thread.
 */
#ifndef HAK_SPAN_TAKEN_H
#define HAK_SPAN_TAKEN_H

#include "base/base.h"

/* Counts bytes that are about to be claimed.  False: that would be more than the limit. */
bool hak_taken_add(size_t bytes);

/* They were given back, or not claimed after all. */
void hak_taken_drop(size_t bytes);

size_t hak_taken_bytes(void);

#endif
