/* SPDX-License-Identifier: MIT
 *
 * What hakmem says to the user: one line to standard error by one write, "hakmem: ..." and a
 * newline.  Nothing here allocates, locks or touches errno, so a line may come from any thread, a
 * signal handler, or the first malloc of a process.
 *
 * A process that was started with descriptor 2 closed is never written to: what has that number
 * later may be a file of the program's own.
 */
#ifndef HAK_OS_REPORT_H
#define HAK_OS_REPORT_H

#include "base/base.h"

#include <stdatomic.h>

/* The longest line, with prefix and newline; a longer one is cut and ends in "...". */
#define HAK_REPORT_BYTES 512

/* Notes whether descriptor 2 is open, the first time: as early as possible. */
void hak_report_start(void);

/* May descriptor 2 be written to? */
bool hak_report_has_stderr(void);

/* Writes one line (os/format.h has the conversions).  Control characters become '?', so that text
 * from elsewhere can't forge a second line.  A failing write is ignored. */
void hak_report(const char *format, ...) __attribute__((format(printf, 1, 2))) HAK_COLD;

/* True for one caller only in the life of the process, which then reports. */
bool hak_report_first(_Atomic bool *said);

/* Writes one line and ends the process with SIGABRT, also where that is blocked or ignored.  A
 * handler of the program's runs first; if it returns, the process ends all the same. */
_Noreturn void hak_die(const char *format, ...) __attribute__((format(printf, 1, 2))) HAK_COLD;

#endif
