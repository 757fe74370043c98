/* SPDX-License-Identifier: MIT
 *
 * Statistics as text or JSON.
 */
#ifndef HAK_OBSERVE_PRINT_H
#define HAK_OBSERVE_PRINT_H

/* What the options stats and ss_os_stats ask for, at the end of the process. */
void hak_print_at_exit(void);

#endif
