/* SPDX-License-Identifier: MIT
 *
 * How much memory is to be resident: the target of lean mode (ss_mem_lean), a soft limit of the
 * process's own (limit_mb), or that of its control group (limit_mb=auto).
 *
 * Above the target, or within an eighth of a limit, it is tight (hak_purge_is_tight): nothing that
 * is free is kept, until there is an eighth more room.  The control group counts as nearer when its
 * tasks already wait for memory.
 *
 * Not here: limit_hard_mb (span/taken.h).
 */
#ifndef HAK_POLICY_BOUND_H
#define HAK_POLICY_BOUND_H

#include "base/base.h"

/* Looks how much is resident, if that was not done for a while; some milliseconds where it may be
 * too much soon, else a second.  True: it is tight, and the caller is the one to give back what it
 * can reach.  To be called now and then, and when the process has grown. */
bool hak_bound_look(uint64_t now_ms, bool grown);

/* No more looks: the process is about to forbid itself to open files, maybe. */
void hak_bound_end(void);

#endif
