/* SPDX-License-Identifier: MIT
 *
 * Choosing tokens, and what is given away of their text.
 */
#include "support.h"

#include <errno.h>
#include <math.h>

#include "transformer/output.h"
#include "transformer/sampler.h"

#define VOCABULARY 8
#define DRAWS      80000

static struct work work = {.hooks = &hooks};
/* Probabilities 0.4, 0.2, 0.15, 0.1, 0.05 three times, and next to nothing. */
static const double probabilities[VOCABULARY] = {0.05, 0.4, 0.1, 0.2, 0.05, 0.15, 0.05, 1e-12};

static void make_logits(float *logits)
{
    for (unsigned i = 0; i < VOCABULARY; i++)
        logits[i] = (float)log(probabilities[i]) + 3;
}

/* How often each is drawn. */
static void count_draws(const struct airt_request *request, const float *logits, unsigned *drawn)
{
    struct sampler sampler;

    assert_int_equal(sampler_create(&hooks, request, VOCABULARY, &sampler), 0);
    memset(drawn, 0, VOCABULARY * sizeof(*drawn));
    for (unsigned i = 0; i < DRAWS; i++) {
        uint32_t id;

        assert_int_equal(sampler_choose(&sampler, &work, logits, &id), 0);
        assert_true(id < VOCABULARY);
        drawn[id]++;
    }
    sampler_destroy(&hooks, &sampler);
}

/* Five standard deviations; the draws are the same in every run. */
static void expect_shares(const unsigned *drawn, const double *shares)
{
    for (unsigned i = 0; i < VOCABULARY; i++) {
        double mean = shares[i] * DRAWS;
        double width = 5 * sqrt(mean * (1 - shares[i])) + (shares[i] > 0);

        if (fabs(drawn[i] - mean) > width)
            fail_msg("token %u was drawn %u times, %.0f are expected", i, drawn[i], mean);
    }
}

static void shares(void **state)
{
    static const struct {
        struct airt_request request;
        double shares[VOCABULARY];
    } cases[] = {
        {{.temperature = 1, .top_p = 1, .seed = 1}, {0.05, 0.4, 0.1, 0.2, 0.05, 0.15, 0.05, 0}},
        {{.temperature = 1, .top_p = 1, .top_k = 1, .seed = 2}, {0, 1, 0, 0, 0, 0, 0, 0}},
        {{.temperature = 1, .top_p = 1, .top_k = 2, .seed = 3}, {0, 2 / 3.0, 0, 1 / 3.0, 0, 0, 0, 0}},
        {{.temperature = 1, .top_p = 0, .seed = 4}, {0, 1, 0, 0, 0, 0, 0, 0}},
        {{.temperature = 1, .top_p = 0.55f, .seed = 5}, {0, 2 / 3.0, 0, 1 / 3.0, 0, 0, 0, 0}},
        {{.temperature = 1, .top_p = 1, .min_p = 0.3f, .seed = 6},
         {0, 8 / 15.0, 0, 4 / 15.0, 0, 3 / 15.0, 0, 0}},
        /* Of equals the first ones. */
        {{.temperature = 1, .top_p = 1, .top_k = 6, .seed = 7},
         {1 / 19.0, 8 / 19.0, 2 / 19.0, 4 / 19.0, 1 / 19.0, 3 / 19.0, 0, 0}},
        /* At half the temperature shares are squared. */
        {{.temperature = 0.5f, .top_p = 1, .top_k = 2, .seed = 8}, {0, 0.8, 0, 0.2, 0, 0, 0, 0}},
    };
    float logits[VOCABULARY];
    unsigned drawn[VOCABULARY];

    (void)state;
    make_logits(logits);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        counters_reset();
        count_draws(&cases[i].request, logits, drawn);
        expect_shares(drawn, cases[i].shares);
        assert_int_equal(counters.in_use, 0);
    }
}

static void greedy_and_penalty(void **state)
{
    struct airt_request request = {.top_p = 1, .repeat_penalty = 2};
    float logits[VOCABULARY] = {1, 4, 3, -1, NAN, INFINITY, -INFINITY, 2.5f};
    struct sampler sampler;
    uint32_t id;

    (void)state;
    assert_int_equal(sampler_create(&hooks, &request, VOCABULARY, &sampler), 0);
    assert_int_equal(sampler_choose(&sampler, &work, logits, &id), 0);
    assert_int_equal(id, 1); /* what is no number is impossible */
    sampler_see(&sampler, 1);
    sampler_see(&sampler, 1);
    assert_int_equal(sampler_choose(&sampler, &work, logits, &id), 0);
    assert_int_equal(id, 2); /* 4 / 2, once, is less than 3 */
    for (unsigned i = 0; i < SAMPLER_PAST; i++)
        sampler_see(&sampler, 3);
    assert_int_equal(sampler_choose(&sampler, &work, logits, &id), 0);
    assert_int_equal(id, 1); /* 64 tokens later it is forgotten */
    for (unsigned i = 0; i < VOCABULARY; i++)
        logits[i] = i % 2 == 0 ? NAN : INFINITY;
    assert_int_equal(sampler_choose(&sampler, &work, logits, &id), -EDOM);
    sampler_destroy(&hooks, &sampler);
}

