/* SPDX-License-Identifier: MIT
 *
 * Header: os/module.h.
 */
#include "os/module.h"

#include "os/env.h"
#include "os/format.h"
#include "os/syscall.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>

#define MODULE_PATH_BYTES 4096

/* Of glibc; nobody defines it again. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

#if defined(DLFO_STRUCT_HAS_EH_DBASE) /* dlfcn.h has struct dl_find_object */

extern __typeof__(_dl_find_object) _dl_find_object __attribute__((weak));

static const char *module_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The loader has no name for the program.  (The one that was executed may be a script.) */
static void module_program(char *name, size_t size) {
    char path[MODULE_PATH_BYTES];
    long length = hak_syscall4(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)path,
                               sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    hak_format_text(name, size, "%s", length > 0 ? module_base(path) : hak_env_program());
}

bool hak_module_find(uintptr_t address, char *name, size_t size, uintptr_t *offset) {
    struct dl_find_object found;
    if (!_dl_find_object || _dl_find_object((void *)address, &found) != 0) return false;
    const struct link_map *map = found.dlfo_link_map;
    *offset = address - map->l_addr;
    if (map->l_name && *map->l_name) hak_format_text(name, size, "%s", module_base(map->l_name));
    else module_program(name, size);
    return true;
}

const void *hak_module_at(uintptr_t address) {
    struct dl_find_object found;
    bool is_found = _dl_find_object && _dl_find_object((void *)address, &found) == 0;
    return is_found ? found.dlfo_link_map : NULL;
}

#else

const void *hak_module_at(uintptr_t address) {
    (void)address;
    return NULL;
}

bool hak_module_find(uintptr_t address, char *name, size_t size, uintptr_t *offset) {
    (void)address;
    (void)name;
    (void)size;
    (void)offset;
    return false;
}

#endif

const void *hak_module_libc(void) {
    return gnu_get_libc_version ? hak_module_at((uintptr_t)gnu_get_libc_version) : NULL;
}
