/* SPDX-License-Identifier: MIT
 *
 * A thread of the allocator's own, beside those of the program.
 */
#ifndef HAK_OS_HELPER_H
#define HAK_OS_HELPER_H

#include "base/base.h"

#include <stdatomic.h>

/* Notes which process this is: before the program runs, and in a forked child. */
void hak_helper_note(void);

/* May a thread be started here?  Not between vfork and exec: there the memory is the parent's, and
 * the process another one. */
bool hak_helper_may_start(void);

/* Is pthread_create that of libc?  Another library's takes locks that os/stack.h knows nothing
 * of. */
bool hak_helper_is_plain(void);

/* Starts a thread that runs `body`, with all signals blocked, detached, named "hakmem".  False: the
 * system allows none.  Calls pthread_create, which allocates and takes libc's locks: see
 * os/stack.h.  Keeps errno. */
bool hak_helper_start(void (*body)(void));

/* For the thread itself: is it scheduled as the process's first thread is, at least?  If not, no
 * other thread should wait for it. */
bool hak_helper_is_ordinary(void);

/* Has the process no thread but this one, as far as libc knows?  (Where libc does not tell: no.) */
bool hak_helper_would_be_second(void);

/* Has the thread that was started last ended?  True also if none was, or in another process. */
bool hak_helper_has_ended(void);

/* Waits while the word is `value`, up to `ms`; 0: without end.  May return early. */
void hak_helper_wait(_Atomic uint32_t *word, uint32_t value, uint32_t ms);

/* Ends such a wait of one thread. */
void hak_helper_wake(_Atomic uint32_t *word);

#endif
