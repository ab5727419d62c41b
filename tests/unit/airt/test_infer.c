/* SPDX-License-Identifier: MIT
 *
 * Answers: what is emitted, word limits, refusals, failures on the way.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "support.h"

#define FIRST_LINE "# microkernelia dictionary\n"

static const char forms[] = FIRST_LINE
    "Q: plain\nA: One two  three.\n"
    "Q: lines\nA: First\r\n  second\n\n\nthird  \n\n# comment\n\n"
    "Q: below\nA:\n\n   Indented\n"
    "Q: escapes\nA: x\n\\# no comment\n# comment\n\\Q: no question\n\\A: no answer\n\\\\ \n\\\nend\n"
    "Q: accents\nA: \xc3\xa9\xe2\x82\xac \xf0\x9f\x98\x80";

static void expect(struct airt_model *model, const char *prompt, uint32_t max_tokens, const char *expected,
                   uint32_t tokens, enum airt_finish finish)
{
    assert_int_equal(ask_n(model, prompt, strlen(prompt), max_tokens), 0);
    assert_string_equal(answer.text, expected);
    assert_int_equal(result.tokens, tokens);
    assert_int_equal(result.finish, finish);
    assert_true(result.matched);
    assert_string_equal(result.match, prompt);
    assert_true(result.score == 1.0f);
}

static void test_forms_of_answers(void **state)
{
    struct airt_model *model = load_text(forms);

    (void)state;
    expect(model, "plain", 0, "One two  three.", 3, AIRT_FINISH_STOP);
    expect(model, "lines", 0, "First\n  second\n\n\nthird", 3, AIRT_FINISH_STOP);
    expect(model, "below", 0, "Indented", 1, AIRT_FINISH_STOP);
    expect(model, "escapes", 0, "x\n# no comment\nQ: no question\nA: no answer\n\\ \n\nend", 12,
           AIRT_FINISH_STOP);
    expect(model, "accents", 0, "\xc3\xa9\xe2\x82\xac \xf0\x9f\x98\x80", 2, AIRT_FINISH_STOP);
    unload_text(model);

    model =
        load_text("\xef\xbb\xbf# microkernelia dictionary \r\nName: windows \r\nQ: a \r\nA: b\r\n\r\nc\r\n");
    expect(model, "a", 0, "b\n\nc", 2, AIRT_FINISH_STOP);
    unload_text(model);
}

static void test_word_limit(void **state)
{
    struct airt_model *model = load_text(forms);

    (void)state;
    expect(model, "plain", 1, "One", 1, AIRT_FINISH_LENGTH);
    expect(model, "plain", 2, "One two", 2, AIRT_FINISH_LENGTH);
    expect(model, "plain", 3, "One two  three.", 3, AIRT_FINISH_STOP);
    expect(model, "plain", UINT32_MAX, "One two  three.", 3, AIRT_FINISH_STOP);
    expect(model, "lines", 2, "First\n  second", 2, AIRT_FINISH_LENGTH);
    expect(model, "lines", 3, "First\n  second\n\n\nthird", 3, AIRT_FINISH_STOP);
    unload_text(model);
}

static void test_binary_answers_are_verbatim(void **state)
{
    static const char bytes[] = "\5Hello\4 a\n \3foo\2\xc3\xa9\5HELLO\6second";
    struct airt_source source = source_open(bytes, sizeof(bytes) - 1, false);
    struct airt_model *model = NULL;
    struct airt_description description;

    (void)state;
    counters_reset();
    assert_int_equal(airt_load(&hooks, &source, &model, &error), 0);
    airt_describe(model, &description);
    assert_int_equal(description.entries, 2);
    assert_int_equal(ask(model, "foo!"), 0);
    assert_string_equal(answer.text, "\xc3\xa9");
    /* Of equal questions the last wins. */
    assert_int_equal(ask(model, "hello"), 0);
    assert_string_equal(answer.text, "second");
    assert_string_equal(result.match, "HELLO");
    airt_unload(model);
    source_close(&source);

    source = source_open(bytes, 11, true);
    assert_int_equal(airt_load(&hooks, &source, &model, &error), 0);
    assert_int_equal(ask(model, "hello"), 0);
    assert_string_equal(answer.text, " a\n ");
    assert_int_equal(result.tokens, 1);
    source_close(&source); /* `mapped` must stay until the end */
    free(answer.text);
    memset(&answer, 0, sizeof(answer));
    airt_unload(model);
}

