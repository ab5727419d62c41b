/* SPDX-License-Identifier: MIT
 *
 * The modules that can be called alone: lines, arguments, completion, output.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arguments.h"
#include "completion.h"
#include "line.h"
#include "output.h"
#include "waiting.h"

/* ---- lines ---- */

/* The words, each in < >. */
static char *read_line(const char *text, enum status *status)
{
    char *copy = strdup(text);
    assert_non_null(copy);
    struct line line;
    struct error error;
    *status = line_read(copy, &line, &error);
    char *joined = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&joined, &size);
    assert_non_null(file);
    for (int i = 0; *status == STATUS_OK && i < line.count; i++)
        fprintf(file, "<%s>", line.words[i]);
    fclose(file);
    free(copy);
    return joined;
}

static void lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", ""},
        {" \t\n", ""},
        {"# infer x", ""},
        {"health", "<health>"},
        {"  call infer\tprompt=5 \n", "<call><infer><prompt=5>"},
        {"call x a='b c' d=\"e \\\" f\" g\\ h", "<call><x><a=b c><d=e \" f><g h>"},
        {"call x a='\\' b=\"'\" '' \"\"", "<call><x><a=\\><b='><><>"},
        {"call x\\", "<call><x\\>"},
        {"infer", "<infer>"},
        {"infer   ", "<infer>"},
        {"infer What's a \"kernel\"?  \n", "<infer><--><What's a \"kernel\"?>"},
        {"infer \"What is it?\"", "<infer><What is it?>"},
        {"infer 'What is it?' --max-tokens 5", "<infer><What is it?><--max-tokens><5>"},
        {"infer \"yes\" and \"no\"", "<infer><--><\"yes\" and \"no\">"},
        {"infer \"a \\\" b\"", "<infer><a \" b>"},
        {"infer 'Tis it", "<infer><--><'Tis it>"},
        {"infer --max-tokens 5 --json -t 1 Don't # stop",
         "<infer><--max-tokens><5><--json><-t><1><--><Don't # stop>"},
        {"infer --seed=4 x", "<infer><--seed=4><--><x>"},
        {"infer --seed", "<infer><--seed>"},
        {"infer -- --seed 'x'", "<infer><--><--seed 'x'>"},
        {"infer - 5", "<infer><--><- 5>"},
        {"infer --help", "<infer><--help>"},
        {"inferx 'a'", "<inferx><a>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum status status;
        char *words = read_line(cases[i].text, &status);
        assert_int_equal(status, STATUS_OK);
        assert_string_equal(words, cases[i].words);
        free(words);
    }
}

static void lines_that_are_wrong(void **state)
{
    (void)state;
    static const char *const cases[] = {"health 'x", "call \"", "infer --seed 'x", "infer --'x"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum status status;
        free(read_line(cases[i], &status));
        assert_int_equal(status, STATUS_USAGE);
    }
    char many[(LINE_WORDS_MAX + 1) * 2 + 1];
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = i % 2 ? ' ' : 'x';
    many[sizeof many - 1] = '\0';
    enum status status;
    free(read_line(many, &status));
    assert_int_equal(status, STATUS_USAGE);
    many[sizeof many - 3] = '\0'; /* one word less */
    free(read_line(many, &status));
    assert_int_equal(status, STATUS_OK);
}

/* ---- arguments ---- */

static json_t *schema(void)
{
    json_t *value =
        json_loads("{\"properties\":{\"i\":{\"type\":\"integer\"},\"n\":{\"type\":\"number\"},\"b\":{"
                   "\"type\":\"boolean\"},\"s\":{\"type\":\"string\"},\"a\":{\"type\":\"array\"},\"o\":{"
                   "\"type\":\"object\"},\"z\":{\"type\":\"null\"},\"in\":{\"type\":[\"integer\",\"null\"]}"
                   ",\"si\":{\"type\":[\"string\",\"integer\"]},\"any\":{},\"odd\":{\"type\":\"colour\"},"
                   "\"e\":{\"type\":[]},\"w\":{\"type\":[1,\"integer\"]}}}",
                   0, NULL);
    assert_non_null(value);
    return value;
}

