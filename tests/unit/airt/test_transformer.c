/* SPDX-License-Identifier: MIT
 *
 * Models at work: the same numbers however the work is cut, budgets, ends, and everything that can fail.
 * What the numbers have to be is in test_reference.c and test_stories.c.
 */
#include "gguf_model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define COUNT 40 /* tokens: more than the window of 16 */

static struct model_bytes bytes;
static struct airt_source small;
static uint32_t ids[COUNT];

static struct airt_model *load(const struct change *change, const struct airt_hooks *with,
                               const struct airt_options *options)
{
    struct airt_model *tried = NULL;

    bytes = model_make(change);
    small = (struct airt_source){.name = "small.gguf", .size = bytes.size, .mapped = bytes.bytes};
    for (unsigned i = 0; i < COUNT; i++)
        ids[i] = 3 + i * 7 % 250;
    counters_reset();
    if (airt_load_with(with, options, &small, &tried, &error) != 0)
        fail_msg("%s", error.text);
    return tried;
}

static void unload(struct airt_model *tried)
{
    airt_unload(tried);
    free(bytes.bytes);
    assert_int_equal(counters.in_use, 0);
}

/* All parts, in an order that no machine has. */
static void in_parts(void *context, void (*work)(void *argument, uint32_t part, uint32_t parts),
                     void *argument)
{
    uint32_t parts = (uint32_t) * (const unsigned *)context;

    for (uint32_t i = parts; i > 0; i--)
        work(argument, i - 1, parts);
}

static float *logits_of(const struct change *change, struct airt_options options, unsigned parts, size_t step,
                        size_t *count)
{
    struct airt_hooks with = hooks;
    struct airt_model *tried;
    struct airt_sequence *sequence;
    struct airt_description description;
    float *logits;

    with.context = &parts;
    with.parallel = parts > 0 ? in_parts : NULL;
    tried = load(change, &with, &options);
    airt_describe(tried, &description);
    *count = (size_t)COUNT * description.vocabulary;
    logits = calloc(*count, sizeof(*logits));
    assert_non_null(logits);
    assert_int_equal(airt_sequence_create(tried, COUNT, &sequence, &error), 0);
    for (size_t at = 0; at < COUNT; at += step)
        assert_int_equal(airt_sequence_feed(sequence, ids + at, COUNT - at < step ? COUNT - at : step,
                                            logits + at * description.vocabulary, true, &error),
                         0);
    assert_int_equal(airt_sequence_length(sequence), COUNT);
    airt_sequence_destroy(sequence);
    unload(tried);
    return logits;
}

static void the_cut_makes_no_difference(void **state)
{
    static const enum architecture architectures[] = {ARCH_LLAMA, ARCH_QWEN2, ARCH_QWEN3, ARCH_GEMMA3,
                                                      ARCH_PHI3};
    static const char *const types[] = {"F32", "Q8_0", "Q4_0"};
    static const struct {
        uint32_t batch;
        unsigned parts;
        size_t step;
    } cuts[] = {{0, 1, COUNT}, {0, 3, COUNT}, {7, 0, COUNT}, {1, 2, COUNT}, {0, 0, 1}, {0, 5, 13}};

    (void)state;
    for (size_t i = 0; i < 5 * 3 * 2; i++) {
        struct change change = {.architecture = architectures[i % 5], .type = types[i / 5 % 3]};
        struct airt_options options = {.cache_f32 = i % 2 == 0,
                                       .instruction_set = i / 15 == 0 ? "sse2" : NULL};
        size_t count;
        float *whole = logits_of(&change, options, 0, COUNT, &count);

        for (size_t n = 0; n < count; n++)
            assert_true(isfinite(whole[n]));
        for (size_t cut = 0; cut < sizeof(cuts) / sizeof(cuts[0]); cut++) {
            float *other;

            options.prefill_batch = cuts[cut].batch;
            other = logits_of(&change, options, cuts[cut].parts, cuts[cut].step, &count);
            assert_memory_equal(whole, other, count * sizeof(*whole));
            free(other);
        }
        free(whole);
    }
}

/* ---- sequences ---- */

