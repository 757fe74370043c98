/* SPDX-License-Identifier: MIT
 *
 * The memory of a process and of all that descend from it, as /proc shows it at one moment.
 */
#include "compare.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define TREE_DEPTH_MAX 64 /* generations looked back: more would be a circle of reused pids */

bool tree_read(pid_t pid, const char *name, char *out, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    const size_t length = fread(out, 1, size - 1, file);
    fclose(file);
    out[length] = '\0';
    return length > 0;
}

double tree_number(const char *text, const char *name) {
    const size_t length = strlen(name);
    for (const char *end = text; (end = strchr(end, '\n')) != NULL;) {
        if (strncmp(++end, name, length) == 0) return strtod(end + length, NULL);
    }
    return -1;
}

/* 0: there is none. */
static pid_t tree_parent(pid_t pid) {
    char text[512];
    if (!tree_read(pid, "stat", text, sizeof text)) return 0;
    const char *end = strrchr(text, ')'); /* of the name, in which anything may stand */
    return end != NULL && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : 0; /* ") S parent" */
}

static bool tree_descends(pid_t pid, pid_t root) {
    for (int depth = 0; depth < TREE_DEPTH_MAX && pid > 1; depth++) {
        if (pid == root) return true;
        pid = tree_parent(pid);
    }
    return false;
}

/* Shared pages count by their part; where the kernel does not say that, whole. */
static double tree_process_kib(pid_t pid) {
    char text[4096];
    double kib = -1;
    if (tree_read(pid, "smaps_rollup", text, sizeof text)) kib = tree_number(text, "Pss:");
    if (kib < 0 && tree_read(pid, "status", text, sizeof text)) kib = tree_number(text, "VmRSS:");
    return kib < 0 ? 0 : kib;
}

double tree_resident_kib(pid_t root) {
    double sum = 0;
    DIR *folder = opendir("/proc");
    if (folder == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && tree_descends(pid, root)) sum += tree_process_kib(pid);
    }
    closedir(folder);
    return sum;
}
