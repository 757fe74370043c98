/* SPDX-License-Identifier: MIT
 *
 * Header: policy/taught.h.
 */
#include "policy/taught.h"

#include "config/option.h"
#include "os/lines.h"
#include "os/module.h"
#include "os/report.h"
#include "policy/steps.h"
#include "span/arena.h"

#include <string.h>

#define TAUGHT_PLACES     (2 * HAK_TAUGHT_SITES_MAX)
#define TAUGHT_FILE_MAX   (1u << 20)
#define TAUGHT_NAME_BYTES 256

/* A site by a hash of 64 bits: two of them are the same one in a file in 2^40. */
struct taught_site {
    uint64_t key; /* 0: none */
    unsigned step;
};

struct taught_table {
    uint32_t count;
    struct taught_site site[TAUGHT_PLACES]; /* by key, then the next ones */
};

static _Atomic(struct taught_table *) taught_table; /* atomic, set once */
static _Atomic bool taught_loading;                 /* atomic: somebody has begun */

/* ---- A line ---------------------------------------------------------------------------------- */

/* FNV-1a, 64 bits. */
static uint64_t taught_key(const char *module, size_t length, uintptr_t offset) {
    uint64_t key = 14695981039346656037u;
    for (size_t i = 0; i < length; i++) key = (key ^ (unsigned char)module[i]) * 1099511628211u;
    for (unsigned i = 0; i < sizeof offset; i++)
        key = (key ^ (offset >> i * 8 & 0xff)) * 1099511628211u;
    return key ? key : 1;
}

/* Takes the word before the first blank off the text; false: there is none. */
static bool taught_word(const char **text, size_t *length, const char **word, size_t *size) {
    const char *blank = *length ? memchr(*text, ' ', *length) : NULL;
    if (!blank || blank == *text) return false;
    *word = *text;
    *size = (size_t)(blank - *text);
    *length -= *size + 1;
    *text = blank + 1;
    return true;
}

static bool taught_hex(const char *word, size_t size, uintptr_t *out) {
    uintptr_t value = 0;
    if (size > 2 * sizeof value) return false;
    for (size_t i = 0; i < size; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = word[i] ? strchr(digits, word[i]) : NULL;
        if (!digit) return false;
        value = value << 4 | (uintptr_t)(digit - digits);
    }
    *out = value;
    return size != 0;
}

static bool taught_keep(const char *word, size_t size, unsigned *step) {
    static const char *const names[HAK_STEPS] = {"0", "10", "100", "1000", "10000", "ever"};
    for (*step = 0; *step < HAK_STEPS; ++*step)
        if (strlen(names[*step]) == size && !memcmp(word, names[*step], size)) return true;
    return false;
}

const char *hak_taught_parse(const char *text, size_t length, struct hak_taught *out) {
    const char *word;
    size_t size;
    if (!taught_word(&text, &length, &word, &size) || !taught_hex(word, size, &out->offset))
        return "the offset is no hexadecimal number";
    if (!taught_word(&text, &length, &word, &size) || !taught_keep(word, size, &out->step))
        return "the time to keep is none of 0, 10, 100, 1000, 10000, ever";
    const char *tab = length ? memchr(text, '\t', length) : NULL;
    out->module = text;
    out->module_length = tab ? (size_t)(tab - text) : length;
    out->symbol = tab ? tab + 1 : NULL;
    out->symbol_length = tab ? length - out->module_length - 1 : 0;
    return out->module_length ? NULL : "the name of a file is missing";
}

/* ---- The file -------------------------------------------------------------------------------- */

/* The place of a key in the table, or an empty one for it. */
static struct taught_site *taught_place(struct taught_table *table, uint64_t key) {
    uint64_t at = key;
    while (table->site[at % TAUGHT_PLACES].key && table->site[at % TAUGHT_PLACES].key != key) at++;
    return &table->site[at % TAUGHT_PLACES];
}

static const char *taught_line(struct taught_table *table, const char *line, size_t length,
                               bool *ended) {
    struct hak_taught one;
    if (*ended) return "text behind the end";
    if (length == 3 && !memcmp(line, "end", 3)) {
        *ended = true;
        return NULL;
    }
    if (length < 5 || memcmp(line, "site ", 5) != 0) return "not a line of a policy file";
    const char *wrong = hak_taught_parse(line + 5, length - 5, &one);
    if (wrong) return wrong;
    if (table->count == HAK_TAUGHT_SITES_MAX) return "more than 4096 sites";
    uint64_t key = taught_key(one.module, one.module_length, one.offset);
    struct taught_site *place = taught_place(table, key);
    table->count += !place->key;
    *place = (struct taught_site){key, one.step};
    return NULL;
}

static const char *taught_first(const char *line, size_t length) {
    static const char magic[] = HAK_TAUGHT_MAGIC, name[] = "hakmem policy ";
    if (length == sizeof magic - 1 && !memcmp(line, magic, length)) return NULL;
    return length >= sizeof name - 1 && !memcmp(line, name, sizeof name - 1)
               ? "made by another version of hakmem"
               : "not a policy file";
}

/* What is wrong with the file, and in which line; NULL: nothing. */
static const char *taught_read(struct taught_table *table, struct hak_lines *lines,
                               unsigned *number) {
    const char *line, *wrong = NULL;
    size_t length;
    bool whole, ended = false;
    for (*number = 1; !wrong && hak_lines_next(lines, &line, &length, &whole); ++*number) {
        if (!whole) wrong = "the line is too long";
        else if (*number == 1) wrong = taught_first(line, length);
        else wrong = taught_line(table, line, length, &ended);
    }
    --*number;
    return wrong || ended ? wrong : "ends in the middle: the file is damaged";
}

static __attribute__((noinline)) void taught_load_file(const char *path) {
    struct hak_lines lines;
    struct taught_table *table = hak_arena_map(hak_align_up(sizeof *table, HAK_UNIT_BYTES));
    int error = table ? hak_lines_open(&lines, path, TAUGHT_FILE_MAX) : 0;
    if (!table || error < 0) {
        hak_report("policy file %s can't be read: error %d; the fixed policy is used", path,
                   -error);
        return;
    }
    unsigned number;
    const char *wrong = taught_read(table, &lines, &number);
    error = hak_lines_close(&lines);
    if (error) wrong = "can't be read to its end";
    if (wrong) {
        hak_report("policy file %s:%u: %s; the fixed policy is used", path, number, wrong);
        return;
    }
    /* release: readers see it filled */
    atomic_store_explicit(&taught_table, table, memory_order_release);
}

HAK_STARTUP void hak_taught_load(void) {
    char path[HAK_OPTION_TEXT_BYTES];
    hak_option_text(HAK_OPTION_POLICY_FILE, path, sizeof path);
    if (!*path || atomic_exchange_explicit(&taught_loading, true, memory_order_relaxed)) return;
    taught_load_file(path);
}

bool hak_taught_any(void) {
    return atomic_load_explicit(&taught_table, memory_order_relaxed) != NULL;
}

int hak_taught_step(uintptr_t address) {
    struct taught_table *table = atomic_load_explicit(&taught_table, memory_order_acquire);
    char name[TAUGHT_NAME_BYTES];
    uintptr_t offset;
    if (!table || !hak_module_find(address, name, sizeof name, &offset)) return -1;
    const struct taught_site *site = taught_place(table, taught_key(name, strlen(name), offset));
    return site->key ? (int)site->step : -1;
}
