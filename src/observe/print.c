/* SPDX-License-Identifier: MIT
 *
 * hak_stats_print of hakmem.h, and the reports at exit.  Allocates nothing: the text goes through a
 * buffer on the stack.
 */
#include "observe/print.h"

#include "config/option.h"
#include "hakmem.h"
#include "observe/census.h"
#include "os/report.h"
#include "os/writer.h"

#include <errno.h>

enum print_group { PRINT_MEMORY, PRINT_EVENTS, PRINT_SYSTEM };

/* One row for each figure of struct hak_stats, in the order of printing. */
static const struct print_row {
    const char *name;
    size_t offset;
    enum print_group group;
} print_rows[] = {
#define ROW(field, group) \
    { #field, offsetof(struct hak_stats, field), group }
    ROW(mapped, PRINT_MEMORY),
    ROW(live, PRINT_MEMORY),
    ROW(cached, PRINT_MEMORY),
    ROW(free_dirty, PRINT_MEMORY),
    ROW(purged, PRINT_MEMORY),
    ROW(metadata, PRINT_MEMORY),
    ROW(waste, PRINT_MEMORY),
    ROW(refills, PRINT_EVENTS),
    ROW(refill_inbox, PRINT_EVENTS),
    ROW(refill_slab, PRINT_EVENTS),
    ROW(refill_carve, PRINT_EVENTS),
    ROW(refill_adopted, PRINT_EVENTS),
    ROW(refill_fresh, PRINT_EVENTS),
    ROW(refill_failed, PRINT_EVENTS),
    ROW(free_flushed, PRINT_EVENTS),
    ROW(free_remote_sent, PRINT_EVENTS),
    ROW(free_remote_batches, PRINT_EVENTS),
    ROW(free_remote_drained, PRINT_EVENTS),
    ROW(free_forwarded, PRINT_EVENTS),
    ROW(free_foreign, PRINT_EVENTS),
    ROW(free_null, PRINT_EVENTS),
    ROW(flushes, PRINT_EVENTS),
    ROW(slabs_new, PRINT_EVENTS),
    ROW(slabs_empty, PRINT_EVENTS),
    ROW(slabs_adopted, PRINT_EVENTS),
    ROW(superslabs_empty, PRINT_EVENTS),
    ROW(superslabs_huge, PRINT_EVENTS),
    ROW(huge_allocs, PRINT_EVENTS),
    ROW(huge_frees, PRINT_EVENTS),
    ROW(heaps, PRINT_EVENTS),
    ROW(heaps_parked, PRINT_EVENTS),
    ROW(purged_bytes, PRINT_EVENTS),
    ROW(bigcache_hits, PRINT_EVENTS),
    ROW(bigcache_misses, PRINT_EVENTS),
    ROW(bigcache_puts, PRINT_EVENTS),
    ROW(bigcache_refused, PRINT_EVENTS),
    ROW(bigcache_expired, PRINT_EVENTS),
    ROW(bigcache_evicted, PRINT_EVENTS),
    ROW(bigcache_bytes, PRINT_EVENTS),
    ROW(os_mmap, PRINT_SYSTEM),
    ROW(os_munmap, PRINT_SYSTEM),
    ROW(os_mremap, PRINT_SYSTEM),
    ROW(os_mprotect, PRINT_SYSTEM),
    ROW(os_madvise_dontneed, PRINT_SYSTEM),
    ROW(os_madvise_free, PRINT_SYSTEM),
    ROW(os_madvise_hugepage, PRINT_SYSTEM),
    ROW(os_madvise_nohugepage, PRINT_SYSTEM),
    ROW(os_madvise_populate, PRINT_SYSTEM),
    ROW(os_mmap_failed, PRINT_SYSTEM),
    ROW(os_munmap_failed, PRINT_SYSTEM),
    ROW(os_mremap_failed, PRINT_SYSTEM),
    ROW(os_mprotect_failed, PRINT_SYSTEM),
    ROW(os_madvise_failed, PRINT_SYSTEM),
#undef ROW
};

#define PRINT_ROWS (sizeof print_rows / sizeof print_rows[0])

static unsigned long print_value(const struct hak_stats *stats, const struct print_row *row) {
    return (unsigned long)*(const uint64_t *)(const void *)((const char *)stats + row->offset);
}

static void print_rows_text(struct hak_writer *out, const struct hak_stats *stats,
                            enum print_group group) {
    for (size_t i = 0; i < PRINT_ROWS; i++) {
        if (print_rows[i].group != group) continue;
        hak_writer_printf(out, "  %-24s %16lu\n", print_rows[i].name,
                          print_value(stats, &print_rows[i]));
    }
}

static void print_text(struct hak_writer *out, const struct hak_stats *stats,
                       const struct hak_census *census) {
    hak_writer_printf(out, "hakmem %s statistics\n", hak_version());
    hak_writer_printf(
        out, "memory (bytes): mapped = live + cached + free_dirty + purged + metadata + waste\n");
    print_rows_text(out, stats, PRINT_MEMORY);
    hak_writer_printf(out, "events\n");
    print_rows_text(out, stats, PRINT_EVENTS);
    hak_writer_printf(out, "system calls\n");
    print_rows_text(out, stats, PRINT_SYSTEM);
    hak_writer_printf(out, "classes\n  %10s %8s %12s %12s %12s %12s\n", "block", "slabs", "live",
                      "cached", "refills", "flushes");
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        const struct hak_census_class *row = &census->class[class];
        if (!row->refills && !row->slabs) continue;
        hak_writer_printf(out, "  %10u %8lu %12lu %12lu %12lu %12lu\n",
                          hak_class_table[class].block_bytes, (unsigned long)row->slabs,
                          (unsigned long)(row->outside - row->magazine),
                          (unsigned long)(row->inside + row->magazine), (unsigned long)row->refills,
                          (unsigned long)row->flushes);
    }
}

