/* SPDX-License-Identifier: MIT
 *
 * config/source.c: which source wins, and the warnings about the environment.
 */
#include "unit.h"

#include "config/source.h"
#include "os/env.h"

#include "capture.h"

static struct hak_values values;
static char out[CAPTURE_BYTES];
static char folder[] = "/tmp/hakmem_source_XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink("system");
    unlink("user");
    return chdir("/") != 0 || rmdir(folder) != 0;
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

struct collecting {
    const struct hak_sources *sources;
    bool quiet;
};

static void collect(void *argument) {
    const struct collecting *collecting = argument;
    hak_source_collect(collecting->sources, &values, collecting->quiet);
}

/* Gathers from the file "system" and this environment for the program "prog". */
static void check(const char *const *environment, const char *warnings) {
    const struct hak_sources sources = {environment, "system", "prog"};
    capture_stderr(collect, &(struct collecting){&sources, false}, out);
    assert_string_equal(out, warnings);
}

#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})

static int64_t number(enum hak_option_id id) {
    return values.number[id];
}

/* Each source in turn is added to the weaker ones, and wins. */
static void test_order(void **state) {
    (void)state;
    const enum hak_option_id id = HAK_OPTION_MAGAZINE_BLOCKS;
    const char *const nothing[] = {NULL};
    write_file("system", "");
    check(nothing, "");
    assert_int_equal(number(id), 1024);
    write_file("system", "profile=lean\n");
    check(nothing, "");
    assert_int_equal(number(id), 256);
    write_file("system", "profile=lean\nmagazine_blocks=1\n");
    check(nothing, "");
    assert_int_equal(number(id), 1);
    write_file("system", "profile=lean\nmagazine_blocks=1\n[prog]\nmagazine_blocks=2\n");
    check(nothing, "");
    assert_int_equal(number(id), 2);
    write_file("user", "magazine_blocks=3\n");
    check(ENVIRONMENT("HAKMEM_CONFIG=user"), "");
    assert_int_equal(number(id), 3);
    write_file("user", "magazine_blocks=3\n[prog]\nmagazine_blocks=4\n");
    check(ENVIRONMENT("HAKMEM_CONFIG=user"), "");
    assert_int_equal(number(id), 4);
    check(ENVIRONMENT("HAKMEM_OPTIONS=magazine_blocks=5", "HAKMEM_CONFIG=user"), "");
    assert_int_equal(number(id), 5);
    check(ENVIRONMENT("HAKMEM_MAGAZINE_BLOCKS=6", "HAKMEM_OPTIONS=magazine_blocks=5",
                      "HAKMEM_CONFIG=user"),
          "");
    assert_int_equal(number(id), 6);
    assert_int_equal(number(HAK_OPTION_PURGE_DELAY_MS), 100); /* still lean's */
    unlink("system");
}

/* The strongest source's profile counts, and it does not touch what a weaker source gave. */
static void test_profile_of_the_strongest(void **state) {
    (void)state;
    write_file("system", "profile=lean\nmagazine_blocks=7\n");
    check(ENVIRONMENT("HAKMEM_PROFILE=speed"), "");
    assert_int_equal(number(HAK_OPTION_PROFILE), HAK_PROFILE_SPEED);
    assert_int_equal(number(HAK_OPTION_MAGAZINE_BLOCKS), 7);
    assert_int_equal(number(HAK_OPTION_MAGAZINE_BYTES), 4 << 20);
    unlink("system");
}

static void test_list(void **state) {
    (void)state;
    check(ENVIRONMENT("HAKMEM_OPTIONS=stats=1, check = fast ,,stats_file=/tmp/x=y"), "");
    assert_int_equal(number(HAK_OPTION_STATS), 1);
    assert_int_equal(number(HAK_OPTION_CHECK), HAK_CHECK_FAST);
    assert_string_equal(values.text[0], "/tmp/x=y");
    check(ENVIRONMENT("HAKMEM_OPTIONS=,"), "");
    check(ENVIRONMENT("HAKMEM_OPTIONS="), "");
    check(ENVIRONMENT("HAKMEM_OPTIONS=stats,stast=1,check=slow"),
          "hakmem: HAKMEM_OPTIONS: \"stats\" has no value: name=value is needed\n"
          "hakmem: HAKMEM_OPTIONS: no option \"stast\"; the nearest is \"stats\"\n"
          "hakmem: HAKMEM_OPTIONS: check=slow: must be fast|checked\n");
}

static void test_variables(void **state) {
    (void)state;
    check(ENVIRONMENT("PATH=/bin", "HAKMEM_STATS=1", "HAKMEM_STATS_FILE= a b ", "HAKMEM=x",
                      "HAKMEM_PURGE_DELAY_MS=-1"),
          "");
    assert_int_equal(number(HAK_OPTION_STATS), 1);
    assert_int_equal(number(HAK_OPTION_PURGE_DELAY_MS), -1);
    assert_string_equal(values.text[0], "a b");
}

