/* SPDX-License-Identifier: MIT
 *
 * airt_tokenize, airt_token_piece and what models without tokens say to them.
 */
#include <errno.h>

#include "gguf_model.h"

#define CAPACITY 64

static struct airt_model *load_generator(void)
{
    struct airt_model *loaded;

    open_model(&(struct change){.shape = NULL}, NULL);
    assert_int_equal(airt_load_with(&hooks, NULL, &source, &loaded, &error), 0);
    return loaded;
}

static void pieces_are_the_text(void **state)
{
    static const char text[] = "hello";
    struct airt_model *loaded = load_generator();
    uint32_t ids[CAPACITY];
    char back[2 * CAPACITY] = "";
    struct airt_description description;
    const char *piece;
    size_t length;
    size_t count;
    size_t again;

    (void)state;
    assert_int_equal(airt_tokenize(loaded, text, strlen(text), false, false, ids, CAPACITY, &count, &error),
                     0);
    assert_in_range(count, 1, CAPACITY);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(airt_token_piece(loaded, ids[i], &piece, &length), 0);
        assert_true(strlen(back) + length < sizeof(back));
        strncat(back, piece, length);
    }
    assert_non_null(strstr(back, text));
    /* Without room the count is the same, and nothing is written. */
    assert_int_equal(airt_tokenize(loaded, text, strlen(text), false, false, NULL, 0, &again, &error), 0);
    assert_int_equal(again, count);

    airt_describe(loaded, &description);
    assert_int_equal(airt_token_piece(loaded, description.vocabulary - 1, &piece, &length), 0);
    assert_int_equal(airt_token_piece(loaded, description.vocabulary, &piece, &length), -EINVAL);
    assert_int_equal(length, 0);
    assert_int_equal(airt_token_piece(loaded, UINT32_MAX, &piece, &length), -EINVAL);
    airt_unload(loaded);
    close_model();
}

/* Fails each allocation in turn. */
static void failures_are_said(void **state)
{
    struct airt_model *loaded = load_generator();
    uint32_t ids[CAPACITY];
    unsigned long failures = 0;
    size_t before = counters.in_use;
    size_t count;
    int rc;

    (void)state;
    do {
        counters.allocations = 0;
        counters.fail_allocation = ++failures;
        rc = airt_tokenize(loaded, "some words", 10, true, false, ids, CAPACITY, &count, &error);
        if (rc != 0) {
            assert_int_equal(rc, -ENOMEM);
            assert_non_null(strstr(error.text, "no memory to tokenize a text"));
        }
        assert_int_equal(counters.in_use, before);
    } while (rc != 0);
    assert_true(failures > 1);
    counters.fail_allocation = 0;
    airt_unload(loaded);
    close_model();
}

static void a_dictionary_has_no_tokens(void **state)
{
    struct airt_model *loaded = load_text("# microkernelia dictionary\nName: words\nQ: a\nA: b\n");
    struct airt_sequence *sequence = (struct airt_sequence *)&loaded;
    float numbers[1];
    uint32_t id;
    size_t count = 7;
    const char *piece;
    size_t length = 7;

    (void)state;
    assert_int_equal(airt_tokenize(loaded, "a", 1, false, false, &id, 1, &count, &error), -ENOTSUP);
    assert_int_equal(count, 0);
    assert_string_not_equal(error.text, "");
    assert_int_equal(airt_token_piece(loaded, 0, &piece, &length), -ENOTSUP);
    assert_int_equal(length, 0);
    assert_string_equal(piece, "");
    assert_int_equal(airt_embed(loaded, "a", 1, numbers, &error), -ENOTSUP);
    assert_string_not_equal(error.text, "");
    assert_int_equal(airt_sequence_create(loaded, 1, &sequence, &error), -ENOTSUP);
    assert_null(sequence);
    unload_text(loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_the_text),
        cmocka_unit_test(failures_are_said),
        cmocka_unit_test(a_dictionary_has_no_tokens),
    };

    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
