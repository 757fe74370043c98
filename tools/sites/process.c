/* SPDX-License-Identifier: MIT
 *
 * Reads the table of sites out of a running process, which does not take part in it: the library
 * has a symbol, hak_site_root, behind which everything else is found.  Who may read a process's
 * memory: ptrace(2), "Ptrace access mode checking".
 */
#include "sites.h"

#include "front/site_file.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

static bool process_read(pid_t pid, uint64_t from, void *to, size_t bytes) {
    struct iovec local = {to, bytes}, remote = {(void *)(uintptr_t)from, bytes};
    return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

/* Looks for the symbol in one module. */
static int process_look(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr start,
                        void *argument) {
    (void)user;
    (void)name;
    (void)start;
    uint64_t *found = argument;
    const int count = dwfl_module_getsymtab(module);
    for (int i = 1; i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr address;
        const char *text = dwfl_module_getsym_info(module, i, &symbol, &address, NULL, NULL, NULL);
        if (text == NULL || symbol.st_shndx == SHN_UNDEF || strcmp(text, "hak_site_root") != 0)
            continue;
        *found = address;
        return DWARF_CB_ABORT;
    }
    return DWARF_CB_OK;
}

/* Where the symbol is in the process; 0: nowhere. */
static uint64_t process_find_root(pid_t pid) {
    static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf,
                                             .find_debuginfo = dwfl_standard_find_debuginfo};
    uint64_t found = 0;
    Dwfl *dwfl = dwfl_begin(&callbacks);
    if (dwfl == NULL) return 0;
    dwfl_report_begin(dwfl);
    if (dwfl_linux_proc_report(dwfl, pid) == 0 && dwfl_report_end(dwfl, NULL, NULL) == 0)
        dwfl_getmodules(dwfl, process_look, &found, 0);
    dwfl_end(dwfl);
    return found;
}

static void process_add(uint64_t *to, const hak_count_t *from, size_t count) {
    for (size_t i = 0; i < count; i++) to[i] += hak_counter_read(&from[i]);
}

/* What the site has learned, if anything. */
static bool process_steps(struct sites_site *site, pid_t pid, uint64_t at) {
    struct hak_keep_site keep;
    if (at == 0) return true;
    if (!process_read(pid, at, &keep, sizeof keep)) return false;
    if (keep.steps.step >= HAK_STEPS || keep.steps.fixed_step >= HAK_STEPS) return true;
    site->gaps = keep.steps.gaps;
    site->moves = keep.steps.moves;
    site->step = keep.steps.step;
    site->fixed_step = keep.steps.fixed_step;
    site->state = keep.steps.state;
    site->paid = keep.steps.paid;
    site->fixed = keep.steps.fixed;
    return true;
}

static bool process_site(struct sites_list *list, pid_t pid, const struct hak_site *from,
                         uint64_t keep_at) {
    const uint64_t large_at = (uintptr_t)atomic_load(&from->large);
    if (hak_counter_read(&from->blocks) == 0 && large_at == 0) return true;
    struct sites_site *site = sites_add(list, atomic_load(&from->address));
    if (site == NULL) return false;
    process_add(&site->blocks, &from->blocks, 1);
    process_add(&site->bytes, &from->bytes, 1);
    struct hak_site_large large;
    if (large_at == 0) return true;
    if (!process_read(pid, large_at, &large, sizeof large)) return false;
    process_add(site->taken, large.taken, HAK_SITE_SIZES);
    process_add(&site->taken_bytes, &large.taken_bytes, 1);
    process_add(&site->freed, &large.freed, 1);
    process_add(&site->freed_bytes, &large.freed_bytes, 1);
    process_add(&site->elsewhere, &large.elsewhere, 1);
    process_add(&site->resized, &large.resized, 1);
    process_add(site->life, large.life, HAK_SITE_TIMES);
    process_add(site->gap, large.gap, HAK_SITE_TIMES);
    return process_steps(site, pid, keep_at);
}

static bool process_table(struct sites_list *list, pid_t pid, const struct hak_site_root *root) {
    uint32_t used;
    if (!process_read(pid, (uintptr_t)root->used, &used, sizeof used)) return false;
    if (used > HAK_SITES) used = HAK_SITES;
    struct hak_site *table = calloc(used, sizeof *table);
    uintptr_t *keep = calloc(used, sizeof *keep);
    bool read = table != NULL && keep != NULL &&
                process_read(pid, (uintptr_t)root->table, table, used * sizeof *table) &&
                process_read(pid, (uintptr_t)root->keep, keep, used * sizeof *keep);
    for (uint32_t i = 0; read && i < used; i++) read = process_site(list, pid, &table[i], keep[i]);
    free(table);
    free(keep);
    return read;
}

bool sites_from_process(struct sites_list *list, pid_t pid) {
    struct hak_site_root root;
    list->pid = pid;
    const uint64_t at = process_find_root(pid);
    if (at == 0) {
        fprintf(stderr, "%s: process %d: not there, not readable, or not on hakmem\n",
                program_invocation_name, pid);
        return false;
    }
    if (!process_read(pid, at, &root, sizeof root)) {
        fprintf(stderr, "%s: process %d: %s\n", program_invocation_name, pid, strerror(errno));
        return false;
    }
    if (memcmp(root.magic, HAK_SITE_ROOT_MAGIC, sizeof root.magic) != 0 ||
        root.site_bytes != sizeof(struct hak_site) ||
        root.large_bytes != sizeof(struct hak_site_large) ||
        root.keep_bytes != sizeof(struct hak_keep_site)) {
        fprintf(stderr, "%s: process %d has another version of hakmem than this command\n",
                program_invocation_name, pid);
        return false;
    }
    if (process_table(list, pid, &root)) return true;
    fprintf(stderr, "%s: process %d: %s\n", program_invocation_name, pid, strerror(errno));
    return false;
}
