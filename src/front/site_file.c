/* SPDX-License-Identifier: MIT
 *
 * Writes the table of sites.  Header: front/site_file.h.
 */
#include "front/site_file.h"

#include "config/option.h"
#include "hakmem.h"
#include "os/lines.h"
#include "os/report.h"
#include "os/whole.h"

#include <errno.h>
#include <string.h>

__attribute__((visibility("default"))) const struct hak_site_root hak_site_root = {
    .magic = HAK_SITE_ROOT_MAGIC,
    .site_bytes = sizeof(struct hak_site),
    .large_bytes = sizeof(struct hak_site_large),
    .keep_bytes = sizeof(struct hak_keep_site),
    .table = hak_site_table,
    .used = &hak_site_used,
    .keep = hak_keep_table,
};

static unsigned long file_count(const hak_count_t *count) {
    return (unsigned long)hak_counter_read(count);
}

/* "name=1,2,3", without the zeros at the end; nothing if all are zero. */
static void file_list(struct hak_writer *out, const char *name, const hak_count_t *counts,
                      unsigned count) {
    while (count && !file_count(&counts[count - 1])) count--;
    for (unsigned i = 0; i < count; i++)
        hak_writer_printf(out, i ? "%s%lu" : " %s=%lu", i ? "," : name, file_count(&counts[i]));
}

static void file_large(struct hak_writer *out, struct hak_site_large *large) {
    hak_writer_printf(out, " taken_bytes=%lu freed=%lu freed_bytes=%lu elsewhere=%lu resized=%lu",
                      file_count(&large->taken_bytes), file_count(&large->freed),
                      file_count(&large->freed_bytes), file_count(&large->elsewhere),
                      file_count(&large->resized));
    file_list(out, "taken", large->taken, HAK_SITE_SIZES);
    file_list(out, "life", large->life, HAK_SITE_TIMES);
    file_list(out, "gap", large->gap, HAK_SITE_TIMES);
}

static void file_steps(struct hak_writer *out, const struct hak_steps *steps) {
    hak_writer_printf(out, " gaps=%u moves=%u step=%u fixed_step=%u state=%u paid=%lu fixed=%lu",
                      steps->gaps, steps->moves, steps->step, steps->fixed_step, steps->state,
                      (unsigned long)steps->paid, (unsigned long)steps->fixed);
}

static void file_site(struct hak_writer *out, uint16_t number) {
    struct hak_site *site = &hak_site_table[number];
    struct hak_steps steps;
    unsigned long address = atomic_load_explicit(&site->address, memory_order_relaxed);
    struct hak_site_large *large = atomic_load_explicit(&site->large, memory_order_acquire);
    unsigned long blocks = file_count(&site->blocks);
    if (!blocks && !large) return;
    hak_writer_printf(out, "site %lx blocks=%lu bytes=%lu", address, blocks,
                      file_count(&site->bytes));
    if (large) file_large(out, large);
    if (hak_keep_read(number, &steps)) file_steps(out, &steps);
    hak_writer_printf(out, "\n");
}

/* The lines of /proc/self/maps that are of files.  Without /proc the names of the sites can't be
 * found, but their numbers are there.  A path that is too long is left out. */
static void file_maps(struct hak_writer *out) {
    struct hak_lines lines;
    const char *line;
    size_t length;
    bool whole, was_whole = true;
    if (hak_lines_open(&lines, "/proc/self/maps", SIZE_MAX) < 0) return;
    for (; hak_lines_next(&lines, &line, &length, &whole); was_whole = whole) {
        if (whole && was_whole && memchr(line, '/', length))
            hak_writer_printf(out, "map %.*s\n", (int)length, line);
    }
    hak_lines_close(&lines);
}

static int file_write(const char *path) {
    struct hak_whole file;
    int result = hak_whole_open(&file, path);
    if (result < 0) return result;
    struct hak_writer *out = &file.writer;
    hak_writer_printf(out, "%s\n", HAK_SITE_FILE_MAGIC);
    uint32_t count = hak_site_count();
    for (uint32_t i = 0; i < count; i++) file_site(out, (uint16_t)i);
    file_maps(out);
    hak_writer_printf(out, "end\n");
    return hak_whole_close(&file, 0);
}

int hak_sites_write(const char *path) {
    int result = path && *path ? file_write(path) : -EINVAL;
    if (result < 0) errno = -result;
    return result < 0 ? -1 : 0;
}

static __attribute__((noinline)) void file_write_at_exit(const char *path) {
    int result = file_write(path);
    if (result < 0)
        hak_report("the table of call sites can't be written to %s: error %d", path, -result);
}

HAK_STARTUP void hak_site_file_at_exit(void) {
    char path[HAK_OPTION_TEXT_BYTES];
    hak_option_text(HAK_OPTION_SITES_FILE, path, sizeof path);
    if (*path) file_write_at_exit(path);
}
