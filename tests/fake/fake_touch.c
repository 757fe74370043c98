/* SPDX-License-Identifier: MIT
 *
 * Pages that are touched ahead, at a price.  Header: fake/fake.h.
 */
#include "fake/fake.h"

#include "base/counter.h"

#include <stdio.h>
#include <stdlib.h>

static _Atomic uint64_t touch_page_ns, touch_huge_ns;
static _Atomic unsigned touch_calls;
static _Atomic(char *) touch_last;

void fake_touch_costs(uint64_t page_ns, uint64_t huge_ns) {
    touch_page_ns = page_ns;
    touch_huge_ns = huge_ns;
}

unsigned fake_touch_calls(void) {
    return touch_calls;
}

char *fake_touch_last(void) {
    return touch_last;
}

/* It must read as zeros. */
static void touch_check(const char *start, size_t bytes) {
    bool good = fake_page_is_mapped(start, bytes);
    for (size_t i = 0; good && i < bytes; i += hak_page_bytes()) good = start[i] == 0;
    if (good) return;
    fprintf(stderr, "fake kernel: touched, and not mapped or not zero: %zu bytes at %p\n", bytes,
            (const void *)start);
    abort();
}

uint64_t hak_page_touch(char *start, size_t bytes) {
    touch_check(start, bytes);
    return bytes / hak_page_bytes() * touch_page_ns;
}

uint64_t hak_page_touch_huge(char *start, size_t bytes) {
    touch_calls++;
    touch_last = start;
    touch_check(start, bytes);
    if (touch_huge_ns) hak_counter_add(&hak_counters.os_madvise_hugepage, 1);
    return touch_huge_ns;
}
