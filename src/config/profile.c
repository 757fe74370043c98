/* SPDX-License-Identifier: MIT
 *
 * The balanced column is the options' own defaults (a test compares them).
 */
#include "config/profile.h"

#define K ((int64_t)1024)

/* clang-format off */
const struct hak_profile_row hak_profile_table[HAK_PROFILE_ROW_COUNT] = {
    /*                              speed    balanced  lean    learn  */
    {HAK_OPTION_PURGE_DELAY_MS,  {  10000,     1000,      0,    1000 }},
    {HAK_OPTION_LEARN,           {      0,        0,      0,       1 }},
    {HAK_OPTION_MAGAZINE_BYTES,  { 4096*K,   1024*K,    8*K,  1024*K }},
    {HAK_OPTION_MAGAZINE_BLOCKS, {   2048,     1024,     32,    1024 }},
};
/* clang-format on */

const char *const hak_profile_help[HAK_PROFILE_COUNT] = {
    [HAK_PROFILE_SPEED] = "keeps more free memory, for longer",
    [HAK_PROFILE_BALANCED] = "fast, and gives back what stays unused for a second",
    [HAK_PROFILE_LEAN] = "gives free memory back at once and keeps little in each thread",
    [HAK_PROFILE_LEARN] =
        "balanced, and learns how long what each call site frees is worth keeping",
};
