/* SPDX-License-Identifier: MIT
 *
 * Values go from the gathering thread's stack into the cells by compare-and-swap from "nothing
 * stored", so a thread that comes late can't undo what hak_option_write has changed meanwhile.
 */
#include "config/option.h"

#include "config/parse.h"
#include "config/profile.h"
#include "os/env.h"
#include "os/report.h"
#include "os/syscall.h"

#include <errno.h>
#include <hakmem.h>

#define OPTION_QUOTE_(x)         #x
#define OPTION_VERSION_(a, b, c) OPTION_QUOTE_(a) "." OPTION_QUOTE_(b) "." OPTION_QUOTE_(c)
#define OPTION_VERSION \
    OPTION_VERSION_(HAKMEM_VERSION_MAJOR, HAKMEM_VERSION_MINOR, HAKMEM_VERSION_PATCH)

_Atomic int64_t hak_option_cell[HAK_OPTION_COUNT];

/* atomic, relaxed: written before option_ready, by everybody with the same bytes */
HAK_TABLE _Atomic char hak_option_texts[HAK_OPTION_TEXT_COUNT][HAK_OPTION_TEXT_BYTES];

/* atomic: set with release when all cells and texts are stored, read with acquire */
static _Atomic bool option_ready;

/* atomic, relaxed: claimed by the one thread that may warn */
static _Atomic bool option_said;

static int64_t option_encode(int64_t value) {
    return value * 2 + 1;
}

static void option_store_all(const struct hak_values *values) {
    for (int id = 0; id < HAK_OPTION_COUNT; id++) {
        int64_t nothing = 0;
        atomic_compare_exchange_strong_explicit(&hak_option_cell[id], &nothing,
                                                option_encode(values->number[id]),
                                                memory_order_relaxed, memory_order_relaxed);
    }
    for (int text = 0; text < HAK_OPTION_TEXT_COUNT; text++) {
        /* up to its zero, which is there */
        for (const char *from = values->text[text]; *from; from++) {
            atomic_store_explicit(&hak_option_texts[text][from - values->text[text]], *from,
                                  memory_order_relaxed);
        }
    }
    atomic_store_explicit(&option_ready, true, memory_order_release);
}

void hak_option_init_from(const struct hak_sources *sources) {
    if (atomic_load_explicit(&option_ready, memory_order_acquire)) return;
    hak_report_start();
    struct hak_values values;
    const bool quiet = !hak_report_first(&option_said);
    hak_source_collect(sources, &values, quiet);
    option_store_all(&values);
}

void hak_option_init(void) {
    if (hak_likely(atomic_load_explicit(&option_ready, memory_order_acquire))) return;
    struct hak_sources sources;
    hak_source_of_process(&sources);
    hak_option_init_from(&sources);
}

void hak_option_text(enum hak_option_id id, char *out, size_t size) {
    const unsigned text = hak_table_text_index(id);
    const bool ready = atomic_load_explicit(&option_ready, memory_order_acquire);
    size_t i = 0;
    for (; ready && i + 1 < size && i < HAK_OPTION_TEXT_BYTES; i++) {
        out[i] = atomic_load_explicit(&hak_option_texts[text][i], memory_order_relaxed);
        if (out[i] == '\0') return;
    }
    if (size > 0) out[i] = '\0';
}

int hak_option_read(const char *name, char *out, size_t size) {
    hak_option_init();
    const int found = hak_table_find(hak_slice_of(name));
    if (found < 0) return -ENOENT;
    const enum hak_option_id id = (enum hak_option_id)found;
    if (hak_option_table[id].type == HAK_OPTION_TEXT) {
        hak_option_text(id, out, size);
    } else {
        hak_parse_show(&hak_option_table[id], hak_option_int(id), out, size);
    }
    return 0;
}

static void option_store(enum hak_option_id id, int64_t value) {
    atomic_store_explicit(&hak_option_cell[id], option_encode(value), memory_order_relaxed);
}

int hak_option_write(const char *name, const char *value) {
    int64_t number;
    hak_option_init();
    const int id = hak_table_find(hak_slice_of(name));
    if (id < 0) return -ENOENT;
    if (hak_option_table[id].when != HAK_OPTION_RUN) return -EPERM;
    if (hak_parse_value(&hak_option_table[id], hak_slice_of(value), &number) != 0) return -EINVAL;

    option_store((enum hak_option_id)id, number);
    if (id != HAK_OPTION_PROFILE) return 0;
    for (int row = 0; row < HAK_PROFILE_ROW_COUNT; row++) {
        option_store(hak_profile_table[row].id, hak_profile_table[row].value[number]);
    }
    return 0;
}

void hak_option_announce(void) {
    char profile[16], check[16];
    if (hak_option_int(HAK_OPTION_VERBOSE) == 0) return;
    hak_option_read("profile", profile, sizeof profile);
    hak_option_read("check", check, sizeof check);
    hak_report("version %s serves %s (process %ld): profile %s, check %s", OPTION_VERSION,
               hak_env_program(), hak_syscall1(SYS_getpid, 0), profile, check);
}