static void sequences(void **state)
{
    static const struct change change = {.architecture = ARCH_LLAMA};
    const uint32_t beyond = 320;
    struct airt_model *tried = load(&change, &hooks, NULL);
    struct airt_sequence *sequence;
    float one[320];
    float again[320];

    (void)state;
    assert_int_equal(airt_sequence_create(tried, 65, &sequence, &error), -EINVAL);
    assert_string_equal(error.text, "random: 65 tokens, the context has 64");
    assert_int_equal(airt_sequence_create(tried, 10, &sequence, &error), 0);
    assert_int_equal(airt_sequence_feed(sequence, ids, 11, NULL, false, &error), -ENOSPC);
    assert_string_equal(error.text, "random: 11 more tokens, there is room for 10");
    assert_int_equal(airt_sequence_feed(sequence, &beyond, 1, NULL, false, &error), -EINVAL);
    assert_string_equal(error.text, "random: token 320 of a vocabulary of 320");
    assert_int_equal(airt_sequence_feed(sequence, ids, 6, one, false, &error), 0);
    /* What is cut off is forgotten. */
    airt_sequence_cut(sequence, 3);
    assert_int_equal(airt_sequence_length(sequence), 3);
    airt_sequence_cut(sequence, 9);
    assert_int_equal(airt_sequence_length(sequence), 3);
    assert_int_equal(airt_sequence_feed(sequence, ids + 10, 4, NULL, false, &error), 0);
    airt_sequence_cut(sequence, 3);
    assert_int_equal(airt_sequence_feed(sequence, ids + 3, 3, again, false, &error), 0);
    assert_memory_equal(one, again, sizeof(one));
    airt_sequence_destroy(sequence);
    airt_sequence_destroy(NULL);
    unload(tried);
}

static void a_cancelled_step_leaves_no_trace(void **state)
{
    static const struct change change = {.architecture = ARCH_GEMMA3, .type = "Q8_0"};
    struct airt_model *tried = load(&change, &hooks, NULL);
    struct airt_sequence *sequence;
    float right[320];
    float logits[320];
    unsigned long yields;

    (void)state;
    assert_int_equal(airt_sequence_create(tried, COUNT, &sequence, &error), 0);
    assert_int_equal(airt_sequence_feed(sequence, ids, COUNT, right, false, &error), 0);
    airt_sequence_cut(sequence, 0);
    assert_int_equal(airt_sequence_feed(sequence, ids, 4, NULL, false, &error), 0);
    counters.yields = 0;
    assert_int_equal(airt_sequence_feed(sequence, ids + 4, COUNT - 4, logits, false, &error), 0);
    assert_memory_equal(right, logits, sizeof(right));
    yields = counters.yields;
    assert_true(yields > 10);
    for (unsigned long n = 1; n <= yields; n++) {
        airt_sequence_cut(sequence, 4);
        counters.yields = 0;
        counters.stop_yield = n;
        assert_int_equal(airt_sequence_feed(sequence, ids + 4, COUNT - 4, logits, false, &error), -ECANCELED);
        assert_int_equal(airt_sequence_length(sequence), 4);
        counters.stop_yield = 0;
        assert_int_equal(airt_sequence_feed(sequence, ids + 4, COUNT - 4, logits, false, &error), 0);
        assert_memory_equal(right, logits, sizeof(right));
    }
    airt_sequence_destroy(sequence);
    unload(tried);
}

static void embeddings(void **state)
{
    static const struct change change = {.architecture = ARCH_QWEN3};
    struct airt_model *tried = load(&change, &hooks, NULL);
    float one[32];
    float other[32];
    double length = 0;

    (void)state;
    assert_int_equal(airt_embed(tried, "a text", 6, one, &error), 0);
    assert_int_equal(airt_embed(tried, "a text", 6, other, &error), 0);
    assert_memory_equal(one, other, sizeof(one));
    assert_int_equal(airt_embed(tried, "another", 7, other, &error), 0);
    assert_memory_not_equal(one, other, sizeof(one));
    for (unsigned i = 0; i < 32; i++)
        length += (double)one[i] * (double)one[i];
    assert_true(fabs(length - 1) < 1e-5);
    for (unsigned long n = 1; n <= 3; n++) {
        counters.allocations = 0;
        counters.fail_allocation = n;
        assert_int_equal(airt_embed(tried, "a text", 6, one, &error), -ENOMEM);
    }
    counters.fail_allocation = 0;
    unload(tried);
}

