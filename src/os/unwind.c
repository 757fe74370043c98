/* SPDX-License-Identifier: MIT
 *
 * Header: os/unwind.h.
 */
#include "os/unwind.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#define UNWIND_WORD      sizeof(uintptr_t)
#define UNWIND_FRAME_MAX ((size_t)64 << 10) /* bytes: no rule has room for larger ones */

#if defined(__aarch64__)
/* A return address may be signed, in the bits that no address uses. */
#define UNWIND_ADDRESS_MASK (((uintptr_t)1 << HAK_ADDRESS_BITS) - 1)
#else
#define UNWIND_ADDRESS_MASK UINTPTR_MAX
#endif

/* Of the eight aligned bytes with the end of the call: on one page with it. */
static uint32_t unwind_fingerprint(uintptr_t pc) {
    uint64_t code;
    memcpy(&code, (const void *)((pc - 1) & ~(uintptr_t)7), sizeof code);
    return hak_hash(code, 25);
}

#if defined(DLFO_STRUCT_HAS_EH_DBASE) /* dlfcn.h has struct dl_find_object */

extern __typeof__(_dl_find_object) _dl_find_object __attribute__((weak));

/* May the code be read, and not just be executed? */
static bool unwind_is_readable(const struct dl_find_object *found, uintptr_t pc) {
    const ElfW(Ehdr) *elf = found->dlfo_map_start;
    uintptr_t base = found->dlfo_link_map->l_addr;
    if (memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0) return false;
    const ElfW(Phdr) *segment = (const void *)((uintptr_t)elf + elf->e_phoff);
    for (unsigned i = 0; i < elf->e_phnum; i++)
        if (segment[i].p_type == PT_LOAD && pc - (base + segment[i].p_vaddr) < segment[i].p_memsz)
            return segment[i].p_flags & PF_R;
    return false;
}

struct hak_cfi_rule hak_unwind_find(uintptr_t pc) {
    struct hak_cfi_rule rule = {0};
    struct dl_find_object found;
    if (!_dl_find_object || _dl_find_object((void *)(pc - 1), &found) != 0 || !found.dlfo_eh_frame)
        return rule;
    if (!unwind_is_readable(&found, pc - 1)) return rule;
    rule = hak_cfi_read(found.dlfo_eh_frame, pc);
    if (rule.known) rule.fingerprint = unwind_fingerprint(pc);
    return rule;
}

#else

struct hak_cfi_rule hak_unwind_find(uintptr_t pc) {
    (void)pc;
    return (struct hak_cfi_rule){0};
}

#endif

bool hak_unwind_is_current(struct hak_cfi_rule rule, uintptr_t pc) {
    return rule.known && rule.fingerprint == unwind_fingerprint(pc);
}

static uintptr_t unwind_load(uintptr_t at) {
    return *(const uintptr_t *)at;
}

struct hak_frame hak_frame_of(struct hak_frame_mark mark) {
    return (struct hak_frame){mark.record[1] & UNWIND_ADDRESS_MASK, mark.sp, mark.record[0]};
}

bool hak_unwind_step(struct hak_cfi_rule rule, struct hak_frame *frame) {
    uintptr_t from = rule.by_fp ? frame->fp : frame->sp;
    uintptr_t sp = from + rule.sp_offset * UNWIND_WORD;
    /* Otherwise fp is not what the rule takes it for. */
    if (!rule.known || sp % UNWIND_WORD || sp <= frame->sp || sp - frame->sp > UNWIND_FRAME_MAX)
        return false;
    uintptr_t pc_at = sp - rule.pc_offset * UNWIND_WORD;
    uintptr_t fp_at = sp - rule.fp_offset * UNWIND_WORD;
    if (pc_at < frame->sp || (rule.fp_saved && fp_at < frame->sp)) return false;
    if (rule.fp_saved) frame->fp = unwind_load(fp_at);
    frame->pc = unwind_load(pc_at) & UNWIND_ADDRESS_MASK;
    frame->sp = sp;
    return true;
}
