/* SPDX-License-Identifier: MIT
 *
 * The sources in their order.  Of two environment entries with one name the first counts, as for
 * getenv(3); an empty value is the same as none.
 */
#include "config/source.h"

#include "config/conf.h"
#include "config/nearest.h"
#include "os/env.h"
#include "os/format.h"

#define SOURCE_PREFIX        "HAKMEM_"
#define SOURCE_PREFIX_LENGTH (sizeof SOURCE_PREFIX - 1)
#define SOURCE_SYSTEM_FILE   "/etc/hakmem.conf"

void hak_source_of_process(struct hak_sources *out) {
    out->environment = hak_env_list();
    out->system_file = SOURCE_SYSTEM_FILE;
    out->program = hak_env_program();
}

static void source_list(struct hak_values *values, const char *text) {
    static const struct hak_origin origin = {"HAKMEM_OPTIONS", 0};
    struct hak_slice rest = hak_slice_of(text);
    bool more = true;
    while (more) {
        const struct hak_slice pair = hak_slice_take(&rest, ',', &more);
        hak_values_assign_pair(values, pair, &origin);
    }
}

static bool source_is_variable(struct hak_slice name) {
    for (int i = 0; i < HAK_VARIABLE_COUNT; i++) {
        if (hak_slice_equals(name, hak_variable_table[i].name)) return true;
    }
    return false;
}

static struct hak_slice source_without_prefix(struct hak_slice name) {
    return (struct hak_slice){name.start + SOURCE_PREFIX_LENGTH,
                              name.length - SOURCE_PREFIX_LENGTH};
}

/* The option that a variable's whole name means; -1 if none.  Environment names are in capitals. */
static int source_option(struct hak_slice name) {
    for (size_t i = 0; i < name.length; i++) {
        if (name.start[i] >= 'a' && name.start[i] <= 'z') return -1;
    }
    return hak_table_find(source_without_prefix(name));
}

/* Warns about a HAKMEM_ variable that means nothing, with the nearest that does. */
static void source_unknown(struct hak_values *values, struct hak_slice name) {
    char origin_name[64], message[HAK_VALUES_MESSAGE_BYTES], variable[HAK_OPTION_NAME_BYTES + 8];
    hak_format_text(origin_name, sizeof origin_name, "%.*s", (int)hak_min_size(name.length, 60),
                    name.start);
    const struct hak_origin origin = {origin_name, 0};

    const struct hak_slice meant = source_without_prefix(name);
    const int option = hak_table_nearest(meant);
    struct hak_nearest search;
    hak_nearest_start(&search, meant);
    for (int i = 0; i < HAK_VARIABLE_COUNT; i++) {
        const struct hak_slice known = hak_slice_of(hak_variable_table[i].name);
        hak_nearest_offer(&search, source_without_prefix(known), i);
    }
    if (option >= 0) hak_table_variable((enum hak_option_id)option, variable);
    if (option >= 0 || search.best >= 0) {
        hak_format_text(message, sizeof message, "no such option; the nearest is %s",
                        option >= 0 ? variable : hak_variable_table[search.best].name);
    } else {
        hak_format_text(message, sizeof message, "no such option; `hakmem options` lists them");
    }
    hak_values_warn(values, &origin, message);
}

static void source_entry(struct hak_values *values, const char *entry, uint32_t *seen) {
    bool has_value;
    struct hak_slice value = hak_slice_of(entry);
    const struct hak_slice name = hak_slice_take(&value, '=', &has_value);
    if (!has_value || value.length == 0 || source_is_variable(name)) return;
    const int id = source_option(name);
    if (id < 0) {
        source_unknown(values, name);
        return;
    }
    if ((*seen >> id & 1) != 0) return;
    *seen |= (uint32_t)1 << id;

    char variable[HAK_OPTION_NAME_BYTES + 8];
    hak_table_variable((enum hak_option_id)id, variable);
    const struct hak_origin origin = {variable, 0};
    hak_values_assign(values, hak_slice_of(hak_option_table[id].name), hak_slice_trim(value),
                      &origin);
}

void hak_source_collect(const struct hak_sources *sources, struct hak_values *out, bool quiet) {
    hak_values_start(out, quiet);
    if (sources->system_file != NULL) {
        hak_conf_read(out, sources->system_file, sources->program, false);
    }
    const char *config = hak_env_find(sources->environment, "HAKMEM_CONFIG");
    if (config != NULL && *config != '\0') hak_conf_read(out, config, sources->program, true);

    const char *list = hak_env_find(sources->environment, "HAKMEM_OPTIONS");
    if (list != NULL) source_list(out, list);

    uint32_t seen = 0;
    for (const char *const *entry = sources->environment; *entry != NULL; entry++) {
        if (strncmp(*entry, SOURCE_PREFIX, SOURCE_PREFIX_LENGTH) == 0) {
            source_entry(out, *entry, &seen);
        }
    }
    hak_values_finish(out);
}
