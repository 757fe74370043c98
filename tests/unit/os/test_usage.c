/* SPDX-License-Identifier: MIT
 *
 * os/usage.c: files as the kernel writes them, in a folder of the test's own; and this process's.
 */
#include "unit.h"

#include "os/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

static char root[64];
static struct hak_usage_group group;

static int start(void **state) {
    (void)state;
    strcpy(root, "/tmp/hakmem_usage_XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

/* Writes a file below the root, and makes the folders that it is in. */
static void put(const char *path, const char *text) {
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *at = full + 1; (at = strchr(at, '/')); *at++ = '/') {
        *at = '\0';
        mkdir(full, 0700);
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool find(void) {
    return hak_usage_find_group(root, &group);
}

static void check_group(uint64_t limit, const char *folder, bool unified) {
    assert_true(find());
    assert_int_equal(group.limit, limit);
    assert_string_equal(group.folder + strlen(root), folder);
    assert_int_equal(group.unified, unified);
}

static void check_used(uint64_t used, uint32_t waits) {
    uint64_t used_now = 0;
    uint32_t waits_now = 0;
    assert_true(hak_usage_read_group(&group, &used_now, &waits_now));
    assert_int_equal(used_now, used);
    assert_int_equal(waits_now, waits);
}

/* ---- Version 2 ------------------------------------------------------------------------------- */

#define V2 "/sys/fs/cgroup"

static void test_none(void **state) {
    (void)state;
    assert_false(find());
    put("/proc/self/cgroup", "0::/some/group\n");
    assert_false(find());
    put(V2 "/some/group/memory.max", "max\n");
    put(V2 "/some/group/memory.high", "max\n");
    assert_false(find());
}

static void test_unified(void **state) {
    (void)state;
    put("/proc/self/cgroup", "0::/some/group\n");
    put(V2 "/some/group/memory.max", "268435456\n");
    check_group(256 * MIB, V2 "/some/group", true);
    put(V2 "/some/group/memory.high", "134217728\n");
    check_group(128 * MIB, V2 "/some/group", true);
    put(V2 "/some/group/memory.current", "104857600\n");
    check_used(100 * MIB, 0);
    put(V2 "/some/group/memory.stat", "anon 62914560\nfile 41943040\nkernel 1\nshmem 10485760\n");
    check_used(70 * MIB, 0);
    put(V2 "/some/group/memory.pressure",
        "some avg10=12.34 avg60=0.00 avg300=0.00 total=0\nfull avg10=99.00 avg60=0 avg300=0\n");
    check_used(70 * MIB, 1234);
    put(V2 "/some/group/memory.pressure", "some avg10=bad\n");
    check_used(70 * MIB, 0);
}

/* The least limit counts, wherever it is. */
static void test_groups_in_groups(void **state) {
    (void)state;
    put("/proc/self/cgroup", "0::/outer/middle/inner\n");
    put(V2 "/outer/middle/inner/memory.max", "max\n");
    put(V2 "/outer/middle/memory.max", "209715200\n");
    put(V2 "/outer/memory.max", "419430400\n");
    check_group(200 * MIB, V2 "/outer/middle", true);
    put(V2 "/memory.max", "1048576\n"); /* in a container, the mounted group is its own */
    check_group(1 * MIB, V2, true);
}

static void test_path_from_outside(void **state) {
    (void)state;
    put("/proc/self/cgroup", "0::/docker/0123456789abcdef\n");
    put(V2 "/memory.max", "52428800\n");
    put(V2 "/memory.current", "1048576\n");
    check_group(50 * MIB, V2, true);
    check_used(1 * MIB, 0);
}

/* ---- Version 1 ------------------------------------------------------------------------------- */

#define V1 "/sys/fs/cgroup/memory"

static void test_version_1(void **state) {
    (void)state;
    put("/proc/self/cgroup", "9:name=systemd:/\n5:cpu,cpuacct:/x\n4:hugetlb,memory:/a/b\n0::/\n");
    put(V1 "/a/b/memory.limit_in_bytes", "9223372036854771712\n");
    assert_false(find());
    put(V1 "/a/b/memory.limit_in_bytes", "268435456\n");
    check_group(256 * MIB, V1 "/a/b", false);
    put(V1 "/a/b/memory.usage_in_bytes", "104857600\n");
    put(V1 "/a/b/memory.stat", "cache 1\nshmem 1\ntotal_cache 20971520\ntotal_shmem 10485760\n");
    check_used(90 * MIB, 0);
}

/* ---- Odd ones -------------------------------------------------------------------------------- */

static void test_odd_files(void **state) {
    (void)state;
    char text[4000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    put("/proc/self/cgroup", text);
    assert_false(find());
    put("/proc/self/cgroup", "");
    assert_false(find());
    put("/proc/self/cgroup", "no colons\n0:one\n");
    assert_false(find());
    memcpy(text, "0::/", 4);
    memcpy(text + 900, "\n0::/g\n", 8);
    put("/proc/self/cgroup", text); /* a path that is too long, and then one that is not */
    put(V2 "/g/memory.max", "1048576\n");
    check_group(1 * MIB, V2 "/g", true);
    put(V2 "/g/memory.max", "many\n");
    assert_false(find());
}

static void test_gone(void **state) {
    (void)state;
    uint64_t used;
    uint32_t waits;
    put("/proc/self/cgroup", "0::/g\n");
    put(V2 "/g/memory.max", "1048576\n");
    assert_true(find());
    assert_false(hak_usage_read_group(&group, &used, &waits));
}

static void test_this_process(void **state) {
    (void)state;
    size_t before = hak_usage_resident();
    if (!before) skip(); /* no /proc */
    enum { BYTES = 32 << 20 };
    char *block = malloc(BYTES);
    assert_non_null(block);
    memset(block, 1, BYTES);
    assert_true(hak_usage_resident() >= before + BYTES / 2);
    free(block);
    hak_usage_find_group("", &group); /* whatever there is */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_none, start, end),
        cmocka_unit_test_setup_teardown(test_unified, start, end),
        cmocka_unit_test_setup_teardown(test_groups_in_groups, start, end),
        cmocka_unit_test_setup_teardown(test_path_from_outside, start, end),
        cmocka_unit_test_setup_teardown(test_version_1, start, end),
        cmocka_unit_test_setup_teardown(test_odd_files, start, end),
        cmocka_unit_test_setup_teardown(test_gone, start, end),
        cmocka_unit_test(test_this_process),
    };
    return cmocka_run_group_tests_name("os/usage", tests, NULL, NULL);
}
