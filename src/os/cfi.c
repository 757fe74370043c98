/* SPDX-License-Identifier: MIT
 *
 * Header: os/cfi.h.
 */
#include "os/cfi.h"

#include <string.h>

#define CFI_WORD       sizeof(uintptr_t)
#define CFI_OFFSET_MAX ((1 << 12) - 1) /* words: of what a rule has room for */
#define CFI_FACTOR_MAX (1 << 20)       /* of an offset, or of a step */
#define CFI_STATES     4               /* remembered at once; gcc and clang remember one */

#if defined(__x86_64__)
enum { CFI_FP = 6, CFI_SP = 7, CFI_PC = 16 };
#else
enum { CFI_FP = 29, CFI_SP = 31, CFI_PC = 30 };
#endif

/* ---- Reading --------------------------------------------------------------------------------- */

/* What is read, and where it ends: at the first read past that it is `bad`, and reads as zeros. */
struct cfi_text {
    const unsigned char *at, *end;
    bool bad;
};

static uint64_t cfi_bytes(struct cfi_text *text, unsigned count) {
    uint64_t value = 0;
    if (text->bad || (size_t)(text->end - text->at) < count) {
        text->bad = true;
        return 0;
    }
    memcpy(&value, text->at, count); /* little-endian, as both processors are */
    text->at += count;
    return value;
}

/* (U)LEB128: 7 bits a byte, the lowest first. */
static uint64_t cfi_uleb(struct cfi_text *text) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        uint64_t byte = cfi_bytes(text, 1);
        value |= (byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
    text->bad = true;
    return 0;
}

static int64_t cfi_sleb(struct cfi_text *text) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 63;) {
        uint64_t byte = cfi_bytes(text, 1);
        value |= (byte & 0x7f) << shift;
        shift += 7;
        if (byte & 0x80) continue;
        return byte & 0x40 ? (int64_t)(value | UINT64_MAX << shift) : (int64_t)value;
    }
    text->bad = true;
    return 0;
}

