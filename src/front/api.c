/* SPDX-License-Identifier: MIT
 *
 * The calls of hakmem.h that only forward: version and options.
 */
#include "config/option.h"
#include "front/slow.h"
#include "hakmem.h"

#include <errno.h>

#define API_TEXT_(x) #x
#define API_TEXT(x)  API_TEXT_(x)

const char *hak_version(void) {
    return API_TEXT(HAKMEM_VERSION_MAJOR) "." API_TEXT(HAKMEM_VERSION_MINOR) "." API_TEXT(
        HAKMEM_VERSION_PATCH);
}

static int api_result(int result) {
    if (result == 0) return 0;
    errno = -result;
    return -1;
}

int hak_option_get(const char *name, char *out, size_t out_size) {
    hak_slow_start();
    if (!name || !out || !out_size) return api_result(-EINVAL);
    return api_result(hak_option_read(name, out, out_size));
}

int hak_option_set(const char *name, const char *value) {
    hak_slow_start();
    if (!name || !value) return api_result(-EINVAL);
    return api_result(hak_option_write(name, value));
}
