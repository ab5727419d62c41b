/* SPDX-License-Identifier: MIT
 *
 * Loading: what is malformed and what the error says, failures at every step, both kinds of source.
 */
#include <errno.h>
#include <stdio.h>

#include "support.h"

#define FIRST_LINE "# microkernelia dictionary\n"

static int load_bytes(const void *bytes, size_t size, bool mapped, struct airt_model **model)
{
    struct airt_source source = source_open(bytes, size, mapped);
    int rc = airt_load(&hooks, &source, model, &error);

    if (rc != 0) {
        assert_null(*model);
        assert_int_equal(counters.in_use, 0);
    } else {
        airt_unload(*model);
    }
    source_close(&source);
    return rc;
}

struct malformed {
    const char *bytes;
    size_t size;
    const char *expected;
};
#define CASE(bytes, expected)                                                                                \
    {                                                                                                        \
        bytes, sizeof(bytes) - 1, expected                                                                   \
    }

static const struct malformed malformed[] = {
    CASE("", "test.kv: empty file"),
    CASE("GGUF\3\0\0\0", "test.kv: byte 8: cut off: 8 bytes, 0 left"),
    /* binary */
    CASE("\0", "test.kv: record 1 at byte 0: question is empty"),
    CASE("\5", "test.kv: record 1 at byte 0: question of 5 bytes, 0 left"),
    CASE("\5hell", "test.kv: record 1 at byte 0: question of 5 bytes, 4 left"),
    CASE("\5hello", "test.kv: record 1 at byte 0: answer is missing"),
    CASE("\5hello\0", "test.kv: record 1 at byte 0: answer is empty"),
    CASE("\5hello\2a", "test.kv: record 1 at byte 0: answer of 2 bytes, 1 left"),
    CASE("\5hello\1a\3foo\377b", "test.kv: record 2 at byte 8: answer of 255 bytes, 1 left"),
    CASE("\5hello\1a\3fo", "test.kv: record 2 at byte 8: question of 3 bytes, 2 left"),
    CASE("\5hello\1a\3...\1b", "test.kv: record 2 at byte 8: question has no letter or digit"),
    CASE("\5he\0lo\1a",
         "test.kv: record 1 at byte 0: question has a control character or is not UTF-8 at byte 3"),
    CASE("\5hello\3a\033b",
         "test.kv: record 1 at byte 0: answer has a control character or is not UTF-8 at byte 8"),
    CASE("\5hello\3a\177b",
         "test.kv: record 1 at byte 0: answer has a control character or is not UTF-8 at byte 8"),
    CASE("\5hello\3a\302\233",
         "test.kv: record 1 at byte 0: answer has a control character or is not UTF-8 at byte 8"),
    CASE("\5hello\2a\351",
         "test.kv: record 1 at byte 0: answer has a control character or is not UTF-8 at byte 8"),
    CASE("Q: What is this?\nA: forgotten first line\n", "test.kv: record 1 at byte 0: question of 81 bytes, "
                                                        "40 left (a text dictionary begins with the line \"# "
                                                        "microkernelia dictionary\")"),
    CASE("# my notes\n",
         "test.kv: record 1 at byte 0: question of 35 bytes, 10 left (a text dictionary begins with "
         "the line \"# microkernelia dictionary\")"),
    CASE("# microkernelia dictionary 2\n", "test.kv: record 1 at byte 0: question of 35 bytes, 28 left (a "
                                           "text dictionary begins with the line \"# "
                                           "microkernelia dictionary\")"),
    /* text */
    CASE("# microkernelia dictionary", "test.kv: line 1 (byte 26): no question in the file"),
    CASE(FIRST_LINE "# nothing\n\n", "test.kv: line 3 (byte 38): no question in the file"),
    CASE(FIRST_LINE "text", "test.kv: line 2 (byte 27): expected \"Name:\", \"Q:\" or a comment"),
    CASE(FIRST_LINE "q: what\n", "test.kv: line 2 (byte 27): expected \"Name:\", \"Q:\" or a comment"),
    CASE(FIRST_LINE "A: x\n", "test.kv: line 2 (byte 27): an answer without a question"),
    CASE(FIRST_LINE "Q: a\n", "test.kv: line 2 (byte 27): a question without an answer"),
    CASE(FIRST_LINE "Q: a\nA: b\n\nQ: c\nQ: d\n# end\n",
         "test.kv: line 5 (byte 38): a question without an answer"),
    CASE(FIRST_LINE "Q: a\nb\nA: c\n", "test.kv: line 3 (byte 32): expected \"Q:\" or \"A:\""),
    CASE(FIRST_LINE "Q: a\nName: x\nA: c\n", "test.kv: line 3 (byte 32): expected \"Q:\" or \"A:\""),
    CASE(FIRST_LINE "Q: a\nA: b\nA: c\n",
         "test.kv: line 4 (byte 37): a second answer (write \"\\A:\" if it belongs to the text)"),
    CASE(FIRST_LINE "Q: a\nA:\nQ: b\nA: c\n",
         "test.kv: line 4 (byte 35): the answer before this question is empty"),
    CASE(FIRST_LINE "Q: a\nA: \n# no\n \t\n\\\n", "test.kv: line 6 (byte 46): the last answer is empty"),
    CASE(FIRST_LINE "Q:\nA: b\n", "test.kv: line 2 (byte 27): a question without a letter or digit"),
    CASE(FIRST_LINE "Q: ?!\nA: b\n", "test.kv: line 2 (byte 27): a question without a letter or digit"),
    CASE(FIRST_LINE "Name: a\nName: b\n", "test.kv: line 3 (byte 35): a second name"),
    CASE(FIRST_LINE "Name: \n", "test.kv: line 2 (byte 27): a name has 1 to 103 bytes"),
    CASE(FIRST_LINE "Q: a\nA: b\xff"
                    "c\n",
         "test.kv: line 3 (byte 36): a control character, or not UTF-8"),
    CASE(FIRST_LINE "Q: a\nA: b\0c\n", "test.kv: line 3 (byte 36): a control character, or not UTF-8"),
    CASE(FIRST_LINE "# \x1b[2J\n", "test.kv: line 2 (byte 29): a control character, or not UTF-8"),
};