static int32_t cfi_int(const unsigned char *at) {
    int32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* An entry of .eh_frame, behind its length.  bad: there is none. */
static struct cfi_text cfi_entry(const unsigned char *entry) {
    uint32_t length = (uint32_t)cfi_int(entry);
    /* the end; or a length of 64 bits, which nobody uses */
    bool bad = !length || length >= 0xfffffff0u;
    entry += sizeof length;
    return (struct cfi_text){entry, bad ? entry : entry + length, bad};
}

/* ---- The rules of a function ----------------------------------------------------------------- */

/* Where a register of the caller is: saved at an offset from its sp, or unchanged. */
struct cfi_saved {
    bool saved;
    int64_t offset;
};

struct cfi_state {
    uint64_t base; /* the register from which the caller's sp is counted */
    int64_t offset;
    struct cfi_saved fp, pc;
};

struct cfi_machine {
    struct cfi_text text;
    uint64_t code_step;
    int64_t data_step;
    uint64_t from, until; /* of the function: how far it has come, and where it is to stop */
    struct cfi_state now, first, kept[CFI_STATES];
    unsigned kept_count;
};

/* An offset, which is written as a multiple of a step. */
static int64_t cfi_offset(struct cfi_machine *machine, int64_t factor) {
    if (factor < -CFI_FACTOR_MAX || factor > CFI_FACTOR_MAX) machine->text.bad = true;
    return machine->text.bad ? 0 : factor * machine->data_step;
}

static void cfi_set(struct cfi_machine *machine, uint64_t number, bool saved, int64_t offset) {
    if (number == CFI_FP) machine->now.fp = (struct cfi_saved){saved, offset};
    if (number == CFI_PC) machine->now.pc = (struct cfi_saved){saved, offset};
}

/* As the entry that several functions share has it. */
static void cfi_restore(struct cfi_machine *machine, uint64_t number) {
    if (number == CFI_FP) machine->now.fp = machine->first.fp;
    if (number == CFI_PC) machine->now.pc = machine->first.pc;
}

static void cfi_remember(struct cfi_machine *machine) {
    if (machine->kept_count == CFI_STATES) machine->text.bad = true;
    else machine->kept[machine->kept_count++] = machine->now;
}

static void cfi_recall(struct cfi_machine *machine) {
    if (!machine->kept_count) machine->text.bad = true;
    else machine->now = machine->kept[--machine->kept_count];
}

/* Instructions that name a register first; the names are DWARF's, after DW_CFA_. */
static void cfi_instruct_register(struct cfi_machine *machine, unsigned code) {
    struct cfi_text *text = &machine->text;
    uint64_t number = cfi_uleb(text);
    switch (code) {
    case 0x05: /* offset_extended */
        cfi_set(machine, number, true, cfi_offset(machine, (int64_t)cfi_uleb(text)));
        break;
    case 0x11: /* offset_extended_sf */
        cfi_set(machine, number, true, cfi_offset(machine, cfi_sleb(text)));
        break;
    case 0x06: /* restore_extended */
        cfi_restore(machine, number);
        break;
    case 0x08: /* same_value */
        cfi_set(machine, number, false, 0);
        break;
    case 0x0c: /* def_cfa */
        machine->now.base = number;
        machine->now.offset = (int64_t)cfi_uleb(text);
        break;
    case 0x0d: /* def_cfa_register */
        machine->now.base = number;
        break;
    default: /* elsewhere: only of registers that do not matter */
        if (number == CFI_FP || number == CFI_PC) text->bad = true;
        if (code == 0x09) cfi_uleb(text);        /* register */
        if (code == 0x07 || code == 0x09) break; /* undefined */
        for (uint64_t length = cfi_uleb(text); length && !text->bad; length--)
            cfi_bytes(text, 1); /* expression, val_expression */
    }
}

static void cfi_instruct(struct cfi_machine *machine, unsigned code) {
    struct cfi_text *text = &machine->text;
    switch (code) {
    case 0x00: /* nop */
    case 0x2d: /* AARCH64_negate_ra_state */
        break;
    case 0x02:
    case 0x03:
    case 0x04: /* advance_loc1, 2, 4 */
        machine->from += cfi_bytes(text, 1u << (code - 2)) * machine->code_step;
        break;
    case 0x05:
    case 0x06:
    case 0x07:
    case 0x08:
    case 0x09:
    case 0x0c:
    case 0x0d:
    case 0x10:
    case 0x11:
    case 0x16:
        cfi_instruct_register(machine, code);
        break;
    case 0x0a: /* remember_state */
        cfi_remember(machine);
        break;
    case 0x0b: /* restore_state */
        cfi_recall(machine);
        break;
    case 0x0e: /* def_cfa_offset */
        machine->now.offset = (int64_t)cfi_uleb(text);
        break;
    case 0x2e: /* GNU_args_size */
        cfi_uleb(text);
        break;
    default:
        text->bad = true;
    }
}

/* The state of a function at `until` bytes from its start. */
static void cfi_run(struct cfi_machine *machine) {
    struct cfi_text *text = &machine->text;
    while (text->at < text->end && machine->from <= machine->until && !text->bad) {
        unsigned code = (unsigned)cfi_bytes(text, 1), low = code & 0x3f;
        switch (code >> 6) {
        case 1: /* advance_loc */
            machine->from += low * machine->code_step;
            break;
        case 2: /* offset */
            cfi_set(machine, low, true, cfi_offset(machine, (int64_t)cfi_uleb(text)));
            break;
        case 3: /* restore */
            cfi_restore(machine, low);
            break;
        default:
            cfi_instruct(machine, code);
        }
    }
}

/* ---- The tables ------------------------------------------------------------------------------ */

/* What GNU ld, gold, lld and mold write: 32 bits, relative to themselves or to the header. */
enum { CFI_PCREL_INT = 0x1b, CFI_COUNT_INT = 0x03, CFI_DATAREL_INT = 0x3b };

/* The entry of the function that may have the address, by the sorted table in the header. */
static const unsigned char *cfi_search(const unsigned char *header, uintptr_t address) {
    const unsigned char *table = header + 12; /* pairs: a function's start, its entry */
    if (header[0] != 1 || header[1] != CFI_PCREL_INT || header[2] != CFI_COUNT_INT ||
        header[3] != CFI_DATAREL_INT) {
        return NULL;
    }
    uint32_t low = 0, high = (uint32_t)cfi_int(header + 8);
    while (low < high) { /* the first that starts behind the address */
        uint32_t middle = low + (high - low) / 2;
        if ((uintptr_t)header + (uintptr_t)(intptr_t)cfi_int(table + 8 * (size_t)middle) <=
            address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low ? header + cfi_int(table + 8 * (size_t)(low - 1) + 4) : NULL;
}

/* Skips a pointer in an encoding of .eh_frame: only its size matters. */
static void cfi_skip_pointer(struct cfi_text *text) {
    static const uint8_t sizes[16] = {8, 0, 2, 4, 8, 0, 0, 0, 8, 0, 2, 4, 8};
    unsigned encoding = (unsigned)cfi_bytes(text, 1), size = sizes[encoding & 15];
    if (!size) text->bad = true;
    cfi_bytes(text, size);
}

/* The augmentation that begins with 'z': what is known of it. */
static void cfi_augmentation(struct cfi_text *text, const char *letters) {
    uint64_t length = cfi_uleb(text);
    if (text->bad || length > (size_t)(text->end - text->at)) text->bad = true;
    if (text->bad) return;
    const unsigned char *behind = text->at + length;
    for (; *letters && !text->bad; letters++) {
        switch (*letters) {
        case 'R':
            if (cfi_bytes(text, 1) != CFI_PCREL_INT) text->bad = true;
            break;
        case 'P':
            cfi_skip_pointer(text);
            break;
        case 'L':
            cfi_bytes(text, 1);
            break;
        case 'B':
            break; /* return addresses are signed with the second key */
        default:
            text->bad = true; /* 'S': a signal's frame */
        }
    }
    text->at = behind;
}

/* What functions have in common (CIE): sets the steps and the first state. */
static void cfi_common(struct cfi_machine *machine, const unsigned char *entry) {
    struct cfi_text text = cfi_entry(entry);
    uint64_t id = cfi_bytes(&text, 4), version = cfi_bytes(&text, 1);
    const char *letters = (const char *)text.at;
    while (cfi_bytes(&text, 1)) {
    }
    machine->code_step = cfi_uleb(&text);
    machine->data_step = cfi_sleb(&text);
    if (machine->data_step < -CFI_FACTOR_MAX || machine->data_step > CFI_FACTOR_MAX)
        text.bad = true;
    uint64_t pc = version == 1 ? cfi_bytes(&text, 1) : cfi_uleb(&text);
    if (id || (version != 1 && version != 3) || pc != CFI_PC || *letters != 'z') text.bad = true;
    if (!text.bad) cfi_augmentation(&text, letters + 1);
    machine->text = text;
    machine->until = UINT64_MAX;
    cfi_run(machine);
    machine->first = machine->now;
    machine->from = 0;
}

static bool cfi_pack(const struct cfi_state *state, struct hak_cfi_rule *rule) {
    const int64_t word = CFI_WORD, max = CFI_OFFSET_MAX * word;
    int64_t pc = -state->pc.offset, fp = state->fp.saved ? -state->fp.offset : 0;
    if (state->base != CFI_SP && state->base != CFI_FP) return false;
    if (!state->pc.saved || pc <= 0 || fp < 0 || state->offset < 0) return false;
    if (state->offset > max || pc > max || fp > max) return false;
    if ((state->offset | pc | fp) % word) return false;
    rule->known = 1;
    rule->by_fp = state->base == CFI_FP;
    rule->fp_saved = state->fp.saved;
    rule->sp_offset = (uint64_t)(state->offset / word) & CFI_OFFSET_MAX;
    rule->pc_offset = (uint64_t)(pc / word) & CFI_OFFSET_MAX;
    rule->fp_offset = (uint64_t)(fp / word) & CFI_OFFSET_MAX;
    return true;
}

struct hak_cfi_rule hak_cfi_read(const unsigned char *header, uintptr_t pc) {
    struct hak_cfi_rule rule = {0};
    uintptr_t call = pc - 1; /* a function that never returns may end with its last call */
    const unsigned char *entry = cfi_search(header, call);
    if (!entry) return rule;
    struct cfi_text text = cfi_entry(entry);
    struct cfi_machine machine = {0};
    /* both relative to where they are written */
    const unsigned char *common = text.at, *start = text.at + 4;
    common -= cfi_bytes(&text, 4);
    start += (int32_t)cfi_bytes(&text, 4);
    uint64_t length = cfi_bytes(&text, 4);
    if (text.bad || call - (uintptr_t)start >= length) return rule;
    cfi_common(&machine, common);
    uint64_t skipped = cfi_uleb(&text);
    if (machine.text.bad || text.bad || skipped > (size_t)(text.end - text.at)) return rule;
    text.at += skipped;
    machine.text = text;
    machine.until = call - (uintptr_t)start;
    cfi_run(&machine);
    if (!machine.text.bad) cfi_pack(&machine.now, &rule);
    return rule;
}