/* A penalty makes no finite logit infinite: there is always one to choose, and it is a number. */
static void penalties_of_extremes(void **state)
{
    static const float penalties[] = {0.01f, 10};
    static const float ends[] = {3e38f, -3e38f};

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct airt_request request = {
            .temperature = i / 4 == 0 ? 0 : 1, .top_p = 1, .repeat_penalty = penalties[i % 2]};
        struct sampler sampler;
        float logits[VOCABULARY];
        uint32_t id = VOCABULARY;

        assert_int_equal(sampler_create(&hooks, &request, VOCABULARY, &sampler), 0);
        for (uint32_t token = 0; token < VOCABULARY; token++) {
            logits[token] = token == 0 ? NAN : ends[i / 2 % 2];
            sampler_see(&sampler, token);
        }
        logits[1] = -INFINITY;
        assert_int_equal(sampler_choose(&sampler, &work, logits, &id), 0);
        assert_in_range(id, 2, VOCABULARY - 1);
        sampler_destroy(&hooks, &sampler);
    }
}

static void likely_tokens(void **state)
{
    struct airt_request request = {.temperature = 2, .top_p = 0.1f};
    struct airt_token chosen = {.id = 5};
    struct airt_token likely[4];
    float logits[VOCABULARY];
    struct sampler sampler;

    (void)state;
    make_logits(logits);
    assert_int_equal(sampler_create(&hooks, &request, VOCABULARY, &sampler), 0);
    assert_int_equal(sampler_likely(&sampler, &work, logits, &chosen, likely, 4), 0);
    assert_true(fabs((double)chosen.logprob - log(0.15)) < 1e-6);
    assert_int_equal(likely[0].id, 1);
    assert_int_equal(likely[1].id, 3);
    assert_int_equal(likely[2].id, 5);
    assert_int_equal(likely[3].id, 2);
    assert_true(fabs((double)likely[0].logprob - log(0.4)) < 1e-6);
    sampler_destroy(&hooks, &sampler);
}

static void no_memory(void **state)
{
    struct airt_request request = {.top_p = 1};
    struct sampler sampler;

    (void)state;
    for (unsigned long n = 1; n <= 2; n++) {
        counters_reset();
        counters.fail_allocation = n;
        assert_int_equal(sampler_create(&hooks, &request, VOCABULARY, &sampler), -ENOMEM);
        assert_int_equal(counters.in_use, 0);
    }
    counters_reset();
}

/* ---- text ---- */

#define STOP(text)                                                                                           \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

/* Gives the text in pieces of `step` bytes; what comes out must be `right`. */
static void expect_output(const char *text, size_t length, const struct airt_text *stops, size_t stop_count,
                          const char *right, bool stopped)
{
    for (size_t step = 1; step <= length; step++) {
        struct answer_text out = {.text = calloc(1, 1)};
        struct output output = {
            .work = &work, .emit = collect, .context = &out, .stops = stops, .stop_count = stop_count};

        for (size_t at = 0; at < length; at += step)
            assert_int_equal(output_add(&output, text + at, length - at < step ? length - at : step), 0);
        assert_int_equal(output_end(&output), 0);
        assert_string_equal(out.text, right);
        assert_int_equal(output.stopped, stopped);
        free(out.text);
    }
}

static void texts(void **state)
{
    static const struct airt_text end[] = {STOP("<end>")};
    static const struct airt_text two[] = {STOP("aab"), STOP("\xc3\xa9!")};
    static const char wild[] = "a\xff"
                               "b\xe2\x82"
                               "c\xf0\x9f\x98\x80\xed\xa0\x80\xe2\x82";

    (void)state;
    expect_output("one<end>two", 11, end, 1, "one", true);
    expect_output("one<en<end", 10, end, 1, "one<en<end", false);
    expect_output("<end>", 5, end, 1, "", true);
    expect_output("aaaab", 5, two, 2, "aa", true);
    expect_output("x\xc3\xa9?\xc3\xa9!", 7, two, 2, "x\xc3\xa9?", true);
    /* What is not UTF-8 is marked, as Unicode's section 3.9 has it. */
    expect_output(wild, sizeof(wild) - 1, NULL, 0,
                  "a\xef\xbf\xbd"
                  "b\xef\xbf\xbd"
                  "c\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
                  false);
}

static void long_texts(void **state)
{
    static const struct airt_text stop = STOP("<end>");
    static char text[5000];
    struct answer_text out = {.text = calloc(1, 1)};
    struct output output = {.work = &work, .emit = collect, .context = &out};

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(output_add(&output, text, sizeof(text)), 0);
    assert_int_equal(out.length, sizeof(text));
    out.stop_emit = out.emits + 2;
    assert_int_equal(output_add(&output, text, sizeof(text)), -ECANCELED);
    /* A token may have 64 KiB: others run meanwhile, and can stop it. */
    out.stop_emit = 0;
    output.stops = &stop;
    output.stop_count = 1;
    counters_reset();
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(output_add(&output, text, sizeof(text)), 0);
    assert_in_range(counters.yields, 60, 6000);
    counters.stop_yield = counters.yields + 1;
    assert_int_equal(output_add(&output, text, sizeof(text)), -ECANCELED);
    counters_reset();
    free(out.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shares),
                                       cmocka_unit_test(greedy_and_penalty),
                                       cmocka_unit_test(likely_tokens),
                                       cmocka_unit_test(no_memory),
                                       cmocka_unit_test(texts),
                                       cmocka_unit_test(long_texts),
                                       cmocka_unit_test(penalties_of_extremes)};

    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