static void test_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        for (int mapped = 0; mapped < 2; mapped++) {
            struct airt_model *model = NULL;

            counters_reset();
            assert_int_equal(load_bytes(malformed[i].bytes, malformed[i].size, mapped != 0, &model), -EINVAL);
            assert_string_equal(error.text, malformed[i].expected);
        }
    }
}

/* Every byte at every place of a text, of lengths that leave every rest of 8: alone it is fine where it is
 * printable ASCII or white space, and as the first of two it begins a letter from 0xc2 to 0xdf. */
static void test_every_byte_everywhere(void **state)
{
    static const char before[] = "# microkernelia dictionary\nQ: a\nA: b";
    char text[sizeof(before) + 48];

    (void)state;
    memcpy(text, before, sizeof(before) - 1);
    for (unsigned byte = 0; byte < 256; byte++) {
        bool fine = (byte >= 0x20 && byte < 0x7f) || byte == '\t' || byte == '\n' || byte == '\r';

        for (size_t length = 40; length < 48; length++) {
            for (size_t at = 0; at < length - 1; at++) {
                struct airt_model *model = NULL;
                char *letters = text + sizeof(before) - 1;
                size_t size = sizeof(before) - 1 + length;

                memset(letters, 'x', length);
                letters[at] = (char)byte;
                assert_int_equal(load_bytes(text, size, true, &model), fine ? 0 : -EINVAL);
                letters[at + 1] = (char)0xbf;
                assert_int_equal(load_bytes(text, size, true, &model),
                                 byte >= 0xc2 && byte <= 0xdf ? 0 : -EINVAL);
            }
        }
    }
}

static void test_long_questions_and_names(void **state)
{
    static char text[4000];
    struct airt_model *model = NULL;

    (void)state;
    for (int length = 999; length <= 1001; length++) {
        sprintf(text, FIRST_LINE "Q: %0*d  \nA: x", length, 0);
        counters_reset();
        assert_int_equal(load_bytes(text, strlen(text), true, &model), length <= 1000 ? 0 : -EINVAL);
    }
    assert_string_equal(error.text, "test.kv: line 2 (byte 27): a question of more than 1000 bytes");
    for (int length = 102; length <= 104; length++) {
        sprintf(text, FIRST_LINE "Name: %0*d\nQ: q\nA: x", length, 0);
        counters_reset();
        assert_int_equal(load_bytes(text, strlen(text), true, &model), length <= 103 ? 0 : -EINVAL);
    }
}

