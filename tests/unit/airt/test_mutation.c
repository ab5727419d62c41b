/* SPDX-License-Identifier: MIT
 *
 * Seeded mutations of good dictionaries: whatever comes, loading and asking end with a result or an error
 * that says where, and leave nothing behind.
 */
#include <errno.h>
#include <stdio.h>

#include "support.h"

static const char text_seed[] =
    "# microkernelia dictionary\nName: seed\n\n# comment\nQ: What is a unikernel?\nQ: Define it\n"
    "A: One program.\n\n\\# not a comment\nmore\nQ: caf\xc3\xa9 "
    "\xe6\xbc\xa2\xe5\xad\x97\nA:\n\xf0\x9f\x98\x80 end\n"
    "Q: third's\r\nA: x\r\n";
static const char binary_seed[] = "\5hello\2hi\x13What is a unikernel\7program\5caf\xc3\xa9\2zz\6second\3two";
static const char *const pieces[] = {
    "Q:", "A:", "\n",           "#",        "\\",       "\r\n", "Name: x\n",  "\xff",
    "\0", " ",  "Q: q\nA: a\n", "\xc3\xa9", "\xe2\x82", "'",    "\3abc\3def", "# microkernelia dictionary\n"};

static size_t mutate(char *bytes, size_t length, size_t capacity)
{
    for (uint64_t changes = 1 + random_below(6); changes > 0; changes--) {
        size_t at = (size_t)random_below(length + 1);

        switch (random_below(5)) {
        case 0: /* flip a bit */
            if (at < length)
                bytes[at] = (char)(bytes[at] ^ (1 << random_below(8)));
            break;
        case 1: { /* remove */
            size_t count = (size_t)random_below(8);

            if (count > length - at)
                count = length - at;
            memmove(bytes + at, bytes + at + count, length - at - count);
            length -= count;
            break;
        }
        case 2: { /* insert */
            const char *piece = pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))];
            size_t count = piece[0] == '\0' ? 1 : strlen(piece);

            if (length + count > capacity)
                break;
            memmove(bytes + at + count, bytes + at, length - at);
            memcpy(bytes + at, piece, count); /* NOLINT(bugprone-not-null-terminated-result): no string */
            length += count;
            break;
        }
        case 3: /* cut */
            if (random_below(4) == 0)
                length = at;
            break;
        default: /* double a part */
            if (length - at <= capacity - length) {
                memcpy(bytes + length, bytes + at, length - at);
                length += length - at;
            }
            break;
        }
    }
    return length;
}

static void ask_something(struct airt_model *model, const char *bytes, size_t length)
{
    char prompt[64];
    size_t prompt_length = (size_t)random_below(sizeof(prompt));

    assert_int_equal(ask(model, "What is a unikernel?"), 0);
    assert_int_equal(ask(model, "caf\xc3\xa9 program"), 0);
    if (length > 0) {
        for (size_t i = 0; i < prompt_length; i++)
            prompt[i] = bytes[random_below(length)];
        int rc = ask_n(model, prompt, prompt_length, (uint32_t)random_below(4));

        assert_true(rc == 0 || rc == -EINVAL);
    }
}

static void mutate_and_load(const char *seed, size_t seed_length, unsigned rounds, unsigned *loaded,
                            unsigned *refused)
{
    for (unsigned round = 0; round < rounds; round++) {
        char bytes[1200];
        size_t length = seed_length;
        struct airt_source source;
        struct airt_model *model = NULL;
        int rc;

        memcpy(bytes, seed, seed_length);
        length = mutate(bytes, length, sizeof(bytes));
        counters_reset();
        source = source_open(bytes, length, round % 2 == 0);
        rc = airt_load(&hooks, &source, &model, &error);
        if (rc == 0) {
            (*loaded)++;
            ask_something(model, bytes, length);
            airt_unload(model);
        } else {
            (*refused)++;
            assert_int_equal(rc, -EINVAL);
            assert_true(strncmp(error.text, "test.kv: ", 9) == 0 && strlen(error.text) > 12);
        }
        assert_int_equal(counters.in_use, 0);
        source_close(&source);
    }
}

static void test_mutations(void **state)
{
    unsigned loaded = 0;
    unsigned refused = 0;

    (void)state;
    random_seed(2024);
    mutate_and_load(text_seed, sizeof(text_seed) - 1, 6000, &loaded, &refused);
    assert_true(loaded > 1000 && refused > 1000);
    loaded = refused = 0;
    mutate_and_load(binary_seed, sizeof(binary_seed) - 1, 6000, &loaded, &refused);
    assert_true(loaded > 500 && refused > 1000);
    free(answer.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutations)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
