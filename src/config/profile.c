/* SPDX-License-Identifier: MIT
 *
 * The balanced column is the options' own defaults (a test compares them).
 */
#include "config/profile.h"

#define K ((int64_t)1024)

/* clang-format off */
const struct hak_profile_row hak_profile_table[HAK_PROFILE_ROW_COUNT] = {
    /*                              speed    balanced  lean    learn  */
    {HAK_OPTION_PURGE_DELAY_MS,  {  10000,     1000,    100,    1000 }},
    {HAK_OPTION_LEARN,           {      0,        0,      0,       1 }},
    {HAK_OPTION_THP,             {      0,        0,      1,       0 }}, /* adaptive, never */
    {HAK_OPTION_MAGAZINE_BYTES,  { 4096*K,   1024*K,   64*K,  1024*K }},
    {HAK_OPTION_MAGAZINE_BLOCKS, {   2048,     1024,    256,    1024 }},
    {HAK_OPTION_SS_MEM_LEAN,     {      0,        0,      1,       0 }},
    {HAK_OPTION_SS_MEM_LEAN_TARGET_MB, {   10,   10,     10,      10 }},
    {HAK_OPTION_SS_MEM_LEAN_DECOMMIT, {    2,        2,      2,       2 }}, /* dontneed */
};
/* clang-format on */

const char *const hak_profile_help[HAK_PROFILE_COUNT] = {
    [HAK_PROFILE_SPEED] = "keeps more free memory, for longer",
    [HAK_PROFILE_BALANCED] = "fast, and gives back what stays unused for a second",
    [HAK_PROFILE_LEAN] = "keeps little, and above ss_mem_lean_target_mb of resident memory nothing",
    [HAK_PROFILE_LEARN] =
        "balanced, and learns how long what each call site frees is worth keeping",
};