/* ---- airt_infer ---- */

static uint64_t clock_now;

static uint64_t ticking_clock(void *context)
{
    (void)context;
    return clock_now += 1000;
}

struct told {
    unsigned tokens;
    unsigned stop_at;
    char text[4096];
    size_t length;
};
static struct told told;

/* `context` is the listener's. */
static int tell(void *context, const struct airt_token *chosen, const char *piece, size_t length,
                const struct airt_token *likely, size_t count)
{
    assert_ptr_equal(context, &answer);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        assert_true(likely[i].logprob <= (i > 0 ? likely[i - 1].logprob : 0));
        if (likely[i].id == chosen->id)
            assert_true(fabsf(likely[i].logprob - chosen->logprob) < 1e-5f);
    }
    assert_true(told.length + length < sizeof(told.text));
    memcpy(told.text + told.length, piece, length);
    told.length += length;
    return ++told.tokens == told.stop_at ? 1 : 0;
}

static int infer(struct airt_model *tried, const struct airt_request *request)
{
    free(answer.text);
    answer = (struct answer_text){.text = calloc(1, 1), .stop_emit = answer.stop_emit};
    memset(&told, 0, offsetof(struct told, stop_at));
    told.length = 0;
    return airt_infer(tried, request, collect, &answer, &result, &error);
}

static void answers(void **state)
{
    static const struct change change = {.architecture = ARCH_LLAMA};
    struct airt_hooks with = hooks;
    struct airt_request request = {.prompt = "hello",
                                   .prompt_length = 5,
                                   .max_tokens = 20,
                                   .temperature = 1,
                                   .top_p = 1,
                                   .seed = 2,
                                   .raw = true,
                                   .token = tell,
                                   .logprobs = 3};
    struct airt_model *tried;
    char *first;
    uint32_t prompt_tokens;

    (void)state;
    with.clock_us = ticking_clock;
    tried = load(&change, &with, NULL);
    told.stop_at = 0;
    assert_int_equal(infer(tried, &request), 0);
    assert_int_equal(result.finish, AIRT_FINISH_LENGTH);
    assert_int_equal(result.tokens, 20);
    assert_int_equal(told.tokens, 20);
    assert_true(result.matched && result.seed == 2 && result.first_token_us > 0);
    assert_true(result.elapsed_us >= result.first_token_us);
    prompt_tokens = result.prompt_tokens;
    first = strdup(answer.text);

    /* The same seed, the same answer. */
    assert_int_equal(infer(tried, &request), 0);
    assert_string_equal(first, answer.text);
    request.seed = 102;
    assert_int_equal(infer(tried, &request), 0);
    assert_string_not_equal(first, answer.text);
    request.seed = 2;

    /* A full context ends it: all of it is read, and one token more is chosen. */
    request.max_tokens = 1000;
    assert_int_equal(infer(tried, &request), 0);
    assert_int_equal(result.finish, AIRT_FINISH_LENGTH);
    assert_int_equal(result.prompt_tokens + result.tokens, 65);
    request.max_tokens = 0;
    assert_int_equal(infer(tried, &request), 0);
    assert_int_equal(result.prompt_tokens + result.tokens, 65);

    /* The clock ticks twice for each token and once at the start. */
    request.max_us = 10500;
    assert_int_equal(infer(tried, &request), 0);
    assert_int_equal(result.finish, AIRT_FINISH_TIME);
    assert_in_range(result.tokens, 2, 11);
    request.max_us = 0;

    /* Whoever listens can stop it. */
    told.stop_at = 3;
    assert_int_equal(infer(tried, &request), -ECANCELED);
    assert_int_equal(told.tokens, 3);
    assert_string_equal(error.text, "random: cancelled");
    told.stop_at = 0;
    answer.stop_emit = 2;
    assert_int_equal(infer(tried, &request), -ECANCELED);
    answer.stop_emit = 0;

    /* A stop string, cut out of what is said without it. */
    request.max_tokens = 20;
    assert_true(strlen(first) > 6);
    {
        size_t length = 0;
        struct airt_text stop;

        /* From a character's beginning near the middle to another one. */
        size_t start = strlen(first) / 2;
        while (((unsigned char)first[start] & 0xc0) == 0x80)
            start++;
        do
            length++;
        while (((unsigned char)first[start + length] & 0xc0) == 0x80);
        stop = (struct airt_text){first + start, length};
        request.stop = &stop;
        request.stop_count = 1;
        assert_int_equal(infer(tried, &request), 0);
        assert_int_equal(result.finish, AIRT_FINISH_STOP);
        assert_true(strlen(answer.text) <= start);
        assert_memory_equal(answer.text, first, strlen(answer.text));
        assert_null(strstr(answer.text, "\xef\xbf\xbe"));
        request.stop_count = 0;
    }
    assert_int_equal(prompt_tokens, result.prompt_tokens);
    free(first);
    unload(tried);
    free(answer.text);
    memset(&answer, 0, sizeof(answer));
}

