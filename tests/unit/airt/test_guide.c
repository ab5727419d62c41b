/* SPDX-License-Identifier: MIT
 *
 * The default model: every question finds its own answer, and what people really type finds the right one.
 */
#include <stdio.h>

#include "support.h"

static char *guide;
static size_t guide_size;

/* The line that starts with `prefix` at *at or later; NULL when there is none. Moves *at behind it. */
static char *next_line(char **at, const char *prefix)
{
    while (*at != NULL && **at != '\0') {
        char *line = *at;
        char *end = strchr(line, '\n');

        *at = end != NULL ? end + 1 : NULL;
        if (strncmp(line, prefix, strlen(prefix)) == 0)
            return line;
    }
    return NULL;
}

static char *line_text(const char *line)
{
    size_t length = strcspn(line, "\n");
    char *text = malloc(length + 1);

    memcpy(text, line, length);
    text[length] = '\0';
    return text;
}

/* The first line of the answer that follows `question` in the file. */
static char *answer_after(char *question)
{
    char *at = question;
    char *line = next_line(&at, "A:");

    assert_non_null(line);
    return line_text(line + 3);
}

static void test_every_question_finds_its_answer(void **state)
{
    struct airt_model *model = load_text(guide);
    struct airt_description description;
    char *at = guide;
    char *line;
    unsigned questions = 0;
    unsigned answers = 0;

    (void)state;
    while ((line = next_line(&at, "Q:")) != NULL) {
        char *question = line_text(line + 3);
        char *expected = answer_after(line);

        assert_int_equal(ask(model, question), 0);
        if (!result.matched || result.score < 1.0f || strncmp(answer.text, expected, strlen(expected)) != 0)
            fail_msg("\"%s\": %s", question, answer.text);
        assert_string_equal(result.match, question);
        free(question);
        free(expected);
        questions++;
    }
    at = guide;
    while (next_line(&at, "A:") != NULL)
        answers++;
    assert_true(answers >= 70);
    airt_describe(model, &description);
    assert_string_equal(description.name, "guide");
    assert_int_equal(description.entries, questions); /* none twice */
    unload_text(model);
}

static void test_paraphrases(void **state)
{
    size_t size;
    char *paraphrases = read_file(PARAPHRASES, &size);
    char *rest = paraphrases;
    struct airt_model *model = load_text(guide);
    unsigned count = 0;
    unsigned wrong = 0;

    (void)state;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        char *tab = strchr(line, '\t');
        const char *wanted;
        char *expected;

        if (line[0] == '#' || tab == NULL)
            continue;
        *tab = '\0';
        wanted = tab + strspn(tab + 1, "\t") + 1;
        count++;
        if (strcmp(wanted, "-") == 0) {
            assert_int_equal(ask(model, line), 0);
            if (result.matched) {
                print_message("\"%s\" must have no answer, but matched \"%s\" (%.3f)\n", line, result.match,
                              (double)result.score);
                wrong++;
            }
            continue;
        }
        assert_int_equal(ask(model, wanted), 0);
        assert_true(result.score == 1.0f);
        expected = strdup(answer.text);
        assert_int_equal(ask(model, line), 0);
        if (strcmp(answer.text, expected) != 0) {
            print_message("\"%s\" should be \"%s\", but is \"%s\" (%.3f)\n", line, wanted, result.match,
                          (double)result.score);
            wrong++;
        }
        free(expected);
    }
    assert_true(count >= 60);
    assert_int_equal(wrong, 0);
    unload_text(model);
    free(paraphrases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_question_finds_its_answer),
        cmocka_unit_test(test_paraphrases),
    };

    guide = read_file(GUIDE, &guide_size);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(guide);
    return failed;
}