static void test_a_source_must_be_one(void **state)
{
    struct airt_source source = {.name = NULL, .size = 10};
    struct airt_model *model = NULL;

    (void)state;
    counters_reset();
    assert_int_equal(airt_load(&hooks, &source, &model, &error), -EINVAL);
    assert_string_equal(error.text, "neither mapped nor readable");
    assert_int_equal(airt_load(&hooks, &source, &model, NULL), -EINVAL);
    source.mapped = "\1a\1b";
    source.size = UINT64_C(1) << 32;
    assert_int_equal(airt_load(&hooks, &source, &model, &error), -EINVAL);
    assert_string_equal(error.text, "dictionary: a dictionary of 4 GiB or more");
    assert_int_equal(counters.in_use, 0);
    airt_unload(NULL);
}

/* A name as long as it likes leaves room for the reason, and is cut at a character. */
static void test_long_source_name(void **state)
{
    char name[400];
    struct airt_source source = {.name = name, .size = 1, .mapped = "\5"};
    struct airt_model *model = NULL;

    (void)state;
    counters_reset();
    for (size_t i = 0; i < sizeof(name) - 1; i++)
        name[i] = "\xe2\x82\xac"[i % 3];
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(airt_load(&hooks, &source, &model, &error), -EINVAL);
    assert_non_null(strstr(error.text, "\xe2\x82\xac: record 1 at byte 0: question of 5 bytes, 0 left"));
}

static char *make_dictionary(bool text, unsigned count, size_t *size)
{
    char *bytes = malloc(8u << 20);
    size_t at = 0;

    assert_non_null(bytes);
    random_seed(5);
    if (text)
        at += (size_t)sprintf(bytes, FIRST_LINE "Name: large\n");
    for (unsigned i = 0; i < count; i++) {
        char question[64];
        char reply[64];

        sprintf(question, "How does the word%u of part %u work?", (unsigned)random_below(3000), i);
        sprintf(reply, "It is answer %u.", i);
        if (text)
            at += (size_t)sprintf(bytes + at, "Q: %s\nA: %s\n", question, reply);
        else
            at += (size_t)sprintf(bytes + at, "%c%s%c%s", (char)strlen(question), question,
                                  (char)strlen(reply), reply);
    }
    *size = at;
    return bytes;
}

static void test_both_sources_are_alike(void **state)
{
    (void)state;
    for (int text = 0; text < 2; text++) {
        size_t size;
        char *bytes = make_dictionary(text != 0, 12000, &size);
        struct airt_source sources[2];
        struct airt_model *models[2] = {NULL, NULL};
        struct airt_description descriptions[2];

        counters_reset();
        for (int mapped = 0; mapped < 2; mapped++) {
            unsigned long before = counters.yields;

            sources[mapped] = source_open(bytes, size, mapped != 0);
            assert_int_equal(airt_load(&hooks, &sources[mapped], &models[mapped], &error), 0);
            airt_describe(models[mapped], &descriptions[mapped]);
            /* At least once per 64 KiB of the file. */
            assert_true(counters.yields - before > size / 65536);
        }
        assert_int_equal(descriptions[0].entries, 12000);
        assert_int_equal(descriptions[1].entries, 12000);
        assert_string_equal(descriptions[0].name, text != 0 ? "large" : "test.kv");
        assert_string_equal(descriptions[0].format, text != 0 ? "dictionary (text)" : "dictionary (binary)");
        assert_string_equal(descriptions[0].quantization, "none");
        assert_string_equal(descriptions[0].arch, "key/value");
        assert_int_equal(descriptions[0].bytes, descriptions[1].bytes + size);
        /* 18 bytes per question and 8 for each of its five tokens, and little else. */
        assert_true(descriptions[1].bytes < 12000 * (18 + 5 * 8) + 4096);
        assert_int_equal(descriptions[0].bytes + descriptions[1].bytes, counters.in_use);
        /* No peak above what stays but a little. */
        assert_true(counters.peak < counters.in_use + 16384);

        for (unsigned i = 0; i < 50; i++) {
            char prompt[80];
            struct airt_result first;
            char first_answer[100];

            sprintf(prompt, "%s word%u %u", i % 2 == 0 ? "How does the" : "please explain",
                    (unsigned)random_below(3000), (unsigned)random_below(12000));
            assert_int_equal(ask(models[0], prompt), 0);
            first = result;
            snprintf(first_answer, sizeof(first_answer), "%s", answer.text);
            assert_int_equal(ask(models[1], prompt), 0);
            assert_memory_equal(&first, &result, sizeof(result));
            assert_string_equal(first_answer, answer.text);
        }
        for (int mapped = 0; mapped < 2; mapped++) {
            airt_unload(models[mapped]);
            source_close(&sources[mapped]);
        }
        free(bytes);
        free(answer.text);
        memset(&answer, 0, sizeof(answer));
        assert_int_equal(counters.in_use, 0);
    }
}

