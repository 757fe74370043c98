/* SPDX-License-Identifier: MIT
 *
 * The sites as a table for people, and as JSON (RFC 8259).
 */
#include "sites.h"

#include "../json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_JSON_VERSION 1

/* ---- Order ---- */

static uint64_t table_all_bytes(const struct sites_site *site) {
    return site->bytes + site->taken_bytes;
}

static uint64_t table_sum(const uint64_t *counts, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += counts[i];
    return sum;
}

static uint64_t table_all_blocks(const struct sites_site *site) {
    return site->blocks + table_sum(site->taken, HAK_SITE_SIZES);
}

/* What is counted may be behind what is freed by a few blocks. */
static uint64_t table_held(const struct sites_site *site) {
    return site->taken_bytes > site->freed_bytes ? site->taken_bytes - site->freed_bytes : 0;
}

static int table_descending(uint64_t a, uint64_t b) {
    return (a < b) - (a > b);
}

static int table_by_bytes(const void *a, const void *b) {
    return table_descending(table_all_bytes(a), table_all_bytes(b));
}

static int table_by_held(const void *a, const void *b) {
    const int order = table_descending(table_held(a), table_held(b));
    return order != 0 ? order : table_by_bytes(a, b);
}

static int table_by_blocks(const void *a, const void *b) {
    return table_descending(table_all_blocks(a), table_all_blocks(b));
}

void sites_sort(struct sites_list *list, enum sites_order order) {
    static int (*const compare[])(const void *, const void *) = {
        [SITES_BY_BYTES] = table_by_bytes,
        [SITES_BY_HELD] = table_by_held,
        [SITES_BY_BLOCKS] = table_by_blocks,
    };
    if (list->count > 0) qsort(list->site, list->count, sizeof *list->site, compare[order]);
}

/* ---- Text ---- */

enum { TABLE_CELL_BYTES = 32 };

static const char *table_bytes(uint64_t bytes, char out[TABLE_CELL_BYTES]) {
    static const char *const units[] = {"", " KiB", " MiB", " GiB", " TiB", " PiB"};
    size_t unit = 0;
    double value = (double)bytes;
    for (; value >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++) value /= 1024;
    if (bytes == 0) snprintf(out, TABLE_CELL_BYTES, "-");
    else snprintf(out, TABLE_CELL_BYTES, unit == 0 ? "%.0f%s" : "%.1f%s", value, units[unit]);
    return out;
}

static const char *table_count(uint64_t count, char out[TABLE_CELL_BYTES]) {
    if (count == 0) snprintf(out, TABLE_CELL_BYTES, "-");
    else snprintf(out, TABLE_CELL_BYTES, "%" PRIu64, count);
    return out;
}

/* Below what time half of the blocks are. */
static const char *table_median_time(const uint64_t times[HAK_SITE_TIMES],
                                     char out[TABLE_CELL_BYTES]) {
    static const char *const below[HAK_SITE_TIMES] = {"<1 ms",  "<4 ms",  "<16 ms",  "<64 ms",
                                                      "<.3 s",  "<1 s",   "<4 s",    "<16 s",
                                                      "<1 min", "<4 min", "<17 min", ">17 min"};
    const uint64_t all = table_sum(times, HAK_SITE_TIMES);
    uint64_t sum = 0;
    size_t i = 0;
    while (i + 1 < HAK_SITE_TIMES && (sum += times[i]) * 2 < all) i++;
    snprintf(out, TABLE_CELL_BYTES, "%s", all == 0 ? "-" : below[i]);
    return out;
}

static const char *table_module(const struct sites_site *site) {
    const char *slash = strrchr(site->module, '/');
    return slash != NULL ? slash + 1 : site->module;
}

static void table_print_name(FILE *out, const struct sites_site *site) {
    if (site->address == 0) fputs("(all others: the table was full)", out);
    else if (site->function != NULL) fprintf(out, "%s", site->function);
    else if (site->module != NULL)
        fprintf(out, "%s+0x%" PRIx64, table_module(site), site->module_offset);
    else fprintf(out, "0x%" PRIx64, site->address);
    if (site->function != NULL && site->module != NULL) fprintf(out, " (%s)", table_module(site));
    if (site->source != NULL) {
        const char *slash = strrchr(site->source, '/');
        fprintf(out, " %s", slash != NULL ? slash + 1 : site->source);
    }
    fputc('\n', out);
}

/* How long what the site frees is kept, and what that was worth beside the fixed policy. */
static const char *table_kept(const struct sites_site *site, char out[TABLE_CELL_BYTES]) {
    static const char *const kept[HAK_STEPS] = {"no", "10 ms", "100 ms", "1 s", "10 s", "ever"};
    snprintf(out, TABLE_CELL_BYTES, "%s%s", site->gaps ? kept[site->step] : "-",
             site->state == HAK_STEPS_FROZEN ? "!" : "");
    return out;
}

