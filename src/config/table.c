/* SPDX-License-Identifier: MIT
 *
 * The array of options and the search in it.
 */
#include "config/table.h"

#include "config/nearest.h"

#include <string.h>

/* clang-format off */
const struct hak_option hak_option_table[HAK_OPTION_COUNT] = {
#define HAK_OPTION(ID, NAME, TYPE, WHEN, INITIAL, LEAST, MOST, WORDS, HELP) \
    [HAK_OPTION_##ID] = {.name = NAME, .words = WORDS, .help = HELP, \
                         .type = HAK_OPTION_##TYPE, .when = HAK_OPTION_##WHEN, \
                         .initial = INITIAL, .least = LEAST, .most = MOST},
#include "config/option_list.h"
#undef HAK_OPTION
};
/* clang-format on */

const struct hak_variable hak_variable_table[HAK_VARIABLE_COUNT] = {
    {"HAKMEM_OPTIONS", "a list of options, name=value,name=value"},
    {"HAKMEM_CONFIG", "the path of a configuration file, read after /etc/hakmem.conf"},
    {"HAKMEM_LIB", "for `hakmem run` without --lib: the path of libhakmem.so"},
    {"HAKMEM_STATIC_LIB", "for hakmem's own tests"},
    {"HAKMEM_TOOL", "for hakmem's own tests"},
    {"HAKMEM_SOURCE_DIR", "for hakmem's own tests"},
};

static char table_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char table_upper(char c) {
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

int hak_table_find(struct hak_slice name) {
    for (int id = 0; id < HAK_OPTION_COUNT; id++) {
        const char *known = hak_option_table[id].name;
        size_t same = 0;
        while (same < name.length && known[same] != '\0' &&
               table_lower(name.start[same]) == known[same]) {
            same++;
        }
        if (same == name.length && known[same] == '\0') return id;
    }
    return -1;
}

int hak_table_nearest(struct hak_slice name) {
    char lower[HAK_NEAREST_BYTES];
    if (name.length >= sizeof lower) return -1;
    for (size_t i = 0; i < name.length; i++) lower[i] = table_lower(name.start[i]);

    struct hak_nearest search;
    hak_nearest_start(&search, (struct hak_slice){lower, name.length});
    for (int id = 0; id < HAK_OPTION_COUNT; id++) {
        hak_nearest_offer(&search, hak_slice_of(hak_option_table[id].name), id);
    }
    return search.best;
}

void hak_table_variable(enum hak_option_id id, char *out) {
    memcpy(out, "HAKMEM_", 7);
    const char *name = hak_option_table[id].name;
    size_t i = 0;
    for (; name[i] != '\0'; i++) out[7 + i] = table_upper(name[i]);
    out[7 + i] = '\0';
}

unsigned hak_table_text_index(enum hak_option_id id) {
    unsigned index = 0;
    for (int i = 0; i < (int)id; i++) {
        if (hak_option_table[i].type == HAK_OPTION_TEXT) index++;
    }
    return index;
}
