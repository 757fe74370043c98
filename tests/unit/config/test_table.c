/* SPDX-License-Identifier: MIT
 *
 * config/table.c: the rows are sound, and are found.
 */
#include "unit.h"

#include "config/nearest.h"
#include "config/parse.h"
#include "config/table.h"

#include <ctype.h>

static int find(const char *name) {
    return hak_table_find(hak_slice_of(name));
}

static int nearest(const char *name) {
    return hak_table_nearest(hak_slice_of(name));
}

static void test_rows_are_sound(void **state) {
    (void)state;
    unsigned texts = 0;
    for (int id = 0; id < HAK_OPTION_COUNT; id++) {
        const struct hak_option *option = &hak_option_table[id];
        assert_true(strlen(option->name) < HAK_OPTION_NAME_BYTES);
        assert_true(strlen(option->name) < HAK_NEAREST_BYTES);
        for (const char *c = option->name; *c != '\0'; c++) assert_true(islower(*c) || *c == '_');
        assert_true(strlen(option->help) > 10);
        assert_null(strchr(option->help, '\n'));
        assert_null(strchr(option->help, '|')); /* a Markdown table has it */
        assert_true(option->least <= option->initial && option->initial <= option->most);
        if (option->type == HAK_OPTION_WORD) assert_non_null(option->words);
        if (option->type == HAK_OPTION_BOOL || option->type == HAK_OPTION_TEXT)
            assert_null(option->words);
        assert_int_equal(find(option->name), id);
        if (option->type == HAK_OPTION_TEXT) {
            assert_int_equal(option->when, HAK_OPTION_START);
            assert_int_equal(hak_table_text_index((enum hak_option_id)id), texts++);
        }
    }
    assert_int_equal(texts, HAK_OPTION_TEXT_COUNT);
}

/* `most` of a word option is the index of its last word. */
static void test_words_are_counted(void **state) {
    (void)state;
    for (int id = 0; id < HAK_OPTION_COUNT; id++) {
        const char *words = hak_option_table[id].words;
        if (hak_option_table[id].type != HAK_OPTION_WORD) continue;
        int64_t last = 0;
        for (; *words != '\0'; words++) last += *words == '|';
        assert_int_equal(hak_option_table[id].least, 0);
        assert_int_equal(hak_option_table[id].most, last);
    }
}

/* The enumerators stand in the order of the words. */
static void test_words_and_enumerators(void **state) {
    (void)state;
    static const struct {
        enum hak_option_id id;
        const char *word;
        int64_t value;
    } rows[] = {
        {HAK_OPTION_PROFILE, "speed", HAK_PROFILE_SPEED},
        {HAK_OPTION_PROFILE, "balanced", HAK_PROFILE_BALANCED},
        {HAK_OPTION_PROFILE, "lean", HAK_PROFILE_LEAN},
        {HAK_OPTION_PROFILE, "learn", HAK_PROFILE_LEARN},
        {HAK_OPTION_CHECK, "fast", HAK_CHECK_FAST},
        {HAK_OPTION_CHECK, "checked", HAK_CHECK_CHECKED},
        {HAK_OPTION_ON_ERROR, "abort", HAK_ON_ERROR_ABORT},
        {HAK_OPTION_ON_ERROR, "report", HAK_ON_ERROR_REPORT},
        {HAK_OPTION_FOREIGN, "forward", HAK_FOREIGN_FORWARD},
        {HAK_OPTION_FOREIGN, "report", HAK_FOREIGN_REPORT},
        {HAK_OPTION_STATS_FORMAT, "text", HAK_STATS_FORMAT_TEXT},
        {HAK_OPTION_STATS_FORMAT, "json", HAK_STATS_FORMAT_JSON},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        int64_t value = -1;
        assert_int_equal(
            hak_parse_value(&hak_option_table[rows[i].id], hak_slice_of(rows[i].word), &value), 0);
        assert_int_equal(value, rows[i].value);
    }
}

static void test_find(void **state) {
    (void)state;
    assert_int_equal(find("check"), HAK_OPTION_CHECK);
    assert_int_equal(find("CHECK"), HAK_OPTION_CHECK);
    assert_int_equal(find("Stats_Format"), HAK_OPTION_STATS_FORMAT);
    assert_int_equal(find("stats"), HAK_OPTION_STATS);
    assert_int_equal(find("stat"), -1);
    assert_int_equal(find("statss"), -1);
    assert_int_equal(find(""), -1);
    assert_int_equal(hak_table_find((struct hak_slice){"stats\0", 6}), -1);
}

static void test_nearest(void **state) {
    (void)state;
    char name[1000];
    assert_int_equal(nearest("chekc"), HAK_OPTION_CHECK);
    assert_int_equal(nearest("CHEKC"), HAK_OPTION_CHECK);
    assert_int_equal(nearest("purge_delay"), HAK_OPTION_PURGE_DELAY_MS);
    assert_int_equal(nearest("purgedelayms"), HAK_OPTION_PURGE_DELAY_MS);
    assert_int_equal(nearest("magazine_byte"), HAK_OPTION_MAGAZINE_BYTES);
    assert_int_equal(nearest("colour"), -1);
    memset(name, 'c', sizeof name);
    assert_int_equal(hak_table_nearest((struct hak_slice){name, sizeof name}), -1);
}

static void test_variable(void **state) {
    (void)state;
    char variable[HAK_OPTION_NAME_BYTES + 8];
    hak_table_variable(HAK_OPTION_PURGE_DELAY_MS, variable);
    assert_string_equal(variable, "HAKMEM_PURGE_DELAY_MS");
}

/* No variable of another meaning has the name of an option. */
static void test_variables_are_no_options(void **state) {
    (void)state;
    for (int i = 0; i < HAK_VARIABLE_COUNT; i++) {
        assert_memory_equal(hak_variable_table[i].name, "HAKMEM_", 7);
        assert_int_equal(find(hak_variable_table[i].name + 7), -1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_sound),
        cmocka_unit_test(test_words_are_counted),
        cmocka_unit_test(test_words_and_enumerators),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_variable),
        cmocka_unit_test(test_variables_are_no_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
