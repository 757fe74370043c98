/* SPDX-License-Identifier: MIT
 *
 * Setting one value after another, and saying what was wrong with those that were not set.
 */
#include "config/values.h"

#include "config/parse.h"
#include "config/profile.h"
#include "os/format.h"
#include "os/report.h"

#include <errno.h>

/* Of the user's own text, a message shows no more than this. */
#define VALUES_SHOWN_MAX 48

_Static_assert(HAK_OPTION_COUNT <= 32, "hak_values.given has a bit for each option");

void hak_values_start(struct hak_values *values, bool quiet) {
    memset(values, 0, sizeof *values);
    values->quiet = quiet;
    for (int id = 0; id < HAK_OPTION_COUNT; id++) values->number[id] = hak_option_table[id].initial;
}

void hak_values_warn(struct hak_values *values, const struct hak_origin *origin,
                     const char *message) {
    if (values->quiet || values->warnings > HAK_VALUES_WARNINGS_MAX) return;
    if (values->warnings++ == HAK_VALUES_WARNINGS_MAX) {
        hak_report("more warnings about options are left out");
    } else if (origin->line != 0) {
        hak_report("%s:%u: %s", origin->name, origin->line, message);
    } else {
        hak_report("%s: %s", origin->name, message);
    }
}

static int values_shown(struct hak_slice text) {
    return (int)hak_min_size(text.length, VALUES_SHOWN_MAX);
}

static void values_explain_name(struct hak_slice name, char *message) {
    const int nearest = hak_table_nearest(name);
    if (nearest >= 0) {
        hak_format_text(message, HAK_VALUES_MESSAGE_BYTES,
                        "no option \"%.*s\"; the nearest is \"%s\"", values_shown(name), name.start,
                        hak_option_table[nearest].name);
    } else {
        hak_format_text(message, HAK_VALUES_MESSAGE_BYTES,
                        "no option \"%.*s\"; `hakmem options` lists them", values_shown(name),
                        name.start);
    }
}

static void values_explain_value(const struct hak_option *option, struct hak_slice value,
                                 char *message) {
    char range[64];
    hak_parse_show_range(option, range, sizeof range);
    hak_format_text(message, HAK_VALUES_MESSAGE_BYTES, "%s=%.*s: must be %s", option->name,
                    values_shown(value), value.start, range);
}

int hak_values_check(struct hak_slice name, struct hak_slice value, enum hak_option_id *id,
                     int64_t *number, char *message) {
    const int found = hak_table_find(name);
    if (found < 0) {
        values_explain_name(name, message);
        return -ENOENT;
    }
    const struct hak_option *option = &hak_option_table[found];
    const int problem = hak_parse_value(option, value, number);
    if (problem != 0) {
        values_explain_value(option, value, message);
        return problem;
    }
    *id = (enum hak_option_id)found;
    return 0;
}

int hak_values_assign(struct hak_values *values, struct hak_slice name, struct hak_slice value,
                      const struct hak_origin *origin) {
    char message[HAK_VALUES_MESSAGE_BYTES];
    enum hak_option_id id;
    int64_t number;
    const int problem = hak_values_check(name, value, &id, &number, message);
    if (problem != 0) {
        hak_values_warn(values, origin, message);
        return problem;
    }
    values->number[id] = number;
    values->given |= (uint32_t)1 << id;
    if (hak_option_table[id].type == HAK_OPTION_TEXT) {
        char *text = values->text[hak_table_text_index(id)];
        memcpy(text, value.start, value.length);
        text[value.length] = '\0';
    }
    return 0;
}

int hak_values_assign_pair(struct hak_values *values, struct hak_slice pair,
                           const struct hak_origin *origin) {
    bool has_value;
    pair = hak_slice_trim(pair);
    if (pair.length == 0) return 0;
    const struct hak_slice name = hak_slice_trim(hak_slice_take(&pair, '=', &has_value));
    if (has_value) return hak_values_assign(values, name, hak_slice_trim(pair), origin);

    char message[HAK_VALUES_MESSAGE_BYTES];
    hak_format_text(message, sizeof message, "\"%.*s\" has no value: name=value is needed",
                    values_shown(name), name.start);
    hak_values_warn(values, origin, message);
    return -EINVAL;
}

void hak_values_finish(struct hak_values *values) {
    const int64_t profile = values->number[HAK_OPTION_PROFILE];
    for (int row = 0; row < HAK_PROFILE_ROW_COUNT; row++) {
        const enum hak_option_id id = hak_profile_table[row].id;
        if ((values->given >> id & 1) != 0) continue;
        values->number[id] = hak_profile_table[row].value[profile];
    }
}
