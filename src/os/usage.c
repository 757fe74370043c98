/* SPDX-License-Identifier: MIT
 *
 * Header: os/usage.h.
 */
#include "os/usage.h"

#include "os/env.h"
#include "os/file.h"
#include "os/format.h"

#include <string.h>

/* The most that is read of a file line by line. */
#define USAGE_FILE_BYTES ((size_t)64 << 10)

/* What version 1 says instead of "no limit". */
#define USAGE_NO_LIMIT ((uint64_t)1 << 60)

/* The number at the start of a text; UINT64_MAX: there is none ("max"). */
static uint64_t usage_number(const char *text) {
    uint64_t n = 0;
    if (*text < '0' || *text > '9') return UINT64_MAX;
    for (; *text >= '0' && *text <= '9'; text++) n = n * 10 + (uint64_t)(*text - '0');
    return n;
}

/* Reads the start of a small file.  False: it is not there. */
static bool usage_read(const char *path, char text[HAK_USAGE_TEXT_BYTES]) {
    int fd = hak_file_open_read(path);
    if (fd < 0) return false;
    long count = hak_file_read(fd, text, HAK_USAGE_TEXT_BYTES - 1);
    hak_file_close(fd);
    text[count > 0 ? count : 0] = '\0';
    return count > 0;
}

size_t hak_usage_resident(void) {
    char text[HAK_USAGE_TEXT_BYTES];
    if (!usage_read("/proc/self/statm", text)) return 0;
    const char *resident = strchr(text, ' ');
    uint64_t pages = resident ? usage_number(resident + 1) : UINT64_MAX;
    return pages == UINT64_MAX ? 0 : (size_t)pages * hak_env_page_size();
}

/* ---- Finding the group ----------------------------------------------------------------------- */

/* Reads a file of a folder into group->text. */
static bool usage_read_in(struct hak_usage_group *group, const char *folder, const char *file) {
    hak_format_text(group->path, sizeof group->path, "%s/%s", folder, file);
    return usage_read(group->path, group->text);
}

/* Of the folder group->climbed. */
static uint64_t usage_limit(struct hak_usage_group *group, const char *file) {
    if (!usage_read_in(group, group->climbed, file)) return UINT64_MAX;
    uint64_t limit = usage_number(group->text);
    return limit < USAGE_NO_LIMIT ? limit : UINT64_MAX;
}

static uint64_t usage_group_limit(struct hak_usage_group *group, bool unified) {
    if (!unified) return usage_limit(group, "memory.limit_in_bytes");
    uint64_t high = usage_limit(group, "memory.high"), most = usage_limit(group, "memory.max");
    return high < most ? high : most;
}

/* Is this line of /proc/self/cgroup ("ID:CONTROLLERS:PATH") that of version 2 ("0::PATH"), or of
 * the version 1 group that counts memory?  Returns the path, or NULL. */
static const char *usage_line(const char *line, const char *end, bool unified) {
    const char *names = memchr(line, ':', (size_t)(end - line)), *path;
    if (!names || !(path = memchr(names + 1, ':', (size_t)(end - names) - 1))) return NULL;
    names++;
    if (unified) return line[0] == '0' && names == path ? path + 1 : NULL;
    while (names < path) {
        size_t length = strcspn(names, ",:");
        if (length == 6 && memcmp(names, "memory", 6) == 0) return path + 1;
        names += length + 1;
    }
    return NULL;
}

/* Sets group->climbed to the folder of the process's group. */
static bool usage_first_folder(struct hak_usage_group *group, const char *root, const char *mount,
                               bool unified) {
    const char *line, *path = NULL;
    size_t length;
    bool whole;
    hak_format_text(group->path, sizeof group->path, "%s/proc/self/cgroup", root);
    if (hak_lines_open(&group->lines, group->path, USAGE_FILE_BYTES) != 0) return false;
    while (!path && hak_lines_next(&group->lines, &line, &length, &whole)) {
        if (whole) path = usage_line(line, line + length, unified);
        if (path && hak_format_text(group->climbed, sizeof group->climbed, "%s%s%.*s", root, mount,
                                    (int)(line + length - path), path) >= sizeof group->climbed)
            path = NULL; /* too long */
    }
    hak_lines_close(&group->lines);
    return path != NULL;
}

