/* SPDX-License-Identifier: MIT
 *
 * Pre-tokenizers and Unicode classes, against what splitter_vectors.py has worked out from the expressions.
 */
#include "support.h"

#include <stdio.h>

#include "tokenizer/splitter.h"
#include "tokenizer/unicode.h"

static enum pretokenizer pretokenizer_named(const char *name)
{
    static const char *const names[] = {
        [PRETOKENIZER_GPT2] = "gpt-2",   [PRETOKENIZER_LLAMA_BPE] = "llama-bpe",
        [PRETOKENIZER_QWEN2] = "qwen2",  [PRETOKENIZER_SMOLLM] = "smollm",
        [PRETOKENIZER_GPT4O] = "gpt-4o",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return (enum pretokenizer)i;
    fail_msg("%s", name);
    return PRETOKENIZER_GPT2;
}

/* A copy of exactly this size, so that ASan sees every byte too far. */
static char *exact_copy(const char *bytes, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    return copy;
}

static void check_line(char *line)
{
    char *rest = NULL;
    enum pretokenizer pretokenizer = pretokenizer_named(strtok_r(line, " ", &rest));
    const char *digits = strtok_r(NULL, " ", &rest);
    size_t length = strlen(digits) / 2;
    char *text = malloc(length);
    struct splitter splitter;

    assert_non_null(text);
    for (size_t i = 0; i < length; i++) {
        char pair[3] = {digits[2 * i], digits[2 * i + 1], '\0'};

        text[i] = (char)strtoul(pair, NULL, 16);
    }
    splitter_start(&splitter, pretokenizer, text, length);
    for (const char *number; (number = strtok_r(NULL, " ", &rest)) != NULL;)
        if (splitter_next(&splitter) != strtoul(number, NULL, 10))
            fail_msg("%s of %s: another word than %s, which ends at %zu", line, digits, number, splitter.at);
    assert_int_equal(splitter_next(&splitter), 0);
    assert_int_equal(splitter.at, length);
    free(text);
}

static void test_vectors(void **state)
{
    const char *path = getenv("SPLITTER_VECTORS"); /* a longer list, by hand */
    size_t size;
    char *lines = read_file(path != NULL ? path : VECTORS, &size);
    char *rest = NULL;
    unsigned count = 0;

    (void)state;
    for (char *line = strtok_r(lines, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest), count++)
        check_line(line);
    assert_true(count >= 200);
    free(lines);
}

/* Any bytes, UTF-8 or not, are cut into words that make up the whole. */
static void test_any_bytes(void **state)
{
    (void)state;
    random_seed(7);
    for (unsigned i = 0; i < 20000; i++) {
        char bytes[24];
        size_t length = (size_t)random_below(sizeof(bytes));
        struct splitter splitter;
        size_t total = 0;
        char *text;

        for (size_t j = 0; j < length; j++)
            bytes[j] =
                (char)(random_below(2) == 0 ? random_below(256) : (uint64_t) "\r\n '1a/Z"[random_below(8)]);
        text = exact_copy(bytes, length);
        splitter_start(&splitter, (enum pretokenizer)(i % 5), text, length);
        for (size_t word; (word = splitter_next(&splitter)) > 0;)
            total += word;
        assert_int_equal(total, length);
        free(text);
    }
}

/* Without regard to case, the long s is an s; in gpt-2 it is a letter. */
static void test_long_s(void **state)
{
    static const char text[] = "'\xc5\xbf"
                               "a";
    struct splitter splitter;

    (void)state;
    splitter_start(&splitter, PRETOKENIZER_QWEN2, text, sizeof(text) - 1);
    assert_int_equal(splitter_next(&splitter), 3);
    splitter_start(&splitter, PRETOKENIZER_GPT2, text, sizeof(text) - 1);
    assert_int_equal(splitter_next(&splitter), 1);
}

static void test_classes(void **state)
{
    static const struct {
        uint32_t character;
        enum unicode_class expected;
    } cases[] = {
        {0, UNICODE_OTHER},        {'A', UNICODE_UPPER},      {'z', UNICODE_LOWER},
        {'5', UNICODE_NUMBER},     {'\t', UNICODE_SPACE},     {'\r', UNICODE_SPACE},
        {'_', UNICODE_OTHER},      {0x7f, UNICODE_OTHER},     {0x85, UNICODE_SPACE},
        {0xa0, UNICODE_SPACE},     {0xaa, UNICODE_LETTER},    {0xb2, UNICODE_NUMBER},
        {0xe9, UNICODE_LOWER},     {0x1c5, UNICODE_UPPER},    {0x301, UNICODE_MARK},
        {0x200b, UNICODE_OTHER},   {0x2028, UNICODE_SPACE},   {0x2167, UNICODE_NUMBER},
        {0x3000, UNICODE_SPACE},   {0x4e2d, UNICODE_LETTER},  {0x9fff, UNICODE_LETTER},
        {0xac00, UNICODE_LETTER},  {0xd7a3, UNICODE_LETTER},  {0xd800, UNICODE_OTHER},
        {0x10400, UNICODE_UPPER},  {0x1d7ce, UNICODE_NUMBER}, {0x1f600, UNICODE_OTHER},
        {0x2a6df, UNICODE_LETTER}, {0x31350, UNICODE_LETTER}, {0xe0100, UNICODE_MARK},
        {0x10ffff, UNICODE_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (unicode_class(cases[i].character) != cases[i].expected)
            fail_msg("U+%04X is %d", cases[i].character, unicode_class(cases[i].character));
    /* ASCII is the same by the table. */
    for (uint32_t run = 0, character = 0; character < 0x80; character++) {
        while (unicode_runs[run + 1] >> 3 <= character)
            run++;
        assert_int_equal(unicode_class(character), unicode_runs[run] & 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_long_s),
        cmocka_unit_test(test_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
