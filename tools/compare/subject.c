/* SPDX-License-Identifier: MIT
 *
 * Which allocators are compared: what --with says, or those that are installed of the ones in
 * subject_known[].  A name of that table is preloaded by its soname, so that the dynamic loader
 * finds it wherever the system has it.
 */
#include "compare.h"

#include "../tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUBJECT_SONAMES 4

/* Newest first. */
static const struct {
    const char *name;
    const char *soname[SUBJECT_SONAMES];
} subject_known[] = {
    {"mimalloc", {"libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so"}},
    {"jemalloc", {"libjemalloc.so.2", "libjemalloc.so"}},
    {"tcmalloc", {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4", "libtcmalloc_minimal.so"}},
    {"tbbmalloc", {"libtbbmalloc_proxy.so.2", "libtbbmalloc_proxy.so"}},
    {"snmalloc", {"libsnmallocshim.so"}},
    {"rpmalloc", {"librpmallocwrap.so"}},
};

#define SUBJECT_KNOWN (sizeof subject_known / sizeof *subject_known)

struct compare_subject *subject_find(struct compare_plan *plan, const char *name) {
    for (size_t i = 0; i < plan->subjects; i++) {
        if (strcmp(plan->subject[i].name, name) == 0) return &plan->subject[i];
    }
    return NULL;
}

/* ---- Libraries ------------------------------------------------------------------------------- */

static bool subject_take(const char *preload, char *out, char *why, size_t size) {
    if (!probe_run(preload, preload, why, size)) return false;
    snprintf(out, PATH_MAX, "%s", preload);
    return true;
}

static bool subject_take_path(const char *path, char *out, char *why, size_t size) {
    char absolute[PATH_MAX];
    return library_resolve(path, absolute, why, size) && subject_take(absolute, out, why, size);
}

static bool subject_take_known(const char *const *soname, char *out, char *why, size_t size) {
    for (size_t i = 0; i < SUBJECT_SONAMES && soname[i] != NULL; i++) {
        if (subject_take(soname[i], out, why, size)) return true;
    }
    return false;
}

/* A path, or one of the names: what LD_PRELOAD is to hold. */
static bool subject_locate(const struct compare_plan *plan, const char *library, char *out,
                           char *why, size_t size) {
    if (strchr(library, '/') != NULL) return subject_take_path(library, out, why, size);
    if (strcmp(library, "hakmem") == 0) {
        return subject_take_path(plan->library, out, why, size);
    }
    /* Preloaded by name, libc comes before an allocator that the program is linked with. */
    if (strcmp(library, "glibc") == 0) return subject_take("libc.so.6", out, why, size);
    if (strcmp(library, "own") == 0) {
        out[0] = '\0';
        return true;
    }
    for (size_t i = 0; i < SUBJECT_KNOWN; i++) {
        if (strcmp(library, subject_known[i].name) != 0) continue;
        return subject_take_known(subject_known[i].soname, out, why, size);
    }
    snprintf(why, size, "no allocator is known as \"%s\"; give its library as NAME=PATH", library);
    return false;
}

/* ---- Subjects -------------------------------------------------------------------------------- */

/* Splits "[VARIABLE=VALUE...] [LIBRARY]"; the words are in `text`, which is kept. */
static const char *subject_split(char *text, char **settings) {
    const char *library = NULL;
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (strchr(word, '=') != NULL && strchr(word, '/') != word) *settings++ = word;
        else library = word;
    }
    return library;
}

bool subject_add(struct compare_plan *plan, const char *text, char *why, size_t size) {
    const size_t length = strcspn(text, "=");
    struct compare_subject subject = {.served = NULL};
    if (length == 0 || length >= sizeof subject.name) {
        snprintf(why, size, "a name of 1 to %zu letters is needed", sizeof subject.name - 1);
        return false;
    }
    memcpy(subject.name, text, length);
    if (subject_find(plan, subject.name) != NULL) {
        snprintf(why, size, "there is one of that name already");
        return false;
    }
    char *words = compare_text("%s", text[length] == '\0' ? "" : text + length + 1);
    subject.settings = compare_alloc(strlen(words) / 2 + 2, sizeof *subject.settings);
    const char *library = subject_split(words, subject.settings);
    if (library == NULL) library = subject.name;
    if (!subject_locate(plan, library, subject.preload, why, size)) {
        free(subject.settings);
        free(words);
        return false;
    }
    struct compare_subject *all = reallocarray(plan->subject, plan->subjects + 1,
                                               sizeof *plan->subject);
    if (all == NULL) compare_fail("%s", strerror(ENOMEM));
    all[plan->subjects++] = subject;
    plan->subject = all;
    return true;
}

void subject_add_known(struct compare_plan *plan) {
    char why[COMPARE_PROBLEM_BYTES];
    for (size_t i = 0; i < SUBJECT_KNOWN; i++) {
        subject_add(plan, subject_known[i].name, why, sizeof why);
    }
}
