/* SPDX-License-Identifier: MIT
 *
 * Requests: time that is over, work that yields, stop strings.
 */
#include "gguf_model.h"

#include <errno.h>

static uint64_t clock_now;

static uint64_t ticking_clock(void *context)
{
    (void)context;
    return clock_now += 1000;
}

static struct airt_model *load(struct model_bytes *bytes, const struct change *change,
                               const struct airt_hooks *with, const struct airt_options *options)
{
    struct airt_source small;
    struct airt_model *tried = NULL;

    *bytes = model_make(change);
    small = (struct airt_source){.name = "small.gguf", .size = bytes->size, .mapped = bytes->bytes};
    counters_reset();
    if (airt_load_with(with, options, &small, &tried, &error) != 0)
        fail_msg("%s", error.text);
    return tried;
}

/* Batches of 4 tokens, a tick for each. */
static void a_prompt_takes_too_long(void **state)
{
    static const struct change change = {.architecture = ARCH_LLAMA};
    static const struct airt_options options = {.prefill_batch = 4};
    struct airt_request request = {.prompt = "nothing that merges: 0123456789",
                                   .prompt_length = 31,
                                   .max_tokens = 4,
                                   .max_us = 1500,
                                   .top_p = 1,
                                   .raw = true};
    struct airt_hooks with = hooks;
    struct model_bytes bytes;
    struct airt_model *tried;
    size_t held;

    (void)state;
    with.clock_us = ticking_clock;
    tried = load(&bytes, &change, &with, &options);
    held = counters.in_use;
    answer = (struct answer_text){.text = calloc(1, 1)};
    assert_int_equal(airt_infer(tried, &request, collect, &answer, &result, &error), 0);
    assert_true(result.prompt_tokens > 8);
    assert_int_equal(result.finish, AIRT_FINISH_TIME);
    assert_int_equal(result.tokens, 0);
    assert_int_equal(result.first_token_us, 0);
    assert_string_equal(answer.text, "");
    assert_int_equal(counters.in_use, held);
    /* With time enough there is an answer. */
    request.max_us = 1000000;
    assert_int_equal(airt_infer(tried, &request, collect, &answer, &result, &error), 0);
    assert_int_equal(result.finish, AIRT_FINISH_LENGTH);
    assert_int_equal(result.tokens, 4);
    free(answer.text);
    memset(&answer, 0, sizeof(answer));
    airt_unload(tried);
    free(bytes.bytes);
}

static unsigned long yields_of(const struct change *change)
{
    static uint32_t ids[64];
    struct model_bytes bytes;
    struct airt_model *tried = load(&bytes, change, &hooks, NULL);
    struct airt_sequence *sequence;
    float *logits = calloc((size_t)64 * 320, sizeof(*logits));
    unsigned long yields;

    assert_non_null(logits);
    assert_int_equal(airt_sequence_create(tried, 64, &sequence, &error), 0);
    counters.yields = 0;
    assert_int_equal(airt_sequence_feed(sequence, ids, 64, logits, true, &error), 0);
    yields = counters.yields;
    airt_sequence_destroy(sequence);
    airt_unload(tried);
    free(bytes.bytes);
    free(logits);
    return yields;
}

/* A vocabulary for each token of a batch may be megabytes. */
static void capping_logits_is_work(void **state)
{
    static const struct change without = {.architecture = ARCH_GEMMA3};
    static const struct change capped = {
        .architecture = ARCH_GEMMA3, .key = "gemma3.final_logit_softcapping", RAW(F32 "\0\0\xf0\x41")};

    (void)state;
    assert_int_equal(yields_of(&capped), yields_of(&without) + (size_t)64 * 320 / 4096);
}

static void stop_strings_are_utf8(void **state)
{
    static const struct change change = {.architecture = ARCH_LLAMA};
    static const struct airt_text stop = {"a\xc3", 2};
    static const struct airt_request request = {
        .prompt = "a", .prompt_length = 1, .stop = &stop, .stop_count = 1};
    struct model_bytes bytes;
    struct airt_model *tried = load(&bytes, &change, &hooks, NULL);

    (void)state;
    assert_int_equal(airt_infer(tried, &request, collect, &answer, &result, &error), -EINVAL);
    assert_string_equal(error.text, "random: a stop string is not UTF-8 at byte 1");
    airt_unload(tried);
    free(bytes.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_prompt_takes_too_long),
                                       cmocka_unit_test(stop_strings_are_utf8),
                                       cmocka_unit_test(capping_logits_is_work)};

    return cmocka_run_group_tests_name("budgets", tests, NULL, NULL);
}
