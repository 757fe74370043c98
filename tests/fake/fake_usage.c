/* SPDX-License-Identifier: MIT
 *
 * How much memory is used, as the test says.  Header: fake/fake.h.
 */
#include "fake/fake.h"

#include "os/usage.h"

static size_t usage_resident;
static uint64_t usage_limit = UINT64_MAX, usage_used;
static uint32_t usage_waits;
static unsigned usage_asked;

void fake_usage_resident(size_t bytes) {
    usage_resident = bytes;
}

void fake_usage_group(uint64_t limit, uint64_t used, uint32_t waits) {
    usage_limit = limit;
    usage_used = used;
    usage_waits = waits;
}

unsigned fake_usage_asked(void) {
    return usage_asked;
}

/* ---- What the engine calls ------------------------------------------------------------------- */

size_t hak_usage_resident(void) {
    usage_asked++;
    return usage_resident;
}

bool hak_usage_find_group(const char *root, struct hak_usage_group *group) {
    (void)root;
    usage_asked++;
    group->limit = usage_limit;
    return usage_limit != UINT64_MAX;
}

bool hak_usage_read_group(struct hak_usage_group *group, uint64_t *used, uint32_t *waits) {
    (void)group;
    usage_asked++;
    *used = usage_used;
    *waits = usage_waits;
    return true;
}