static void every_allocation_and_every_yield(void **state)
{
    static const struct change change = {.architecture = ARCH_PHI3, .type = "Q4_0"};
    struct airt_request request = {.prompt = "hello",
                                   .prompt_length = 5,
                                   .max_tokens = 30,
                                   .temperature = 1,
                                   .top_p = 0.9f,
                                   .raw = true};
    struct airt_model *tried = load(&change, &hooks, NULL);
    unsigned long allocations;
    unsigned long yields;
    size_t held = counters.in_use;

    (void)state;
    counters.allocations = counters.yields = 0;
    assert_int_equal(infer(tried, &request), 0);
    allocations = counters.allocations;
    yields = counters.yields;
    assert_true(allocations >= 5);
    assert_true(yields > 1);
    for (unsigned long n = 1; n <= allocations; n++) {
        counters.allocations = 0;
        counters.fail_allocation = n;
        assert_int_equal(infer(tried, &request), -ENOMEM);
        assert_non_null(strstr(error.text, "no memory"));
        assert_int_equal(counters.in_use, held);
    }
    counters.fail_allocation = 0;
    for (unsigned long n = 1; n <= yields; n++) {
        counters.yields = 0;
        counters.stop_yield = n;
        assert_int_equal(infer(tried, &request), -ECANCELED);
        assert_int_equal(counters.in_use, held);
    }
    counters.stop_yield = 0;
    unload(tried);

    /* And of loading. */
    bytes = model_make(&change);
    small.mapped = bytes.bytes;
    for (unsigned long n = 1;; n++) {
        int rc;

        counters_reset();
        counters.fail_allocation = n;
        rc = airt_load_with(&hooks, NULL, &small, &tried, &error);
        if (rc == 0)
            break;
        assert_int_equal(rc, -ENOMEM);
        assert_int_equal(counters.in_use, 0);
    }
    counters.fail_allocation = 0;
    unload(tried);
    free(answer.text);
    memset(&answer, 0, sizeof(answer));
}

/* ---- requests ---- */