static void typed_arguments(void **state)
{
    (void)state;
    static const struct {
        const char *word, *json; /* NULL: refused */
    } cases[] = {
        {"i=5", "{\"i\":5}"},
        {"i=-5", "{\"i\":-5}"},
        {"i=5.0", NULL},
        {"i=", NULL},
        {"i=5x", NULL},
        {"i=99999999999999999999", NULL},
        {"n=5", "{\"n\":5}"},
        {"n=5e3", "{\"n\":5e3}"},
        {"n=true", NULL},
        {"n=NaN", NULL},
        {"b=true", "{\"b\":true}"},
        {"b=yes", NULL},
        {"s=5", "{\"s\":\"5\"}"},
        {"s=", "{\"s\":\"\"}"},
        {"s=a=b", "{\"s\":\"a=b\"}"},
        {"a=[1]", "{\"a\":[1]}"},
        {"a=1,2", NULL},
        {"o={\"x\":[]}", "{\"o\":{\"x\":[]}}"},
        {"o=[]", NULL},
        {"z=null", "{\"z\":null}"},
        {"z=0", NULL},
        {"in=4", "{\"in\":4}"},
        {"in=null", "{\"in\":null}"},
        {"in=x", NULL},
        {"si=4", "{\"si\":4}"},
        {"si=x", "{\"si\":\"x\"}"},
        {"any=4", "{\"any\":\"4\"}"},
        {"odd=4", NULL},
        {"e=4", "{\"e\":\"4\"}"},
        {"w=4", "{\"w\":4}"},
        {"other=[", "{\"other\":\"[\"}"},
        {"=5", NULL},
        {"i", NULL},
        {"s=\xff", NULL},
        {"\xff=s", NULL},
    };
    json_t *types = schema();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *word = (char *)cases[i].word;
        json_t *arguments = NULL;
        struct error error;
        enum status status = arguments_from_words(types, 1, &word, &arguments, &error);
        assert_int_equal(status, cases[i].json ? STATUS_OK : STATUS_USAGE);
        if (cases[i].json) {
            json_t *expected = json_loads(cases[i].json, 0, NULL);
            assert_true(json_equal(arguments, expected));
            json_decref(expected);
        } else {
            assert_null(arguments);
        }
        json_decref(arguments);
    }
    json_decref(types);
}

static void arguments_twice_or_too_long(void **state)
{
    (void)state;
    char *words[] = {(char *)"a=1", (char *)"a=2"};
    json_t *arguments;
    struct error error;
    assert_int_equal(arguments_from_words(NULL, 2, words, &arguments, &error), STATUS_USAGE);
    assert_string_equal(error.text, "a is given twice");
    char key[400];
    memset(key, 'k', sizeof key);
    memcpy(key + sizeof key - 3, "=1", 3);
    words[0] = key;
    assert_int_equal(arguments_from_words(NULL, 1, words, &arguments, &error), STATUS_USAGE);
    assert_int_equal(arguments_from_words(NULL, 0, NULL, &arguments, &error), STATUS_OK);
    assert_int_equal(json_object_size(arguments), 0);
    json_decref(arguments);
}

static void a_long_error_is_cut(void **state)
{
    (void)state;
    static char text[5000];
    memset(text, 'e', sizeof text - 1);
    struct error error;
    assert_int_equal(error_set(&error, STATUS_TOOL, "%s", text), STATUS_TOOL);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_string_equal(error.text + sizeof error.text - 5, "e...");
}

/* ---- completion ---- */

static void assert_completes(const char *line, size_t stem, const char *expected)
{
    json_error_t cause;
    struct session session = {.client.open = true};
    session.tools =
        json_loads("[{\"name\":\"infer\",\"inputSchema\":{\"properties\":{\"prompt\":{},\"max_tokens\":{},"
                   "\"bad key\":{},\"esc\\u001b\":{}}}},{\"name\":\"info\"},{\"name\":\"\\u001b[2J\"},"
                   "{\"name\":\"\"},{\"noname\":1},7]",
                   0, &cause);
    assert_non_null(session.tools);
    size_t found_stem = 99;
    json_t *words = completion_find(&session, line, &found_stem);
    char *text = json_dumps(words, JSON_COMPACT);
    assert_string_equal(text, expected);
    assert_int_equal(found_stem, stem);
    free(text);
    json_decref(words);
    json_decref(session.tools);
}

static void completion(void **state)
{
    (void)state;
    assert_completes("he", 2, "[\"health \",\"help \"]");
    assert_completes("  lo", 2, "[\"load-model \",\"logs \"]");
    assert_completes("q", 1, "[\"quit \"]");
    assert_completes("x", 1, "[]");
    assert_completes("call ", 0, "[\"infer \",\"info \"]");
    assert_completes("call  inf", 3, "[\"infer \",\"info \"]");
    assert_completes("call infe", 4, "[\"infer \"]");
    assert_completes("call infer ", 0, "[\"prompt=\",\"max_tokens=\"]");
    assert_completes("call infer prompt=x m", 1, "[\"max_tokens=\"]");
    assert_completes("call info ", 0, "[]");
    assert_completes("call nope ", 0, "[]");
    assert_completes("call -", 1, "[\"--args \",\"--json \"]");
    assert_completes("logs --l", 3, "[\"--level \"]");
    assert_completes("infer --m", 3, "[\"--max-tokens \"]");
    assert_completes("nope -", 1, "[]");
    assert_completes("infer wh", 2, "[]");
    char longer[300];
    memset(longer, 'c', sizeof longer - 1);
    memcpy(longer + 200, " -", 2);
    longer[202] = '\0';
    assert_completes(longer, 1, "[]");
}

