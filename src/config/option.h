/* SPDX-License-Identifier: MIT
 *
 * The options in force in this process.
 *
 * Concurrency: every value is one atomic word, relaxed; there is no lock.  Several threads may be
 * first at once: each gathers the values for itself and they store the same; a fork in between
 * leaves the child whatever is stored, and it gathers the rest again.  A value that is not stored
 * yet reads as the table's default.
 */
#ifndef HAK_CONFIG_OPTION_H
#define HAK_CONFIG_OPTION_H

#include "config/source.h"

#include <stdatomic.h>

/* Zero: nothing stored yet.  Otherwise 2 * value + 1, so that a value is told from no value. */
extern _Atomic int64_t hak_option_cell[HAK_OPTION_COUNT];

/* Reads the sources and puts their values in force; afterwards returns at once.  Called by the
 * first allocation, wherever that happens: allocates nothing, keeps errno. */
void hak_option_init(void);

/* The same from other sources, for tests. */
void hak_option_init_from(const struct hak_sources *sources);

/* The value of an option that is no TEXT. */
HAK_INLINE int64_t hak_option_int(enum hak_option_id id) {
    const int64_t cell = atomic_load_explicit(&hak_option_cell[id], memory_order_relaxed);
    return hak_likely(cell != 0) ? cell >> 1 : hak_option_table[id].initial;
}

/* Copies the value of a TEXT, cut to `size`, with its zero.  `out` of HAK_OPTION_TEXT_BYTES always
 * holds it. */
void hak_option_text(enum hak_option_id id, char *out, size_t size);

/* The value of any option as text, cut to `size` and terminated.  Returns 0, or -ENOENT. */
int hak_option_read(const char *name, char *out, size_t size);

/* Changes an option.  Returns 0, or -ENOENT (no such option), -EINVAL (bad value), -EPERM (it is
 * fixed once the process runs).  `profile` sets all the options that profiles set, whoever set them
 * before. */
int hak_option_write(const char *name, const char *value);

/* With the option `verbose`, one line: version, program, process id, profile, check mode. */
void hak_option_announce(void);

#endif
