/* SPDX-License-Identifier: MIT
 *
 * What is at an address: module, function, line.  elfutils finds them (libdwfl), also in separate
 * debug files.
 */
#include "sites.h"

#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef char *name_demangler(const char *mangled, char *out, size_t *size, int *status);

/* The C++ runtime's, if there is one: names stay as they are otherwise. */
static name_demangler *name_find_demangler(void) {
    void *library = dlopen("libstdc++.so.6", RTLD_NOW);
    return library != NULL ? (name_demangler *)dlsym(library, "__cxa_demangle") : NULL;
}

static char *name_function(name_demangler *demangle, const char *symbol, GElf_Off offset) {
    int status;
    char *plain = demangle != NULL && strncmp(symbol, "_Z", 2) == 0
                      ? demangle(symbol, NULL, NULL, &status)
                      : NULL,
         *name = NULL;
    if (asprintf(&name, "%s+0x%" PRIx64, plain != NULL ? plain : symbol, offset) < 0) name = NULL;
    free(plain);
    return name;
}

/* The call is before the address that it returns to. */
static void name_site(Dwfl *dwfl, name_demangler *demangle, struct sites_site *site) {
    const Dwarf_Addr call = site->address - 1;
    Dwfl_Module *module = site->address ? dwfl_addrmodule(dwfl, call) : NULL;
    if (module == NULL) return;
    Dwarf_Addr start;
    const char *path = dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
    GElf_Addr bias;
    site->module = path != NULL ? strdup(path) : NULL;
    site->module_offset = site->address -
                          (dwfl_module_getelf(module, &bias) != NULL ? bias : start);

    GElf_Off offset;
    GElf_Sym symbol;
    const char *name = dwfl_module_addrinfo(module, call, &offset, &symbol, NULL, NULL, NULL);
    if (name != NULL) {
        site->function = name_function(demangle, name, offset + 1);
        site->symbol = name_function(NULL, name, offset + 1);
    }

    int line;
    Dwfl_Line *at = dwfl_module_getsrc(module, call);
    const char *source = at != NULL ? dwfl_lineinfo(at, NULL, &line, NULL, NULL, NULL) : NULL;
    if (source != NULL && asprintf(&site->source, "%s:%d", source, line) < 0) site->source = NULL;
}

static bool name_report(Dwfl *dwfl, const struct sites_list *list) {
    dwfl_report_begin(dwfl);
    int failed = 0;
    if (list->maps == NULL) {
        failed = dwfl_linux_proc_report(dwfl, list->pid);
    } else if (*list->maps != '\0') {
        FILE *maps = fmemopen(list->maps, strlen(list->maps), "r");
        failed = maps == NULL || dwfl_linux_proc_maps_report(dwfl, maps);
        if (maps != NULL) fclose(maps);
    }
    return dwfl_report_end(dwfl, NULL, NULL) == 0 && failed == 0;
}

void sites_name(struct sites_list *list) {
    static char *debug_path = NULL; /* the default: .debug, /usr/lib/debug */
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_linux_proc_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .debuginfo_path = &debug_path,
    };
    setenv("DEBUGINFOD_URLS", "", 1); /* nothing is fetched from anywhere */
    Dwfl *dwfl = dwfl_begin(&callbacks);
    if (dwfl == NULL) return;
    if (name_report(dwfl, list)) {
        name_demangler *demangle = name_find_demangler();
        for (size_t i = 0; i < list->count; i++) name_site(dwfl, demangle, &list->site[i]);
    }
    dwfl_end(dwfl);
}