/* As for getenv(3). */
static void test_first_of_two_counts(void **state) {
    (void)state;
    check(ENVIRONMENT("HAKMEM_MAGAZINE_BLOCKS=1", "HAKMEM_MAGAZINE_BLOCKS=2"), "");
    assert_int_equal(number(HAK_OPTION_MAGAZINE_BLOCKS), 1);
}

static void test_empty_is_not_set(void **state) {
    (void)state;
    check(ENVIRONMENT("HAKMEM_STATS=", "HAKMEM_CHECK=", "HAKMEM_CONFIG=", "HAKMEM_UNKNOWN="), "");
    assert_int_equal(values.given, 0);
}

static void test_bad_variables(void **state) {
    (void)state;
    check(ENVIRONMENT("HAKMEM_CHEK=fast", "HAKMEM_COLOUR=red", "HAKMEM_stats=1", "HAKMEM_OPTION=x",
                      "HAKMEM_=1", "HAKMEM_MAGAZINE_BLOCKS=0"),
          "hakmem: HAKMEM_CHEK: no such option; the nearest is HAKMEM_CHECK\n"
          "hakmem: HAKMEM_COLOUR: no such option; `hakmem options` lists them\n"
          "hakmem: HAKMEM_stats: no such option; the nearest is HAKMEM_STATS\n"
          "hakmem: HAKMEM_OPTION: no such option; the nearest is HAKMEM_OPTIONS\n"
          "hakmem: HAKMEM_: no such option; `hakmem options` lists them\n"
          "hakmem: HAKMEM_MAGAZINE_BLOCKS: magazine_blocks=0: must be 1 to 2048\n");
    assert_int_equal(values.given, 0);
}

static void test_other_variables_are_known(void **state) {
    (void)state;
    static char entries[HAK_VARIABLE_COUNT][64];
    const char *environment[HAK_VARIABLE_COUNT + 1] = {NULL};
    int used = 0;
    for (int i = 0; i < HAK_VARIABLE_COUNT; i++) {
        if (strcmp(hak_variable_table[i].name, "HAKMEM_CONFIG") == 0) continue;
        if (strcmp(hak_variable_table[i].name, "HAKMEM_OPTIONS") == 0) continue;
        snprintf(entries[i], sizeof entries[i], "%s=x", hak_variable_table[i].name);
        environment[used++] = entries[i];
    }
    check(environment, "");
}

/* Every option can be set by its variable, and a long name or value of one does no harm. */
static void test_every_option_has_its_variable(void **state) {
    (void)state;
    for (int id = 0; id < HAK_OPTION_COUNT; id++) {
        char entry[HAK_OPTION_NAME_BYTES + 300];
        hak_table_variable((enum hak_option_id)id, entry);
        size_t length = strlen(entry);
        const char *words = hak_option_table[id].words;
        if (words != NULL) {
            snprintf(entry + length, sizeof entry - length, "=%.*s", (int)strcspn(words, "|"),
                     words);
        } else {
            snprintf(entry + length, sizeof entry - length, "=1");
        }
        check(ENVIRONMENT(entry), "");
        assert_int_equal(values.given, 1u << id);
    }
    char name[1000] = "HAKMEM_";
    memset(name + 7, 'Z', sizeof name - 8);
    name[500] = '=';
    const struct hak_sources sources = {ENVIRONMENT(name), NULL, "prog"};
    capture_stderr(collect, &(struct collecting){&sources, false}, out);
    assert_int_equal(capture_lines(out), 1);
}

static void test_missing_files(void **state) {
    (void)state;
    check(ENVIRONMENT("HAKMEM_CONFIG=missing"),
          "hakmem: missing: can't be read: it does not exist\n");
    const struct hak_sources none = {ENVIRONMENT("HAKMEM_STATS=1"), NULL, "prog"};
    capture_stderr(collect, &(struct collecting){&none, false}, out);
    assert_string_equal(out, "");
    assert_int_equal(number(HAK_OPTION_STATS), 1);
}

static void test_quiet(void **state) {
    (void)state;
    const struct hak_sources sources = {
        ENVIRONMENT("HAKMEM_CONFIG=missing", "HAKMEM_X=1", "HAKMEM_STATS=7"), NULL, "prog"};
    capture_stderr(collect, &(struct collecting){&sources, true}, out);
    assert_string_equal(out, "");
}

static void test_of_process(void **state) {
    (void)state;
    struct hak_sources sources;
    hak_source_of_process(&sources);
    assert_string_equal(sources.system_file, "/etc/hakmem.conf");
    assert_string_equal(sources.program, hak_env_program());
    assert_ptr_equal(sources.environment, hak_env_list());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_profile_of_the_strongest),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_first_of_two_counts),
        cmocka_unit_test(test_empty_is_not_set),
        cmocka_unit_test(test_bad_variables),
        cmocka_unit_test(test_other_variables_are_known),
        cmocka_unit_test(test_every_option_has_its_variable),
        cmocka_unit_test(test_missing_files),
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_of_process),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