static void what_words_have_in_common(void **state)
{
    (void)state;
    json_t *words = json_pack("[s, s, s]", "health ", "help ", "hello ");
    assert_int_equal(completion_common(words), 2);
    json_decref(words);
    words = json_pack("[s]", "quit ");
    assert_int_equal(completion_common(words), 5);
    json_decref(words);
    words = json_array();
    assert_int_equal(completion_common(words), 0);
    json_decref(words);
}

/* ---- output ---- */

static void assert_prints(bool is_terminal, const char *text, size_t length, const char *expected)
{
    char *printed = NULL;
    size_t size = 0;
    struct output output = {.file = open_memstream(&printed, &size), .is_terminal = is_terminal};
    output_text(&output, text, length);
    fclose(output.file);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(printed, expected, size);
    free(printed);
}

static void control_characters(void **state)
{
    (void)state;
    assert_prints(true, "\033[31m\a\r\n\t\b\x7f", 11, "\\x1b[31m\\x07\\x0d\n\t\\x08\\x7f");
    assert_prints(true, "a\0b", 3, "a\\x00b");
    assert_prints(true,
                  "\xC2\x9B"
                  "2J\xC2\x80\xC2\x9F",
                  8, "\\u009b2J\\u0080\\u009f");
    assert_prints(true, "\xC2\xA0\xC3\xA9\xE2\x86\x92\xF0\x9F\x98\x80", 11,
                  "\xC2\xA0\xC3\xA9\xE2\x86\x92\xF0\x9F\x98\x80");
    assert_prints(true, "\xC2", 1, "\xC2");
    assert_prints(true, "\x9B\xE2\x86\x92\x9B", 5, "\\x9b\xE2\x86\x92\\x9b");
    assert_prints(true, "\xC3\x9B\x9B", 3, "\xC3\x9B\\x9b");
    assert_prints(false, "\033[31m", 5, "\033[31m");
}

static void widths(void **state)
{
    (void)state;
    assert_int_equal(output_width(""), 0);
    assert_int_equal(output_width("abc"), 3);
    assert_int_equal(output_width("\xC3\xA9\xE2\x86\x92"), 2);
}

/* What waiting_show leaves on the screen for elapsed times. */
static char *waits(bool is_terminal, const int64_t *times, size_t count, const json_t *progress)
{
    char *printed = NULL;
    size_t size = 0;
    struct output output = {.file = open_memstream(&printed, &size), .is_terminal = is_terminal};
    struct waiting waiting = {.output = &output, .columns = 60};
    for (size_t i = 0; i < count; i++)
        waiting_show(&waiting, times[i], progress);
    fclose(output.file);
    return printed;
}

static void long_waits_are_shown(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 250, 999, 1000, 1250, 2100, -1};
    char *text = waits(true, times, 7, NULL);
    assert_string_equal(text, "1 s (Ctrl-C cancels)\r\033[K2 s (Ctrl-C cancels)\r\033[K");
    free(text);
    text = waits(false, times, 7, NULL);
    assert_string_equal(text, "");
    free(text);
}

static void progress_is_a_bar(void **state)
{
    (void)state;
    static const struct {
        const char *progress, *shown;
    } cases[] = {
        {"{\"progress\":3,\"total\":7.5}", "[========            ]  40%, 3 of 7.5, 0 s (Ctrl-C cancels)"},
        {"{\"progress\":9,\"total\":3}", "[====================] 100%, 9 of 3, 0 s (Ctrl-C cancels)"},
        {"{\"progress\":-1,\"total\":3}", "[                    ]   0%, -1 of 3, 0 s (Ctrl-C cancels)"},
        {"{\"progress\":3,\"message\":\"a\\u001b[2Jb\"}", "3 a [2Jb, 0 s (Ctrl-C cancels)"},
        {"{\"progress\":3,\"message\":\"one\\ntwo\"}", "3 one, 0 s (Ctrl-C cancels)"},
        {"{\"progress\":3,\"message\":\"\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97"
         "\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97"
         "\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\"}",
         "3 \xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5"
         "\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5"
         "\xE6\x97\xA5, 0 s "
         "(Ctrl-C cancels)"},
        {"{\"progress\":\"x\",\"total\":[]}", "0 s (Ctrl-C cancels)"},
    };
    static const int64_t once[] = {300};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *progress = json_loads(cases[i].progress, 0, NULL);
        assert_non_null(progress);
        char *text = waits(true, once, 1, progress);
        assert_string_equal(text, cases[i].shown);
        free(text);
        json_decref(progress);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines),
                                       cmocka_unit_test(lines_that_are_wrong),
                                       cmocka_unit_test(typed_arguments),
                                       cmocka_unit_test(arguments_twice_or_too_long),
                                       cmocka_unit_test(a_long_error_is_cut),
                                       cmocka_unit_test(completion),
                                       cmocka_unit_test(what_words_have_in_common),
                                       cmocka_unit_test(control_characters),
                                       cmocka_unit_test(widths),
                                       cmocka_unit_test(long_waits_are_shown),
                                       cmocka_unit_test(progress_is_a_bar)};
    return cmocka_run_group_tests_name("mcp-cli: parts", tests, NULL, NULL);
}