static void bad_requests(void **state)
{
    static const struct change change = {.architecture = ARCH_LLAMA};
    static const struct airt_message message = {AIRT_ROLE_USER, {"hello", 5}};
    static const struct airt_message nobody = {(enum airt_role)7, {"hello", 5}};
    static const struct airt_message silence = {AIRT_ROLE_USER, {"", 0}};
    static const struct airt_text stops[9] = {{"", 0}};
    static char long_text[300];
    const struct airt_text long_stop = {long_text, 257};
    const struct {
        struct airt_request request;
        const char *error;
    } cases[] = {
        {{.top_p = 1}, "the prompt is empty"},
        {{.prompt = "a", .prompt_length = 1, .messages = &message, .message_count = 1},
         "a prompt and messages: give one of them"},
        {{.messages = &nobody, .message_count = 1}, "message 1 has no role that is known"},
        {{.messages = &silence, .message_count = 1}, "the messages are empty"},
        {{.prompt = "a\xff", .prompt_length = 2}, "the prompt is not UTF-8 at byte 1"},
        {{.prompt = "a", .prompt_length = 1, .temperature = NAN}, "temperature must be from 0 to 10"},
        {{.prompt = "a", .prompt_length = 1, .top_p = 1.5f}, "top_p must be from 0 to 1"},
        {{.prompt = "a", .prompt_length = 1, .min_p = -1}, "min_p must be from 0 to 1"},
        {{.prompt = "a", .prompt_length = 1, .repeat_penalty = 11},
         "repeat_penalty must be above 0, at most 10"},
        {{.prompt = "a", .prompt_length = 1, .logprobs = 21}, "logprobs of 21 tokens, at most 20"},
        {{.prompt = "a", .prompt_length = 1, .stop = stops, .stop_count = 9}, "9 stop strings, at most 8"},
        {{.prompt = "a", .prompt_length = 1, .stop = stops, .stop_count = 1},
         "a stop string of 0 bytes, expected 1 to 256"},
        {{.prompt = "a", .prompt_length = 1, .stop = &long_stop, .stop_count = 1},
         "a stop string of 257 bytes, expected 1 to 256"},
        {{.prompt = long_text, .prompt_length = 300}, "a prompt of "},
    };
    struct airt_model *tried = load(&change, &hooks, NULL);

    (void)state;
    memset(long_text, 'a', sizeof(long_text));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(airt_infer(tried, &cases[i].request, collect, &answer, &result, &error), -EINVAL);
        if (strstr(error.text, cases[i].error) == NULL)
            fail_msg("\"%s\", expected \"%s\"", error.text, cases[i].error);
    }
    /* Messages, without a template, are continued. */
    {
        const struct airt_request request = {
            .messages = &message, .message_count = 1, .max_tokens = 2, .top_p = 1};

        assert_int_equal(infer(tried, &request), 0);
        assert_int_equal(result.tokens, 2);
    }
    unload(tried);
    free(answer.text);
    memset(&answer, 0, sizeof(answer));
}

static void unknown_instruction_set(void **state)
{
    static const struct change change = {.architecture = ARCH_LLAMA};
    const struct airt_options options = {.instruction_set = "avx1024"};
    struct airt_model *tried;

    (void)state;
    bytes = model_make(&change);
    small = (struct airt_source){.name = "small.gguf", .size = bytes.size, .mapped = bytes.bytes};
    counters_reset();
    assert_int_equal(airt_load_with(&hooks, &options, &small, &tried, &error), -ENOTSUP);
    assert_string_equal(error.text, "small.gguf: this CPU cannot run \"avx1024\"; known are sse2 and avx2");
    assert_int_equal(counters.in_use, 0);
    free(bytes.bytes);
}

/* A dictionary takes the last message of the user, and has no tokens. */
static void a_dictionary(void **state)
{
    static const struct airt_message messages[] = {
        {AIRT_ROLE_USER, {"two", 3}}, {AIRT_ROLE_USER, {"one", 3}}, {AIRT_ROLE_ASSISTANT, {"two", 3}}};
    struct airt_request request = {.messages = messages, .message_count = 3, .top_p = 1};
    struct airt_model *tried = load_text("# microkernelia dictionary\nQ: one\nA: 1\nQ: two\nA: 2\n");
    struct airt_sequence *sequence;
    size_t count;

    (void)state;
    answer.text = calloc(1, 1);
    assert_int_equal(infer(tried, &request), 0);
    assert_string_equal(answer.text, "1");
    request.messages = messages + 2;
    request.message_count = 1;
    assert_int_equal(infer(tried, &request), -EINVAL);
    assert_int_equal(airt_sequence_create(tried, 1, &sequence, &error), -ENOTSUP);
    assert_int_equal(airt_tokenize(tried, "a", 1, true, false, NULL, 0, &count, &error), -ENOTSUP);
    unload_text(tried);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cut_makes_no_difference),
        cmocka_unit_test(sequences),
        cmocka_unit_test(a_cancelled_step_leaves_no_trace),
        cmocka_unit_test(embeddings),
        cmocka_unit_test(answers),
        cmocka_unit_test(every_allocation_and_every_yield),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(unknown_instruction_set),
        cmocka_unit_test(a_dictionary),
    };

    return cmocka_run_group_tests_name("transformer", tests, NULL, NULL);
}
