/* SPDX-License-Identifier: MIT
 *
 * A set of option values that is being gathered, source by source; and the check of one name and
 * value, with the words of the warning.  Owned by one thread, on its stack: under 1 KiB.
 *
 * What is in force in this process is in option.h.
 */
#ifndef HAK_CONFIG_VALUES_H
#define HAK_CONFIG_VALUES_H

#include "config/table.h"

struct hak_values {
    int64_t number[HAK_OPTION_COUNT]; /* of a TEXT: its length */
    uint32_t given;                   /* bit id: a source gave it, so no profile changes it */
    bool quiet;                       /* no warnings */
    unsigned warnings;                /* written so far */
    char text[HAK_OPTION_TEXT_COUNT][HAK_OPTION_TEXT_BYTES];
};

/* Where a name and value come from, for warnings. */
struct hak_origin {
    const char *name; /* a file, or an environment variable */
    unsigned line;    /* of the file; 0: not a file */
};

/* After this many warnings one more says that the rest is left out. */
#define HAK_VALUES_WARNINGS_MAX 10

/* Room for any message about an option. */
#define HAK_VALUES_MESSAGE_BYTES 256

/* All defaults. */
void hak_values_start(struct hak_values *values, bool quiet);

/* Sets one option, or warns and leaves it as it is.  Returns 0, or -ENOENT (no such option),
 * -EINVAL or -ERANGE (no value of it). */
int hak_values_assign(struct hak_values *values, struct hak_slice name, struct hak_slice value,
                      const struct hak_origin *origin);

/* The same for "name = value", with blanks anywhere.  Nothing but blanks is nothing to do. */
int hak_values_assign_pair(struct hak_values *values, struct hak_slice pair,
                           const struct hak_origin *origin);

/* Gives the profile's values to the options that no source gave. */
void hak_values_finish(struct hak_values *values);

/* One warning line: "hakmem: ORIGIN: MESSAGE". */
void hak_values_warn(struct hak_values *values, const struct hak_origin *origin,
                     const char *message);

/* Checks a name and value without setting anything.  Returns 0 with *id and *number set, or as
 * hak_values_assign with a message in `message` (HAK_VALUES_MESSAGE_BYTES). */
int hak_values_check(struct hak_slice name, struct hak_slice value, enum hak_option_id *id,
                     int64_t *number, char *message);

#endif
