/* SPDX-License-Identifier: MIT
 *
 * Sites behind wrappers: functions like xmalloc or g_malloc, which allocate for whoever calls them.
 *
 * The address that a call of malloc returns to says nothing there; the one that the wrapper returns
 * to does.  Wrappers are not known by name: a site that has been reached from HAK_SITE_CALLERS
 * different places is one.  Of a site's calls that are counted (observe/site.h), the 17th to the
 * 64th are looked at for that, and every 64th of those above 32 KiB.  From then on its callers are
 * sites in its place, and may turn out to be wrappers themselves.
 *
 * Concurrency: callable from anywhere, takes no lock.
 */
#ifndef HAK_OBSERVE_WRAPPER_H
#define HAK_OBSERVE_WRAPPER_H

#include "observe/site.h"
#include "os/unwind.h"

/* A call of malloc or one of its family: where it returns to, and a function it has come to. */
struct hak_call {
    const void *site;
    struct hak_frame_mark mark;
};

/* In a function that is at work for a call which returns to `site`. */
#define HAK_CALL(site) (&(struct hak_call){(site), HAK_FRAME_MARK()})

/* The number of a call's site, and its address; 0: the table is full.  large: above 32 KiB. */
uint16_t hak_wrapper_site(const struct hak_call *call, bool large, uintptr_t *address);

#endif
