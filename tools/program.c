/* SPDX-License-Identifier: MIT
 *
 * What execvp(3) would run, and whether the dynamic loader will look at LD_PRELOAD for it: a look
 * at the file's first bytes, through scripts to what interprets them.
 */
#include "tool.h"

#include <argp.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PROGRAM_HEAD_BYTES 4096 /* what the kernel looks at for "#!" is less */
#define PROGRAM_DEPTH_MAX  5    /* interpreters of interpreters: the kernel's own limit */

#if defined(__x86_64__)
#define PROGRAM_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define PROGRAM_MACHINE EM_AARCH64
#elif defined(__riscv)
#define PROGRAM_MACHINE EM_RISCV
#else
#define PROGRAM_MACHINE EM_NONE /* not compared */
#endif

static bool program_is_executable(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

bool program_find(const char *name, char *out, size_t size) {
    if (strchr(name, '/') != NULL) {
        return (size_t)snprintf(out, size, "%s", name) < size && program_is_executable(out);
    }
    const char *path = getenv("PATH");
    if (path == NULL) path = "/bin:/usr/bin";
    for (;;) {
        const size_t length = strcspn(path, ":");
        const int folder = (int)length;
        if (length < size &&
            (size_t)snprintf(out, size, "%.*s%s%s", folder, path, folder == 0 ? "" : "/", name) <
                size &&
            program_is_executable(out)) {
            return true;
        }
        if (path[length] == '\0') return false;
        path += length + 1;
    }
}

const char *program_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

int program_parse(int key, struct argp_state *state, char ***program) {
    switch (key) {
    case ARGP_KEY_ARG:
        *program = state->argv + state->next - 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "a program is needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What "/usr/bin/env [-option...] [NAME=value...] PROGRAM" in a script's first line runs. */
static bool program_of_env(char *arguments, char *out, size_t size) {
    char *rest = NULL;
    for (char *word = strtok_r(arguments, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest)) {
        if (word[0] != '-' && strchr(word, '=') == NULL) return program_find(word, out, size);
    }
    return false;
}

/* The interpreter of a script whose first line is `line`, "#!..." */
static bool program_interpreter(char *line, char *out, size_t size) {
    line[strcspn(line, "\n")] = '\0';
    char *start = line + 2 + strspn(line + 2, " \t");
    char *end = start + strcspn(start, " \t");
    char *arguments = *end == '\0' ? end : end + 1;
    *end = '\0';
    if (strcmp(program_base(start), "env") == 0) return program_of_env(arguments, out, size);
    return *start != '\0' && (size_t)snprintf(out, size, "%s", start) < size;
}

/* Reads the loader (PT_INTERP) of an ELF file of our own class; empty if it has none. */
static bool program_loader(int fd, const ElfW(Ehdr) * header, char *out, size_t size) {
    out[0] = '\0';
    for (unsigned i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        const off_t place = (off_t)(header->e_phoff + (uint64_t)i * header->e_phentsize);
        if (pread(fd, &segment, sizeof segment, place) != sizeof segment) return false;
        if (segment.p_type != PT_INTERP) continue;
        const size_t length = segment.p_filesz < size ? segment.p_filesz : size - 1;
        if (pread(fd, out, length, (off_t)segment.p_offset) != (ssize_t)length) return false;
        out[length] = '\0';
        return true;
    }
    return true;
}

/* The loader of this command, which is the one that libhakmem.so was linked for. */
static bool program_own_loader(char *out, size_t size) {
    char self[PATH_MAX];
    ElfW(Ehdr) header;
    if (!library_self(self, sizeof self)) return false;
    const int fd = open(self, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool known = read(fd, &header, sizeof header) == sizeof header &&
                       program_loader(fd, &header, out, size) && out[0] != '\0';
    close(fd);
    return known;
}

/* Would the kernel start it with more rights than the caller has?  Then the loader ignores
 * LD_PRELOAD, and hakmem its environment. */
static bool program_gains_rights(const char *path) {
    struct stat status;
    struct statvfs system;
    if (stat(path, &status) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return false;
    if (statvfs(path, &system) == 0 && (system.f_flag & ST_NOSUID) != 0) return false;
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid()) return true;
    if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
        status.st_gid != getgid()) {
        return true;
    }
    return getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

/* What stands against preloading into this ELF file; NULL: nothing. */
static const char *program_elf_problem(const char *path, int fd, const ElfW(Ehdr) * header) {
    char loader[PATH_MAX], own_loader[PATH_MAX];
    const unsigned char own_class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    if (header->e_ident[EI_CLASS] != own_class) {
        return own_class == ELFCLASS64 ? "is a 32-bit program" : "is a 64-bit program";
    }
    if (PROGRAM_MACHINE != EM_NONE && header->e_machine != PROGRAM_MACHINE) {
        return "is built for another processor";
    }
    if (program_gains_rights(path)) {
        return "is set-uid, set-gid or has capabilities, so LD_PRELOAD is ignored";
    }
    if (!program_loader(fd, header, loader, sizeof loader)) return NULL;
    if (loader[0] == '\0') {
        const bool is_loader = strncmp(program_base(path), "ld", 2) == 0;
        return is_loader ? NULL : "is statically linked";
    }
    if (program_own_loader(own_loader, sizeof own_loader) &&
        strcmp(program_base(loader), program_base(own_loader)) != 0) {
        return "is linked with another C library";
    }
    return NULL;
}

bool program_refuses(const char *name, char *why, size_t size) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", name);
    for (int depth = 0; depth < PROGRAM_DEPTH_MAX; depth++) {
        union {
            char text[PROGRAM_HEAD_BYTES];
            ElfW(Ehdr) header;
        } head = {{0}};
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) return false;
        const ssize_t count = read(fd, head.text, sizeof head.text - 1);
        if (count >= (ssize_t)sizeof head.header && memcmp(head.text, ELFMAG, SELFMAG) == 0) {
            const char *problem = program_elf_problem(path, fd, &head.header);
            close(fd);
            if (problem == NULL) return false;
            if (depth == 0) snprintf(why, size, "%s %s", path, problem);
            else snprintf(why, size, "%s is run by %s, which %s", name, path, problem);
            return true;
        }
        close(fd);
        if (count < 2 || memcmp(head.text, "#!", 2) != 0) {
            snprintf(path, sizeof path, "/bin/sh"); /* what execvp does with a file of no format */
        } else if (!program_interpreter(head.text, path, sizeof path)) {
            return false;
        }
    }
    return false;
}
