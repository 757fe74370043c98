/* SPDX-License-Identifier: MIT
 *
 * policy/taught.c: policy files, good and bad.
 */
#include "engine.h"

#include "large/bigcache.h"
#include "os/module.h"
#include "policy/keep.h"
#include "policy/taught.h"

#include <string.h>
#include <unistd.h>

static const char *parse(const char *text, struct hak_taught *out) {
    return hak_taught_parse(text, strlen(text), out);
}

static void test_line(void **state) {
    (void)state;
    struct hak_taught one;
    assert_null(parse("1a2f 100 libfoo.so.1", &one));
    assert_int_equal(one.offset, 0x1a2f);
    assert_int_equal(one.step, 2);
    assert_int_equal(one.module_length, strlen("libfoo.so.1"));
    assert_null(one.symbol);
    assert_null(parse("0 ever a name\tfoo(int, char)+0x12", &one));
    assert_int_equal(one.step, HAK_STEPS - 1);
    assert_memory_equal(one.module, "a name\t", 7);
    assert_int_equal(one.symbol_length, strlen("foo(int, char)+0x12"));
    static const char *const bad[] = {"",
                                      "1",
                                      "1 ",
                                      "1 10",
                                      "1 10 ",
                                      "x 10 a",
                                      "1F 10 a",
                                      " 10 a",
                                      "1 11 a",
                                      "1 never a",
                                      "1  a",
                                      "1 10 \ta",
                                      "11111111111111111 10 a"};
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) assert_non_null(parse(bad[i], &one));
}

/* The text as the policy file of this process. */
static void load(const char *text) {
    char path[] = "/tmp/hakmem_policy_XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    setenv("HAKMEM_POLICY_FILE", path, 1);
    hak_free(hak_malloc(1));
    unlink(path);
}

/* A line for a function of this program. */
static void line_for(char *out, size_t size, void *function, const char *keep) {
    char name[200];
    uintptr_t offset;
    if (!hak_module_find((uintptr_t)function, name, sizeof name, &offset)) skip();
    snprintf(out, size, "site %lx %s %s\tsymbol+0x1\n", (unsigned long)offset, keep, name);
}

static void test_good(void **state) {
    (void)state;
    char first[300], second[300], text[800];
    line_for(first, sizeof first, (void *)parse, "10000");
    line_for(second, sizeof second, (void *)load, "0");
    snprintf(text, sizeof text, "hakmem policy 1\n%s%send\n", first, second);
    assert_false(hak_taught_any());
    load(text);
    assert_true(hak_taught_any());
    assert_int_equal(hak_taught_step((uintptr_t)parse), 4);
    assert_int_equal(hak_taught_step((uintptr_t)load), 0);
    assert_int_equal(hak_taught_step((uintptr_t)load + 1), -1);
    assert_int_equal(hak_taught_step(0), -1);
}

/* Of the site, the step of the file is in force; with `learn` it may change. */
static void test_applied(void **state) {
    (void)state;
    char line[300], text[400];
    struct hak_steps steps;
    line_for(line, sizeof line, (void *)parse, "10000");
    snprintf(text, sizeof text, "hakmem policy 1\n%send\n", line);
    load(text);
    uint16_t site = hak_site_find((void *)parse), other = hak_site_find((void *)load);
    assert_int_equal(hak_keep_freed(site, 100 * MIB, 1), 10000);
    assert_int_equal(hak_keep_freed(other, 100 * MIB, 1), 0);
    assert_int_equal(hak_keep_freed(other, 3 * MIB, 1), HAK_BIGCACHE_USUAL);
    for (uint32_t now = 1; now < 2000000; now += 20000) { /* gaps for which it is wrong */
        hak_keep_freed(site, 100 * MIB, now);
        hak_keep_taken(site, now + 20000);
    }
    assert_int_equal(hak_keep_freed(site, 100 * MIB, 1), 10000);
    assert_true(hak_keep_read(site, &steps));
    assert_true(steps.paid > steps.fixed);
    hak_option_set("learn", "1");
    for (uint32_t now = 1; now < 2000000; now += 20000) {
        hak_keep_freed(site, 100 * MIB, now);
        hak_keep_taken(site, now + 20000);
    }
    assert_int_equal(hak_keep_freed(site, 100 * MIB, 1), 0);
}

static void load_bad(void *argument) {
    load(argument);
    if (hak_taught_any()) _exit(9);
}

static void test_bad(void **state) {
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"", ":0: ends in the middle"},
        {"hakmem policy 1\n", ":1: ends in the middle"},
        {"hakmem policy 1\nsite 1 10 a\n", ":2: ends in the middle"},
        {"hakmem policy 1\nsite 1 10 a\nen", ":3: not a line of a policy file"},
        {"hakmem policy 1\nend\nsite 1 10 a\n", ":3: text behind the end"},
        {"hakmem policy 2\nend\n", ":1: made by another version of hakmem"},
        {"hakmem sites 1\nend\n", ":1: not a policy file"},
        {"hakmem policy 1\nsite 1 12 a\nend\n", ":2: the time to keep is none of"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        char out[CAPTURE_BYTES];
        assert_int_equal(capture_child(load_bad, (void *)(uintptr_t)cases[i].text, out), 0);
        if (!strstr(out, cases[i].said)) fail_msg("%zu: %s", i, out);
        assert_non_null(strstr(out, "the fixed policy is used"));
    }
}

static void no_file(void *argument) {
    (void)argument;
    setenv("HAKMEM_POLICY_FILE", "/no/such/file", 1);
    hak_free(hak_malloc(1));
    hak_free(hak_malloc(1));
}

static void test_no_file(void **state) {
    (void)state;
    char out[CAPTURE_BYTES];
    assert_int_equal(capture_child(no_file, NULL, out), 0);
    assert_string_equal(out, "hakmem: policy file /no/such/file can't be read: error 2; the fixed "
                             "policy is used\n");
}

/* As many sites as there may be, and one more. */
static void test_many(void **state) {
    (void)state;
    static char text[HAK_TAUGHT_SITES_MAX * 24 + 64];
    char out[CAPTURE_BYTES];
    for (unsigned sites = HAK_TAUGHT_SITES_MAX; sites <= HAK_TAUGHT_SITES_MAX + 1; sites++) {
        size_t used = (size_t)snprintf(text, sizeof text, "hakmem policy 1\n");
        for (unsigned i = 0; i < sites; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "site %x 10 lib\n", i);
        snprintf(text + used, sizeof text - used, "end\n");
        int status = capture_child(load_bad, text, out);
        if (sites > HAK_TAUGHT_SITES_MAX) assert_non_null(strstr(out, ":4098: more than 4096"));
        else assert_int_equal(WEXITSTATUS(status), 9);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_line), ISOLATED(test_good),    ISOLATED(test_applied),
        ISOLATED(test_bad),  ISOLATED(test_no_file), ISOLATED(test_many),
    };
    return cmocka_run_group_tests_name("policy/taught", tests, NULL, NULL);
}