static const char *table_gain(const struct sites_site *site, char out[TABLE_CELL_BYTES]) {
    const double gain = ((double)site->fixed - (double)site->paid) / 1e6;
    if (site->gaps) snprintf(out, TABLE_CELL_BYTES, "%.1f ms", gain);
    else snprintf(out, TABLE_CELL_BYTES, "-");
    return out;
}

static void table_print_row(FILE *out, const struct sites_site *site) {
    char cell[9][TABLE_CELL_BYTES];
    fprintf(out, "%10s %10s  %10s %10s %10s %8s %8s %7s %10s  ", table_count(site->blocks, cell[0]),
            table_bytes(site->bytes, cell[1]),
            table_count(table_sum(site->taken, HAK_SITE_SIZES), cell[2]),
            table_bytes(site->taken_bytes, cell[3]), table_bytes(table_held(site), cell[4]),
            table_median_time(site->life, cell[5]), table_median_time(site->gap, cell[6]),
            table_kept(site, cell[7]), table_gain(site, cell[8]));
    table_print_name(out, site);
}

void sites_print_text(FILE *out, const struct sites_list *list, size_t most) {
    fprintf(out,
            "   blocks up to 32 KiB            blocks above 32 KiB\n"
            "%10s %10s  %10s %10s %10s %8s %8s %7s %10s  %s\n",
            "number", "bytes", "number", "bytes", "held", "life", "gap", "kept", "gain", "site");
    for (size_t i = 0; i < list->count && i < most; i++) table_print_row(out, &list->site[i]);
    if (list->count > most) fprintf(out, "... and %zu more\n", list->count - most);
}

/* ---- JSON ---- */

static void table_json_list(FILE *out, const char *name, const uint64_t *counts, size_t count) {
    fprintf(out, ", \"%s\": [", name);
    for (size_t i = 0; i < count; i++) fprintf(out, i > 0 ? ", %" PRIu64 : "%" PRIu64, counts[i]);
    fputc(']', out);
}

static void table_json_text(FILE *out, const char *name, const char *text) {
    fprintf(out, ", \"%s\": ", name);
    if (text != NULL) json_text(out, text);
    else fputs("null", out);
}

static void table_json_steps(FILE *out, const struct sites_site *site) {
    if (site->gaps == 0) {
        fputs(", \"learned\": null", out);
        return;
    }
    const uint32_t keep_ms = hak_steps_keep_ms((unsigned)site->step);
    fprintf(out,
            ", \"learned\": {\"gaps\": %" PRIu64 ", \"moves\": %" PRIu64
            ", \"frozen\": %s, \"keep_ms\": ",
            site->gaps, site->moves, site->state == HAK_STEPS_FROZEN ? "true" : "false");
    if (keep_ms == UINT32_MAX) fputs("null", out);
    else fprintf(out, "%" PRIu32, keep_ms);
    fprintf(out, ", \"paid_ns\": %" PRIu64 ", \"fixed_ns\": %" PRIu64 "}", site->paid, site->fixed);
}

static void table_json_site(FILE *out, const struct sites_site *site) {
    fprintf(out, "{\"address\": \"0x%" PRIx64 "\"", site->address);
    table_json_text(out, "function", site->function);
    table_json_text(out, "module", site->module);
    fprintf(out, ", \"module_offset\": %" PRIu64, site->module_offset);
    table_json_text(out, "source", site->source);
    fprintf(out,
            ", \"small_blocks\": %" PRIu64 ", \"small_bytes\": %" PRIu64
            ", \"large_blocks\": %" PRIu64 ", \"large_bytes\": %" PRIu64 ", \"freed\": %" PRIu64
            ", \"freed_bytes\": %" PRIu64 ", \"held_bytes\": %" PRIu64 ", \"elsewhere\": %" PRIu64
            ", \"resized\": %" PRIu64,
            site->blocks, site->bytes, table_sum(site->taken, HAK_SITE_SIZES), site->taken_bytes,
            site->freed, site->freed_bytes, table_held(site), site->elsewhere, site->resized);
    table_json_list(out, "sizes", site->taken, HAK_SITE_SIZES);
    table_json_list(out, "life", site->life, HAK_SITE_TIMES);
    table_json_list(out, "gap", site->gap, HAK_SITE_TIMES);
    table_json_steps(out, site);
    fputc('}', out);
}

void sites_print_json(FILE *out, const struct sites_list *list, size_t most) {
    fprintf(out, "{\"sites_version\": %d, \"sites\": [", TABLE_JSON_VERSION);
    for (size_t i = 0; i < list->count && i < most; i++) {
        fputs(i > 0 ? ",\n  " : "\n  ", out);
        table_json_site(out, &list->site[i]);
    }
    fputs("\n]}\n", out);
}