static void test_refusals(void **state)
{
    struct airt_model *model = load_text(FIRST_LINE "Q: How do I feed the hungry elephant?\nA: Hay.\n"
                                                    "Q: Where do penguins live?\nA: South.\n");

    (void)state;
    assert_int_equal(ask(model, "volcano eruption schedule"), 0);
    assert_string_equal(answer.text, "I have no answer to that.");
    assert_false(result.matched);
    assert_true(result.score == 0.0f);
    assert_string_equal(result.match, "");
    assert_int_equal(result.finish, AIRT_FINISH_STOP);
    assert_int_equal(result.tokens, 6);
    assert_int_equal(result.prompt_tokens, 3);

    assert_int_equal(ask(model, "hungry volcano eruption schedule"), 0);
    assert_string_equal(answer.text,
                        "I have no answer to that. The closest question that I know is: \"How do I feed "
                        "the hungry elephant?\"");
    assert_false(result.matched);
    assert_true(result.score >= 0.2f && result.score < 0.5f);
    assert_string_equal(result.match, "How do I feed the hungry elephant?");
    assert_int_equal(ask_n(model, "hungry volcano eruption schedule", 32, 2), 0);
    assert_string_equal(answer.text, "I have");
    assert_int_equal(result.finish, AIRT_FINISH_LENGTH);

    /* Only what no word is made of. */
    assert_int_equal(ask(model, " ?! "), 0);
    assert_string_equal(answer.text, "I have no answer to that.");
    assert_int_equal(ask(model, "the of is"), 0);
    assert_false(result.matched);
    unload_text(model);

    /* A dictionary whose questions have no token at all still matches exactly. */
    model = load_text(FIRST_LINE "Q: is it?\nA: It is.\n");
    assert_int_equal(ask(model, "Is it"), 0);
    assert_string_equal(answer.text, "It is.");
    assert_int_equal(ask(model, "was it"), 0);
    assert_false(result.matched);
    unload_text(model);
}

static void test_wrong_requests(void **state)
{
    struct airt_model *model = load_text(forms);
    struct airt_request request = {.prompt = "plain", .prompt_length = 5, .top_p = 1};
    static const float bad_temperatures[] = {-0.1f, 10.1f, NAN, INFINITY};
    static const float bad_top_ps[] = {-0.1f, 1.1f, NAN};
    char *prompt = calloc(1, AIRT_PROMPT_MAX + 1);

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        request.temperature = bad_temperatures[i];
        assert_int_equal(airt_infer(model, &request, collect, &answer, &result, &error), -EINVAL);
        assert_string_equal(error.text, "test.kv: temperature must be from 0 to 10");
    }
    request.temperature = 10;
    for (size_t i = 0; i < 3; i++) {
        request.top_p = bad_top_ps[i];
        assert_int_equal(airt_infer(model, &request, collect, &answer, &result, NULL), -EINVAL);
    }
    assert_null(answer.text);
    assert_int_equal(ask(model, ""), -EINVAL);
    assert_string_equal(error.text, "test.kv: the prompt is empty");
    assert_int_equal(ask(model, "ab\xff"), -EINVAL);
    assert_string_equal(error.text, "test.kv: the prompt is not UTF-8 at byte 2");
    assert_int_equal(ask(model, "ab\xe2\x82"), -EINVAL);
    memset(prompt, 'x', AIRT_PROMPT_MAX + 1);
    assert_int_equal(ask_n(model, prompt, AIRT_PROMPT_MAX + 1, 0), -EINVAL);
    assert_string_equal(error.text, "test.kv: a prompt of 65537 bytes, at most 65536 are taken");
    assert_int_equal(ask_n(model, prompt, AIRT_PROMPT_MAX, 0), 0);
    for (size_t i = 0; i < AIRT_PROMPT_MAX; i += 2)
        prompt[i] = ' ';
    assert_int_equal(ask_n(model, prompt, AIRT_PROMPT_MAX, 0), 0);
    free(prompt);
    unload_text(model);
}

/* A long answer of characters of three bytes in one line: pieces of 4 KiB end inside characters. */
static char *long_answer(size_t characters, const char *separator)
{
    char *text = malloc(100 + characters * (3 + strlen(separator)));
    char *end = text + sprintf(text, FIRST_LINE "Q: long\nA: ");

    for (size_t i = 0; i < characters; i++)
        end += sprintf(end, "\xe2\x82%c%s", (char)(0x80 + i % 64), i + 1 < characters ? separator : "");
    return text;
}

