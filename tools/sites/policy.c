/* SPDX-License-Identifier: MIT
 *
 * Policy files (policy/taught.h): written from what sites have learned, and checked before a run.
 * A site of the program itself that a rebuild has moved is found by its symbol.
 */
#include "sites.h"

#include "../file.h"
#include "../tool.h"
#include "policy/taught.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Writing ---- */

static void policy_line(FILE *out, uint64_t offset, unsigned step, const char *module,
                        const char *symbol) {
    const uint32_t keep_ms = hak_steps_keep_ms(step);
    fprintf(out, "site %" PRIx64 " ", offset);
    if (keep_ms == UINT32_MAX) fputs("ever", out);
    else fprintf(out, "%" PRIu32, keep_ms);
    fprintf(out, " %s", module);
    if (symbol != NULL) fprintf(out, "\t%s", symbol);
    fputc('\n', out);
}

long policy_write(const struct sites_list *list, const char *path) {
    struct file file;
    long count = 0;
    if (!file_open(&file, path)) return -1;
    fprintf(file.out, "%s\n", HAK_TAUGHT_MAGIC);
    for (size_t i = 0; i < list->count && count < HAK_TAUGHT_SITES_MAX; i++) {
        const struct sites_site *site = &list->site[i];
        if (site->gaps == 0 || site->module == NULL) continue;
        policy_line(file.out, site->module_offset, (unsigned)site->step, program_base(site->module),
                    site->symbol);
        count++;
    }
    fputs("end\n", file.out);
    return file_close(&file) ? count : -1;
}

/* ---- Where a symbol is now ---- */

struct policy_search {
    const char *name;
    size_t length;
    uint64_t found; /* as the file's headers count; 0: not yet */
};

static int policy_look(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr start,
                       void *argument) {
    (void)user;
    (void)name;
    (void)start;
    struct policy_search *search = argument;
    GElf_Addr bias = 0;
    dwfl_module_getelf(module, &bias);
    const int count = dwfl_module_getsymtab(module);
    for (int i = 1; i < count && search->found == 0; i++) {
        GElf_Sym symbol;
        GElf_Addr address;
        const char *text = dwfl_module_getsym_info(module, i, &symbol, &address, NULL, NULL, NULL);
        if (text == NULL || symbol.st_shndx == SHN_UNDEF || strlen(text) != search->length)
            continue;
        if (memcmp(text, search->name, search->length) == 0) search->found = address - bias;
    }
    return DWARF_CB_OK;
}

static Dwfl *policy_open(const char *program) {
    static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_build_id_find_elf,
                                             .section_address = dwfl_offline_section_address,
                                             .find_debuginfo = dwfl_standard_find_debuginfo};
    Dwfl *dwfl = program != NULL ? dwfl_begin(&callbacks) : NULL;
    if (dwfl == NULL) return NULL;
    dwfl_report_begin(dwfl);
    if (dwfl_report_offline(dwfl, "", program, -1) != NULL &&
        dwfl_report_end(dwfl, NULL, NULL) == 0) {
        return dwfl;
    }
    dwfl_end(dwfl);
    return NULL;
}

/* Where NAME+0xOFFSET is in the program now; what it was, if that is not found. */
static uint64_t policy_place(Dwfl *dwfl, const struct hak_taught *site) {
    char text[512];
    if (dwfl == NULL || site->symbol == NULL || site->symbol_length >= sizeof text)
        return site->offset;
    memcpy(text, site->symbol, site->symbol_length);
    text[site->symbol_length] = '\0';
    char *plus = strrchr(text, '+'), *end;
    const uint64_t offset = plus != NULL ? strtoull(plus + 1, &end, 16) : 0;
    if (plus == NULL || *end != '\0') return site->offset;
    struct policy_search search = {.name = text, .length = (size_t)(plus - text)};
    dwfl_getmodules(dwfl, policy_look, &search, 0);
    return search.found != 0 ? search.found + offset : site->offset;
}

/* ---- Checking ---- */

struct policy_check {
    Dwfl *dwfl;       /* of the program; NULL: not known */
    const char *base; /* its name without folders */
    FILE *anew;
    size_t moved;
    bool ended;
};

/* What is wrong with a line, or NULL.  Writes it anew. */
static const char *policy_check_line(struct policy_check *check, const char *line, size_t number) {
    struct hak_taught site;
    if (check->ended) return "text behind the end";
    if (number == 1) {
        fprintf(check->anew, "%s\n", HAK_TAUGHT_MAGIC);
        return strcmp(line, HAK_TAUGHT_MAGIC) == 0 ? NULL
               : strncmp(line, "hakmem policy ", 14) == 0
                   ? "made by another version of hakmem, whose files this one can't read"
                   : "not a policy file";
    }
    if (strncmp(line, "site ", 5) != 0) {
        check->ended = strcmp(line, "end") == 0;
        fputs("end\n", check->anew);
        return check->ended ? NULL : "not a line of a policy file";
    }
    const char *wrong = hak_taught_parse(line + 5, strlen(line + 5), &site);
    if (wrong != NULL) return wrong;
    const bool own = check->base != NULL && strlen(check->base) == site.module_length &&
                     memcmp(check->base, site.module, site.module_length) == 0;
    const uint64_t place = own ? policy_place(check->dwfl, &site) : site.offset;
    check->moved += place != site.offset;
    fprintf(check->anew, "site %" PRIx64 "%s\n", place, strchr(line + 5, ' '));
    return NULL;
}

static bool policy_check_file(struct policy_check *check, FILE *file, const char *path) {
    char *line = NULL;
    size_t room = 0, number = 0;
    const char *wrong = NULL;
    ssize_t length;
    while (wrong == NULL && (length = getline(&line, &room, file)) > 0) {
        if (line[length - 1] == '\n') line[length - 1] = '\0';
        wrong = policy_check_line(check, line, ++number);
    }
    if (wrong == NULL && ferror(file)) wrong = strerror(errno);
    if (wrong == NULL && !check->ended) wrong = "ends in the middle: the file is damaged";
    if (wrong != NULL)
        fprintf(stderr, "%s: %s:%zu: %s\n", program_invocation_name, path, number, wrong);
    free(line);
    return wrong == NULL;
}

static void policy_replace(const char *path, const char *text, size_t moved) {
    struct file file;
    if (!file_open(&file, path)) return; /* the old one is still good for what has not moved */
    fputs(text, file.out);
    if (file_close(&file))
        fprintf(stderr, "%s: %zu site%s moved in the program; %s is up to date again\n",
                program_invocation_name, moved, moved == 1 ? " has" : "s have", path);
}

bool policy_check(const char *path, const char *program) {
    char real[PATH_MAX], *text = NULL;
    size_t bytes;
    struct policy_check check = {.anew = open_memstream(&text, &bytes)};
    FILE *file = fopen(path, "re");
    if (program != NULL && realpath(program, real) != NULL) {
        check.base = program_base(real);
        check.dwfl = policy_open(real);
    }
    bool good = false;
    if (file == NULL || check.anew == NULL)
        fprintf(stderr, "%s: %s: %s\n", program_invocation_name, path, strerror(errno));
    else good = policy_check_file(&check, file, path);
    if (file != NULL) fclose(file);
    if (check.anew != NULL) fclose(check.anew);
    if (check.dwfl != NULL) dwfl_end(check.dwfl);
    if (good && check.moved != 0) policy_replace(path, text, check.moved);
    free(text);
    return good;
}
