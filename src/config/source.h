/* SPDX-License-Identifier: MIT
 *
 * Where values come from, and which source wins.  From the weakest:
 *
 *   1. the table's defaults          5. the configuration file $HAKMEM_CONFIG, its global part
 *   2. the profile                   6. ... its section for this program
 *   3. /etc/hakmem.conf, global      7. HAKMEM_OPTIONS=name=value,name=value
 *   4. ... its section               8. HAKMEM_NAME=value
 *
 * A process with raised rights (set-uid) has no environment here: 5 to 8 are not looked at.
 */
#ifndef HAK_CONFIG_SOURCE_H
#define HAK_CONFIG_SOURCE_H

#include "config/values.h"

/* Const while it is in use. */
struct hak_sources {
    const char *const *environment; /* "NAME=value" each, ended by NULL; never NULL itself */
    const char *system_file;        /* NULL: none */
    const char *program;            /* the name that sections are compared with */
};

/* Those of this process. */
void hak_source_of_process(struct hak_sources *out);

/* Gathers all values; warns about what can't be used unless `quiet`. */
void hak_source_collect(const struct hak_sources *sources, struct hak_values *out, bool quiet);

#endif