static void test_long_answers(void **state)
{
    static const char *const separators[] = {"", " ", "\n", "\r\n", "x\n# comment\n", " \t "};

    (void)state;
    for (size_t i = 0; i < sizeof(separators) / sizeof(separators[0]); i++) {
        char *text = long_answer(30000, separators[i]);
        struct airt_model *model = load_text(text);
        unsigned long yields = counters.yields;
        size_t expected = 0;
        const char *source = strstr(text, "A: ") + 3;

        assert_int_equal(ask(model, "long"), 0);
        assert_true(counters.yields - yields >= answer.length / 65536);
        for (; *source != '\0'; source++) {
            if (strncmp(source, "# comment\n", 10) == 0)
                source += 10;
            if (*source != '\r' && answer.text[expected++] != *source)
                fail_msg("separator %zu, byte %zu", i, expected);
        }
        assert_int_equal(answer.length, expected);
        assert_int_equal(result.tokens, strlen(separators[i]) > 0 ? 30000 : 1);
        assert_int_equal(ask_n(model, "long", 4, 29999), 0);
        assert_int_equal(result.finish, strlen(separators[i]) > 0 ? AIRT_FINISH_LENGTH : AIRT_FINISH_STOP);
        unload_text(model);
        free(text);
    }
}

static void test_cancel(void **state)
{
    char *text = long_answer(20000, " ");
    struct airt_model *model = load_text(text);
    unsigned long before = counters.yields;
    unsigned long yields;
    unsigned long emits;

    (void)state;
    assert_int_equal(ask(model, "long"), 0);
    yields = counters.yields - before;
    emits = answer.emits;
    assert_true(yields > 1 && emits > 50);
    for (unsigned long n = 1; n <= yields; n++) {
        counters.yields = 0;
        counters.stop_yield = n;
        assert_int_equal(ask(model, "long"), -ECANCELED);
        assert_string_equal(error.text, "test.kv: cancelled");
        assert_int_equal(counters.yields, n);
    }
    counters.stop_yield = 0;
    for (unsigned long n = 1; n <= emits; n++) {
        answer.stop_emit = n;
        assert_int_equal(ask(model, "long"), -ECANCELED);
        assert_int_equal(answer.emits, n);
    }
    answer.stop_emit = 1;
    assert_int_equal(ask(model, "something else"), -ECANCELED);
    unload_text(model);
    free(text);
}

static void test_allocations_of_a_lookup_fail(void **state)
{
    struct airt_model *model = load_text(forms);
    size_t in_use = counters.in_use;

    (void)state;
    for (unsigned long n = 1; n <= 2; n++) {
        counters.allocations = 0;
        counters.fail_allocation = n;
        assert_int_equal(ask(model, "no such thing"), -ENOMEM);
        assert_string_equal(error.text, "test.kv: no memory to look the prompt up");
        assert_int_equal(counters.in_use, in_use);
    }
    counters.allocations = 0;
    counters.fail_allocation = 3;
    assert_int_equal(ask(model, "no such thing"), 0);
    /* What matches exactly needs none. */
    counters.allocations = 0;
    assert_int_equal(ask(model, "plain"), 0);
    assert_int_equal(counters.allocations, 0);
    unload_text(model);
}

static void question_of_euros(char *text, const char *start)
{
    char *end = text + sprintf(text, FIRST_LINE "Q: %s", start);

    for (size_t i = 0; i < 50; i++)
        end += sprintf(end, "\xe2\x82\xac");
    sprintf(end, "\nA: a\n");
}

static void test_match_is_cut_at_a_character(void **state)
{
    char text[300];
    struct airt_model *model;

    (void)state;
    question_of_euros(text, "x");
    model = load_text(text);
    assert_int_equal(ask_n(model, text + 30, 151, 0), 0);
    assert_true(result.matched);
    assert_int_equal(strlen(result.match), 127);
    unload_text(model);
    assert_memory_equal(result.match, text + 30, 127);
    question_of_euros(text, "xy");
    model = load_text(text);
    assert_int_equal(ask_n(model, text + 30, 152, 0), 0);
    assert_int_equal(strlen(result.match), 125);
    unload_text(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_of_answers),
        cmocka_unit_test(test_word_limit),
        cmocka_unit_test(test_binary_answers_are_verbatim),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_wrong_requests),
        cmocka_unit_test(test_long_answers),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_allocations_of_a_lookup_fail),
        cmocka_unit_test(test_match_is_cut_at_a_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
