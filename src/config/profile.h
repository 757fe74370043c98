/* SPDX-License-Identifier: MIT
 *
 * Profiles: named sets of values.  Every profile gives a value to the same options, so that going
 * from one to another and back at run time leaves nothing behind.
 */
#ifndef HAK_CONFIG_PROFILE_H
#define HAK_CONFIG_PROFILE_H

#include "config/table.h"

#define HAK_PROFILE_COUNT     4
#define HAK_PROFILE_ROW_COUNT 8

/* What each profile sets one option to. */
struct hak_profile_row {
    enum hak_option_id id;
    int64_t value[HAK_PROFILE_COUNT]; /* by enum hak_profile */
};

extern const struct hak_profile_row hak_profile_table[HAK_PROFILE_ROW_COUNT];

/* What each profile is for, one line. */
extern const char *const hak_profile_help[HAK_PROFILE_COUNT];

#endif
