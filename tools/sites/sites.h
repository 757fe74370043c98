/* SPDX-License-Identifier: MIT
 *
 * hakmem sites: what the files of the command share.
 *
 *   command.c  the command line          saved.c    the table of sites from a file
 *   process.c  from a running process    launch.c   from a program that is run for it
 *   name.c     what is at an address     table.c    the report as text and JSON
 *   policy.c   policy files              learn.c    hakmem learn
 */
#ifndef HAK_TOOLS_SITES_H
#define HAK_TOOLS_SITES_H

#include "policy/keep.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct sites_site {
    uint64_t address;       /* 0: stands for all that found no place in the table */
    uint64_t blocks, bytes; /* up to 32 KiB, estimated */
    uint64_t taken_bytes, freed, freed_bytes, elsewhere, resized;
    uint64_t gaps, moves, step, fixed_step, state, paid, fixed; /* struct hak_steps; 0 gaps: none */
    uint64_t taken[HAK_SITE_SIZES], life[HAK_SITE_TIMES], gap[HAK_SITE_TIMES];
    char *function;         /* with an offset; NULL: not known */
    char *symbol;           /* the same, as it is in the symbol table */
    char *module;           /* a path; NULL: in no file */
    uint64_t module_offset; /* as the file's headers count */
    char *source;           /* FILE:LINE; NULL: no debug information */
};

struct sites_list {
    struct sites_site *site;
    size_t count;
    char *maps; /* lines of /proc/PID/maps; NULL: those of the process `pid` */
    pid_t pid;
};

/* Adds a site, all zero but for its address, or finds the one that is there. */
struct sites_site *sites_add(struct sites_list *list, uint64_t address);
void sites_free(struct sites_list *list);

/* Read a table.  False: a message was written to standard error. */
bool sites_from_file(struct sites_list *list, const char *path);
bool sites_from_process(struct sites_list *list, pid_t pid);
/* Runs a program, with a profile (NULL: the usual one).  *status: as a shell would tell it. */
bool sites_from_program(struct sites_list *list, char **program, const char *library,
                        const char *profile, int *status);

/* Is there a table of sites in a file of that name? */
bool sites_is_file(const char *path);

/* Fills in the names, as far as they are found. */
void sites_name(struct sites_list *list);

enum sites_order { SITES_BY_BYTES, SITES_BY_HELD, SITES_BY_BLOCKS };
void sites_sort(struct sites_list *list, enum sites_order order);
void sites_print_text(FILE *out, const struct sites_list *list, size_t most);
void sites_print_json(FILE *out, const struct sites_list *list, size_t most);

/* Writes what sites have learned as a policy file (policy/taught.h).  Returns how many sites it
 * has; -1: a message was written to standard error. */
long policy_write(const struct sites_list *list, const char *path);

/* Checks a policy file for a program, and writes it anew if sites of the program have moved.
 * False: it is damaged, and a message was written to standard error. */
bool policy_check(const char *path, const char *program);

#endif