/* Looks at a group and those that it is in, up to where they are mounted. */
static void usage_climb(struct hak_usage_group *group, size_t mount_length, bool unified) {
    for (;;) {
        uint64_t limit = usage_group_limit(group, unified);
        if (limit < group->limit) {
            group->limit = limit;
            group->unified = unified;
            memcpy(group->folder, group->climbed, sizeof group->folder);
        }
        char *last = strrchr(group->climbed, '/');
        if (!last || (size_t)(last - group->climbed) < mount_length) return;
        *last = '\0';
    }
}

bool hak_usage_find_group(const char *root, struct hak_usage_group *group) {
    static const struct {
        const char *mount;
        bool unified;
    } ways[] = {{"/sys/fs/cgroup", true},
                {"/sys/fs/cgroup/unified", true},
                {"/sys/fs/cgroup/memory", false}};
    group->limit = UINT64_MAX;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        /* In a container the path may be that outside: what is mounted is the group itself then. */
        if (usage_first_folder(group, root, ways[i].mount, ways[i].unified))
            usage_climb(group, strlen(root) + strlen(ways[i].mount), ways[i].unified);
    }
    return group->limit != UINT64_MAX;
}

/* ---- What it uses ---------------------------------------------------------------------------- */

/* The value of a line "NAME VALUE". */
static bool usage_named(const char *line, size_t length, const char *name, uint64_t *value) {
    size_t name_length = strlen(name);
    char text[32];
    if (length <= name_length + 1 || length - name_length > sizeof text) return false;
    if (memcmp(line, name, name_length) != 0 || line[name_length] != ' ') return false;
    memcpy(text, line + name_length + 1, length - name_length - 1);
    text[length - name_length - 1] = '\0';
    *value = usage_number(text);
    return true;
}

/* What the kernel can drop: the cache of files, but for that which is memory shared. */
static uint64_t usage_droppable(struct hak_usage_group *group) {
    const char *line;
    size_t length;
    bool whole;
    uint64_t files = 0, shared = 0;
    hak_format_text(group->path, sizeof group->path, "%s/memory.stat", group->folder);
    if (hak_lines_open(&group->lines, group->path, USAGE_FILE_BYTES) != 0) return 0;
    while (hak_lines_next(&group->lines, &line, &length, &whole)) {
        usage_named(line, length, group->unified ? "file" : "total_cache", &files);
        usage_named(line, length, group->unified ? "shmem" : "total_shmem", &shared);
    }
    hak_lines_close(&group->lines);
    return files > shared ? files - shared : 0;
}

/* "some avg10=1.23 ...": 123. */
static uint32_t usage_waits(struct hak_usage_group *group) {
    if (!group->unified || !usage_read_in(group, group->folder, "memory.pressure")) return 0;
    const char *at = strstr(group->text, "avg10="), *point = at ? strchr(at, '.') : NULL;
    if (!point || point[1] < '0' || point[1] > '9' || point[2] < '0' || point[2] > '9') return 0;
    uint64_t whole = usage_number(at + 6);
    if (whole > 100) return 0;
    return (uint32_t)whole * 100 + (uint32_t)(point[1] - '0') * 10 + (uint32_t)(point[2] - '0');
}

bool hak_usage_read_group(struct hak_usage_group *group, uint64_t *used, uint32_t *waits) {
    const char *file = group->unified ? "memory.current" : "memory.usage_in_bytes";
    if (!usage_read_in(group, group->folder, file)) return false;
    uint64_t all = usage_number(group->text), droppable = usage_droppable(group);
    *used = all > droppable ? all - droppable : 0;
    *waits = usage_waits(group);
    return true;
}
