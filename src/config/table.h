/* SPDX-License-Identifier: MIT
 *
 * The options as constant data: option_list.h made into an enum and an array.  The values of this
 * process are in option.h.
 */
#ifndef HAK_CONFIG_TABLE_H
#define HAK_CONFIG_TABLE_H

#include "config/slice.h"

/* Values of the options that are words, in the order of the words. */
enum hak_profile { HAK_PROFILE_SPEED, HAK_PROFILE_BALANCED, HAK_PROFILE_LEAN, HAK_PROFILE_LEARN };
enum hak_check_mode { HAK_CHECK_FAST, HAK_CHECK_CHECKED };
enum hak_on_error { HAK_ON_ERROR_ABORT, HAK_ON_ERROR_REPORT };
enum hak_foreign { HAK_FOREIGN_FORWARD, HAK_FOREIGN_REPORT };
enum hak_decommit { HAK_DECOMMIT_OFF, HAK_DECOMMIT_FREE, HAK_DECOMMIT_DONTNEED };
enum hak_thp { HAK_THP_ADAPTIVE, HAK_THP_NEVER, HAK_THP_ALWAYS };
enum hak_background { HAK_BACKGROUND_AUTO, HAK_BACKGROUND_ON, HAK_BACKGROUND_OFF };
enum hak_stats_format_word { HAK_STATS_FORMAT_TEXT, HAK_STATS_FORMAT_JSON };

enum hak_option_id {
#define HAK_OPTION(ID, ...) HAK_OPTION_##ID,
#include "config/option_list.h"
#undef HAK_OPTION
    HAK_OPTION_COUNT
};

enum hak_option_type {
    HAK_OPTION_BOOL,
    HAK_OPTION_INT,
    HAK_OPTION_SIZE,
    HAK_OPTION_WORD,
    HAK_OPTION_TEXT
};

enum hak_option_when { HAK_OPTION_START, HAK_OPTION_RUN };

struct hak_option {
    const char *name;
    const char *words; /* WORD: "first|second"; INT, SIZE: what the least is called, or NULL */
    const char *help;
    enum hak_option_type type;
    enum hak_option_when when;
    int64_t initial, least, most; /* of a TEXT: 0; it starts empty */
};

extern const struct hak_option hak_option_table[HAK_OPTION_COUNT];

/* The longest option name, with its zero. */
#define HAK_OPTION_NAME_BYTES 32

/* The longest value of a TEXT option, with its zero. */
#define HAK_OPTION_TEXT_BYTES 256

/* Environment variables that begin with HAKMEM_ and are not options: the library must not take
 * them for misspelt ones. */
struct hak_variable {
    const char *name;
    const char *help;
};
#define HAK_VARIABLE_COUNT 6
extern const struct hak_variable hak_variable_table[HAK_VARIABLE_COUNT];

/* The option of that name, in capitals or not; -1 if there is none. */
int hak_table_find(struct hak_slice name);

/* The option whose name is nearest; -1 if none is near enough to have been meant. */
int hak_table_nearest(struct hak_slice name);

/* Writes "HAKMEM_NAME" for an option; `out` holds HAK_OPTION_NAME_BYTES + 8. */
void hak_table_variable(enum hak_option_id id, char *out);

/* Text options are numbered from 0 among themselves. */
#define HAK_OPTION_TEXT_COUNT 3
unsigned hak_table_text_index(enum hak_option_id id);

#endif
