/* SPDX-License-Identifier: MIT
 *
 * The dictionary formats: the input is a file. Whatever it holds, it is a model or an error that says where;
 * a model answers each of its own questions, and any prompt that is UTF-8.
 */
#include <errno.h>

#include "dictionary/dictionary.h"
#include "fuzz.h"
#include "unit/airt/support.h"
#include "utf8.h"

/* What a load may hold beside the file: an index of its words. Found by measuring, with a margin. */
#define BYTES_PER_BYTE 128
#define BYTES_MORE     65536

static void check_utf8(const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        uint32_t character;
        size_t bytes = utf8_decode(text + at, length - at, &character);
        assert_true(bytes > 0);
        at += bytes;
    }
}

static void check_answer(int rc, uint32_t max_tokens)
{
    if (rc != 0) {
        assert_true(rc == -EINVAL && error.text[0] != '\0');
        return;
    }
    assert_true(result.score >= 0 && result.score <= 1);
    assert_true(max_tokens == 0 || result.tokens <= max_tokens);
    assert_true(result.finish == AIRT_FINISH_STOP || max_tokens > 0);
    assert_true(strnlen(result.match, sizeof(result.match)) < sizeof(result.match));
    check_utf8(result.match, strlen(result.match));
    assert_true(max_tokens > 0 || answer.length > 0); /* collect() has checked the text */
}

/* Each question (the first 16) is found by its own words. */
static void ask_its_own(struct airt_model *model)
{
    const struct dictionary *dictionary = (const struct dictionary *)model;

    for (uint32_t i = 0; i < dictionary->entry_count && i < 16; i++) {
        struct slice question = dictionary_question(dictionary, i);
        int rc = ask_n(model, question.text, question.length, 0);
        check_answer(rc, 0);
        if (question.length <= AIRT_PROMPT_MAX)
            assert_true(rc == 0 && result.matched && result.score == 1);
    }
}

static void ask_any(struct airt_model *model, const uint8_t *data, size_t size, uint32_t options)
{
    size_t at = options % (size + 1), length = options / 7 % 100;
    uint32_t max_tokens = options / 3 % 5;

    if (length > size - at)
        length = size - at;
    check_answer(ask_n(model, (const char *)data + at, length, max_tokens), max_tokens);
    check_answer(ask(model, "What is a unikernel?"), 0);
    /* Stopped by whoever listens, or while others run. */
    answer.stop_emit = 1;
    int rc = ask(model, "What is a unikernel?");
    assert_true(rc == 0 || rc == -ECANCELED);
    answer.stop_emit = 0;
    counters.allocations = 0;
    counters.fail_allocation = 1;
    rc = ask(model, "caf\xc3\xa9 program");
    assert_true(rc == 0 || rc == -ENOMEM);
    counters.fail_allocation = 0;
}

static int load(const uint8_t *data, size_t size, bool mapped, uint32_t options, bool failing)
{
    struct airt_source source = source_open(data, size, mapped);
    struct airt_model *model = NULL;

    counters_reset();
    if (failing) {
        counters.fail_allocation = options / 2 % 3 == 0 ? 1 + options / 8 % 8 : 0;
        counters.stop_yield = options / 2 % 3 == 1 ? 1 + options / 8 % 4 : 0;
        fail_read = options / 2 % 3 == 2 ? 1 + options / 8 % 3 : 0;
    }
    int rc = airt_load(&hooks, &source, &model, &error);
    size_t peak = counters.peak, held = counters.in_use;
    counters.fail_allocation = counters.stop_yield = fail_read = 0;
    assert_true(peak <= BYTES_PER_BYTE * size + BYTES_MORE);
    if (rc == 0) {
        struct airt_description description;
        airt_describe(model, &description);
        assert_int_equal(description.bytes, held);
        check_utf8(description.name, strlen(description.name));
        if (!failing) {
            ask_its_own(model);
            ask_any(model, data, size, options);
        }
        airt_unload(model);
    } else {
        assert_null(model);
        assert_true(rc == -EINVAL || failing);
        assert_true(rc == -EINVAL || rc == -ENOMEM || rc == -ECANCELED || rc == -EIO);
        assert_true(strncmp(error.text, "test.kv: ", 9) == 0 && strlen(error.text) > 12 &&
                    strnlen(error.text, sizeof(error.text)) < sizeof(error.text));
        check_utf8(error.text, strlen(error.text));
    }
    assert_int_equal(counters.in_use, 0);
    source_close(&source);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t options = input_hash(data, size);

    /* Mapped or read, it is the same. */
    int mapped = load(data, size, true, options, false);
    int copied = load(data, size, false, options, false);
    assert_int_equal(mapped, copied);
    (void)load(data, size, (options & 1) != 0, options, true);
    free(answer.text);
    answer.text = NULL;
    return 0;
}