static void test_every_allocation_may_fail(void **state)
{
    static const char text[] = FIRST_LINE "Q: one\nA: 1\nQ: two\nQ: three\nA: 2\n";
    static const char binary[] = "\3one\0011\3two\0012";

    (void)state;
    for (int form = 0; form < 2; form++) {
        for (int mapped = 0; mapped < 2; mapped++) {
            unsigned long n = 1;

            for (;; n++) {
                struct airt_model *model = NULL;
                int rc;

                counters_reset();
                counters.fail_allocation = n;
                rc = load_bytes(form == 0 ? text : binary, form == 0 ? sizeof(text) - 1 : sizeof(binary) - 1,
                                mapped != 0, &model);
                if (rc == 0)
                    break;
                assert_int_equal(rc, -ENOMEM);
                assert_non_null(strstr(error.text, "test.kv: no memory"));
            }
            assert_int_equal(n, mapped != 0 ? 7 : 8);
        }
    }
}

static void test_cancel_at_every_yield(void **state)
{
    size_t size;
    char *bytes = make_dictionary(true, 1500, &size);
    unsigned long yields;
    struct airt_model *model = NULL;

    (void)state;
    counters_reset();
    assert_int_equal(load_bytes(bytes, size, false, &model), 0);
    yields = counters.yields;
    assert_true(yields > 15);
    for (unsigned long n = 1; n <= yields; n++) {
        counters_reset();
        counters.stop_yield = n;
        assert_int_equal(load_bytes(bytes, size, false, &model), -ECANCELED);
        assert_string_equal(error.text, "test.kv: cancelled");
        assert_int_equal(counters.yields, n); /* it stops at once */
    }
    free(bytes);
}

static void test_every_read_may_fail(void **state)
{
    size_t size;
    char *bytes = make_dictionary(false, 20000, &size);
    struct airt_model *model = NULL;
    unsigned long n = 1;

    (void)state;
    for (;; n++) {
        int rc;

        counters_reset();
        fail_read = n;
        rc = load_bytes(bytes, size, false, &model);
        if (rc == 0)
            break;
        assert_int_equal(rc, -EIO);
        assert_string_equal(error.text, "test.kv: cannot be read");
    }
    assert_int_equal(n, 2 + (size + 8388607) / 8388608);
    free(bytes);
}

/* Somebody writes to a mapped source while it is loaded. */
static struct {
    char *bytes;
    const char *replacement;
    unsigned long at;
} change;

static int changing_yield(void *context)
{
    (void)context;
    if (++counters.yields == change.at)
        memcpy(change.bytes, change.replacement, strlen(change.replacement));
    return 0;
}

static void test_a_mapped_source_that_changes(void **state)
{
    static const char *const replacements[] = {
        FIRST_LINE "Name: large\nQ: a b c d e f g h i j k l m n\nA: 1\nQ: b\nA: b\nQ: c\nA: x\n#",
        FIRST_LINE "# one question less\n# ", "\3abc\003def\377", FIRST_LINE "text",
        FIRST_LINE "Q: z z z z z z z z z z z z z z z z z\nA: \377\377\377"};
    struct airt_hooks changing = hooks;
    size_t size;
    char *bytes = make_dictionary(true, 1500, &size);
    unsigned refused = 0;

    (void)state;
    changing.yield = changing_yield;
    for (size_t i = 0; i < sizeof(replacements) / sizeof(replacements[0]); i++) {
        for (unsigned long at = 1; at < 30; at++) {
            struct airt_source source = source_open(bytes, size, true);
            struct airt_model *model = NULL;

            counters_reset();
            change.bytes = (char *)(uintptr_t)source.mapped;
            change.replacement = replacements[i];
            change.at = at;
            if (airt_load(&changing, &source, &model, &error) == 0) {
                assert_int_equal(ask(model, "How does the word7 of part 7 work?"), 0);
                assert_int_equal(ask(model, "a b c d e"), 0);
                airt_unload(model);
            } else {
                refused++;
            }
            source_close(&source);
        }
    }
    assert_true(refused > 5);
    free(bytes);
    free(answer.text);
    memset(&answer, 0, sizeof(answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_every_byte_everywhere),
        cmocka_unit_test(test_long_questions_and_names),
        cmocka_unit_test(test_a_source_must_be_one),
        cmocka_unit_test(test_long_source_name),
        cmocka_unit_test(test_both_sources_are_alike),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_cancel_at_every_yield),
        cmocka_unit_test(test_every_read_may_fail),
        cmocka_unit_test(test_a_mapped_source_that_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
