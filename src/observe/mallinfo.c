/* SPDX-License-Identifier: MIT
 *
 * mallinfo2(3), malloc_info(3) and mallopt(3) in hakmem's terms.
 */
#include "hakmem.h"

#include "config/option.h"
#include "observe/census.h"

#include <errno.h>

/* Parameters of mallopt(3), with glibc's values: musl's malloc.h has none. */
enum { MALLINFO_MXFAST = 1, MALLINFO_TRIM_THRESHOLD = -1, MALLINFO_CHECK_ACTION = -5 };

struct hak_mallinfo hak_mallinfo2(void) {
    struct hak_census census;
    hak_census_take(&census);
    struct hak_mallinfo info = {0};
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        info.ordblks += census.class[class].inside;
        info.smblks += census.class[class].magazine;
        info.fsmblks += census.class[class].magazine * hak_class_table[class].block_bytes;
    }
    info.arena = census.mapped - census.metadata - census.huge_bytes;
    info.hblks = census.huge_blocks;
    info.hblkhd = census.huge_bytes;
    info.uordblks = census.live;
    info.fordblks = census.cached + census.free_dirty;
    info.keepcost = census.free_dirty;
    return info;
}

int hak_malloc_info(int options, FILE *stream) {
    if (options != 0) {
        errno = EINVAL;
        return -1;
    }
    struct hak_census census;
    hak_census_take(&census);
    fprintf(stream, "<malloc version=\"hakmem-%s\">\n<sizes>\n", hak_version());
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        const struct hak_census_class *row = &census.class[class];
        if (!row->slabs) continue;
        fprintf(stream, "<size from=\"%u\" to=\"%u\" total=\"%lu\" count=\"%lu\"/>\n",
                hak_class_table[class - 1].block_bytes + 1, hak_class_table[class].block_bytes,
                (unsigned long)((row->inside + row->magazine) * hak_class_table[class].block_bytes),
                (unsigned long)(row->inside + row->magazine));
    }
    fprintf(stream,
            "</sizes>\n<total type=\"live\" size=\"%lu\"/>\n<total type=\"cached\" size=\"%lu\"/>\n"
            "<total type=\"mmap\" count=\"%lu\" size=\"%lu\"/>\n<system type=\"current\" "
            "size=\"%lu\"/>\n"
            "</malloc>\n",
            (unsigned long)census.live, (unsigned long)census.cached,
            (unsigned long)census.huge_blocks, (unsigned long)census.huge_bytes,
            (unsigned long)census.mapped);
    return ferror(stream) ? -1 : 0;
}

int hak_mallopt(int param, int value) {
    switch (param) {
    case MALLINFO_CHECK_ACTION: /* bit 1: abort; without it: go on */
        hak_option_write("on_error", value & 2 ? "abort" : "report");
        return 1;
    case MALLINFO_TRIM_THRESHOLD: /* negative: never trim */
        if (value < 0) hak_option_write("purge_delay_ms", "-1");
        return 1;
    case MALLINFO_MXFAST:
        return value >= 0 && value <= 160; /* glibc's range; hakmem has no such limit */
    default:
        return 1; /* accepted: there is nothing of ours that it would change */
    }
}