static void print_json(struct hak_writer *out, const struct hak_stats *stats,
                       const struct hak_census *census) {
    hak_writer_printf(out, "{\"hakmem\": \"%s\", \"stats_version\": %u", hak_version(),
                      stats->version);
    for (size_t i = 0; i < PRINT_ROWS; i++) {
        hak_writer_printf(out, ",\n \"%s\": %lu", print_rows[i].name,
                          print_value(stats, &print_rows[i]));
    }
    hak_writer_printf(out, ",\n \"classes\": [");
    const char *separator = "";
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        const struct hak_census_class *row = &census->class[class];
        if (!row->refills && !row->slabs) continue;
        hak_writer_printf(out,
                          "%s\n  {\"block\": %u, \"slabs\": %lu, \"live\": %lu, \"cached\": %lu, "
                          "\"refills\": %lu, "
                          "\"flushes\": %lu}",
                          separator, hak_class_table[class].block_bytes, (unsigned long)row->slabs,
                          (unsigned long)(row->outside - row->magazine),
                          (unsigned long)(row->inside + row->magazine), (unsigned long)row->refills,
                          (unsigned long)row->flushes);
        separator = ",";
    }
    hak_writer_printf(out, "\n ]}\n");
}

static void print_all(struct hak_writer *out, enum hak_stats_format format) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION, .size = sizeof stats};
    struct hak_census census;
    hak_stats_read(&stats);
    hak_census_take(&census);
    if (format == HAK_STATS_JSON) print_json(out, &stats, &census);
    else print_text(out, &stats, &census);
}

int hak_stats_print(int fd, enum hak_stats_format format) {
    if (format != HAK_STATS_TEXT && format != HAK_STATS_JSON) {
        errno = EINVAL;
        return -1;
    }
    struct hak_writer out;
    hak_writer_init(&out, fd);
    print_all(&out, format);
    int result = hak_writer_finish(&out);
    if (result < 0) errno = -result;
    return result < 0 ? -1 : 0;
}

void hak_malloc_stats(void) {
    struct hak_writer out;
    if (!hak_report_has_stderr()) return;
    hak_writer_init(&out, 2);
    print_all(&out, HAK_STATS_TEXT);
    hak_writer_finish(&out);
}

static __attribute__((noinline)) void print_chosen(bool all) {
    char where[HAK_OPTION_TEXT_BYTES];
    hak_option_text(HAK_OPTION_STATS_FILE, where, sizeof where);
    struct hak_writer out;
    int result = hak_writer_open(&out, where);
    if (result == 0) {
        if (all) {
            bool json = hak_option_int(HAK_OPTION_STATS_FORMAT) == HAK_STATS_FORMAT_JSON;
            print_all(&out, json ? HAK_STATS_JSON : HAK_STATS_TEXT);
        } else {
            struct hak_stats stats = {.version = HAK_STATS_VERSION, .size = sizeof stats};
            hak_stats_read(&stats);
            hak_writer_printf(&out, "hakmem system calls\n");
            print_rows_text(&out, &stats, PRINT_SYSTEM);
        }
        result = hak_writer_finish(&out);
    }
    if (result < 0)
        hak_report("statistics can't be written to %s: error %d", *where ? where : "stderr",
                   -result);
}

HAK_STARTUP void hak_print_at_exit(void) {
    bool all = hak_option_int(HAK_OPTION_STATS), system = hak_option_int(HAK_OPTION_SS_OS_STATS);
    if (all || system) print_chosen(all);
}
