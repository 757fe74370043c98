/* SPDX-License-Identifier: MIT
 *
 * Reads a file that the library has written (front/site_file.h).  Whatever is wrong with it is
 * said with its line; then nothing of it is used.
 */
#include "sites.h"

#include "front/site_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct sites_site *sites_add(struct sites_list *list, uint64_t address) {
    for (size_t i = 0; i < list->count; i++)
        if (list->site[i].address == address) return &list->site[i];
    if ((list->count & (list->count - 1)) == 0) { /* a power of two: full */
        size_t room = list->count ? 2 * list->count : 1;
        struct sites_site *larger = reallocarray(list->site, room, sizeof *larger);
        if (larger == NULL) return NULL;
        list->site = larger;
    }
    struct sites_site *site = &list->site[list->count++];
    *site = (struct sites_site){.address = address};
    return site;
}

void sites_free(struct sites_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->site[i].function);
        free(list->site[i].symbol);
        free(list->site[i].module);
        free(list->site[i].source);
    }
    free(list->site);
    free(list->maps);
    *list = (struct sites_list){0};
}

/* A number of the given base that ends at one of the letters in `ends`, or at the end. */
static bool saved_number(const char **at, int base, const char *ends, uint64_t *out) {
    char *end;
    if (**at == '\0' || strchr("0123456789abcdef", **at) == NULL) return false;
    errno = 0;
    *out = strtoull(*at, &end, base);
    if (errno != 0 || (*end != '\0' && strchr(ends, *end) == NULL)) return false;
    *at = end;
    return true;
}

/* Adds "1,2,3" to the counts. */
static bool saved_list(const char **at, uint64_t *counts, size_t most) {
    for (size_t i = 0; i < most; i++) {
        uint64_t value;
        if (!saved_number(at, 10, " ,", &value)) return false;
        counts[i] += value;
        if (**at != ',') return true;
        (*at)++;
    }
    return false;
}

/* Adds one NAME=VALUE.  Names that a later version may have are an error: its file has another
 * first line. */
static bool saved_value(struct sites_site *site, const char **at) {
    const struct {
        const char *name;
        uint64_t *counts;
        size_t most;
    } values[] = {
        {"blocks", &site->blocks, 1},
        {"bytes", &site->bytes, 1},
        {"taken_bytes", &site->taken_bytes, 1},
        {"freed", &site->freed, 1},
        {"freed_bytes", &site->freed_bytes, 1},
        {"elsewhere", &site->elsewhere, 1},
        {"resized", &site->resized, 1},
        {"taken", site->taken, HAK_SITE_SIZES},
        {"life", site->life, HAK_SITE_TIMES},
        {"gap", site->gap, HAK_SITE_TIMES},
        {"gaps", &site->gaps, 1},
        {"moves", &site->moves, 1},
        {"step", &site->step, 1},
        {"fixed_step", &site->fixed_step, 1},
        {"state", &site->state, 1},
        {"paid", &site->paid, 1},
        {"fixed", &site->fixed, 1},
    };
    const size_t length = strcspn(*at, "=");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (strlen(values[i].name) != length || strncmp(*at, values[i].name, length) != 0) continue;
        *at += length;
        if (**at != '=') return false;
        (*at)++;
        return saved_list(at, values[i].counts, values[i].most);
    }
    return false;
}

static const char *saved_site(struct sites_list *list, const char *at) {
    uint64_t address;
    if (!saved_number(&at, 16, " ", &address)) return "no address";
    struct sites_site *site = sites_add(list, address);
    if (site == NULL) return strerror(ENOMEM);
    while (*at == ' ') {
        at++;
        if (!saved_value(site, &at)) return "not a known NAME=VALUE";
    }
    if (*at != '\0') return "unexpected text";
    return site->step < HAK_STEPS && site->fixed_step < HAK_STEPS ? NULL : "there is no such step";
}

static const char *saved_map(FILE *maps, const char *line) {
    return fprintf(maps, "%s\n", line) < 0 ? strerror(errno) : NULL;
}

/* What is wrong with a line; NULL: nothing.  *ended: it was the last one. */
static const char *saved_line(struct sites_list *list, FILE *maps, const char *line, size_t number,
                              bool *ended) {
    if (*ended) return "text behind the end";
    if (number == 1) {
        if (strcmp(line, HAK_SITE_FILE_MAGIC) == 0) return NULL;
        return strncmp(line, "hakmem sites ", 13) == 0
                   ? "made by another version of hakmem, whose files this one can't read"
                   : "not a table of sites";
    }
    if (strncmp(line, "site ", 5) == 0) return saved_site(list, line + 5);
    if (strncmp(line, "map ", 4) == 0) return saved_map(maps, line + 4);
    *ended = strcmp(line, "end") == 0;
    return *ended ? NULL : "not a line of a table of sites";
}

static bool saved_read(struct sites_list *list, FILE *maps, FILE *file, const char *path) {
    char *line = NULL;
    size_t room = 0, number = 0;
    bool ended = false;
    const char *wrong = NULL;
    ssize_t length;
    while (wrong == NULL && (length = getline(&line, &room, file)) > 0) {
        number++;
        if (line[length - 1] == '\n') line[length - 1] = '\0';
        wrong = strlen(line) + 1 < (size_t)length ? "not text"
                                                  : saved_line(list, maps, line, number, &ended);
    }
    if (wrong == NULL && ferror(file)) wrong = strerror(errno);
    if (wrong == NULL && !ended) wrong = "ends in the middle: the file is damaged";
    if (wrong != NULL)
        fprintf(stderr, "%s: %s:%zu: %s\n", program_invocation_name, path, number, wrong);
    free(line);
    return wrong == NULL;
}

bool sites_from_file(struct sites_list *list, const char *path) {
    size_t bytes;
    FILE *file = fopen(path, "re");
    FILE *maps = open_memstream(&list->maps, &bytes);
    bool read = false;
    if (file == NULL || maps == NULL)
        fprintf(stderr, "%s: %s: %s\n", program_invocation_name, path, strerror(errno));
    else read = saved_read(list, maps, file, path);
    if (file != NULL) fclose(file);
    if (maps != NULL) fclose(maps);
    return read;
}

bool sites_is_file(const char *path) {
    char line[sizeof HAK_SITE_FILE_MAGIC] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    const bool is_table = fgets(line, sizeof line, file) != NULL &&
                          strncmp(line, "hakmem sites", 12) == 0;
    fclose(file);
    return is_table;
}
