/* SPDX-License-Identifier: MIT
 *
 * Numbers of a document: integers are exact, doubles are what strtod says.
 */
#include "support.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct test_memory memory;

static struct mcp_json_document *parsed(const char *text)
{
    struct mcp_memory hooks = test_memory_hooks(&memory);
    struct mcp_json_document *document;
    struct mcp_json_error error;

    assert_int_equal(mcp_json_parse(&hooks, text, strlen(text), &document, &error), 0);
    return document;
}

static void integers(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"0.000", 0},
        {"0e999999999999999999999", 0},
        {"42", 42},
        {"-42", -42},
        {"1.0", 1},
        {"1e2", 100},
        {"1E+2", 100},
        {"1200e-2", 12},
        {"1.25e2", 125},
        {"0.0005e4", 5},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"-9223372036854775808.000", INT64_MIN},
        {"922337203685477580.7e1", INT64_MAX},
        {"9000000000000000000", INT64_C(9000000000000000000)},
        {"10000000000000000000000000000000e-30", 10},
    };
    static const char *const bad[] = {"0.5",
                                      "1e-1",
                                      "12.34",
                                      "1.5e0",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "1e19",
                                      "1e999999999999999999999",
                                      "99999999999999999999",
                                      "100000000000000000001",
                                      "1e-999999999999999999999"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct mcp_json_document *document = parsed(good[i].text);
        int64_t value = 77;

        if (mcp_json_get_int(mcp_json_root(document), &value) != 0 || value != good[i].value)
            fail_msg("%s: %lld", good[i].text, (long long)value);
        mcp_json_free(document);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct mcp_json_document *document = parsed(bad[i]);
        int64_t value;

        if (mcp_json_get_int(mcp_json_root(document), &value) != -EINVAL)
            fail_msg("%s: %lld", bad[i], (long long)value);
        mcp_json_free(document);
    }
}

static void check_double(const char *text)
{
    struct mcp_json_document *document = parsed(text);
    double expected = strtod(text, NULL);
    double value = 77;
    uint64_t bits, expected_bits;
    int result = mcp_json_get_double(mcp_json_root(document), &value);

    memcpy(&bits, &value, sizeof(bits)); /* -0 differs from 0 */
    memcpy(&expected_bits, &expected, sizeof(bits));
    if (isinf(expected) ? result != -EINVAL : (result != 0 || bits != expected_bits))
        fail_msg("%s: %d %.17g, not %.17g", text, result, value, expected);
    mcp_json_free(document);
}

static void doubles_at_the_edges(void **state)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.1",
        "0.7",
        "1e22",
        "1e23",
        "123456789012345678",
        "9007199254740993",
        "9007199254740995",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1e308",
        "1e309",
        "-1e309",
        "1e310",
        "4.9e-324",
        "5e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1e-400",
        "1e-999999999999999999999",
        "1e999999999999999999999",
        "0e999999999999999999999",
        "0.00000000000000000000000000000000000001",
        "100000000000000000000000000000000000000",
        "9999999999999999999e-340",
        "18446744073709551616",
        "9223372036854775808e-19",
        "30000000000000004e-17",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check_double(texts[i]);
}

static void random_doubles(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)test_random(&seed, UINT32_MAX) << 32 | test_random(&seed, UINT32_MAX);
        char text[64];
        double value;

        memcpy(&value, &bits, sizeof(value));
        if (i % 2 == 0)
            value = (double)(int64_t)bits * 1e-18;
        if (!isfinite(value))
            continue;
        (void)snprintf(text, sizeof(text), "%.*e", (int)(4 + bits % 14), value);
        check_double(text);
    }
}

/* More than 19 digits: within one unit in the last place. */
static void long_numbers(void **state)
{
    uint32_t seed = 2;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        char text[80] = "0.";
        struct mcp_json_document *document;
        double value, expected;

        for (size_t k = 2; k < 70; k++)
            text[k] = (char)('0' + test_random(&seed, 10));
        document = parsed(text);
        expected = strtod(text, NULL);
        assert_int_equal(mcp_json_get_double(mcp_json_root(document), &value), 0);
        assert_true(value >= nextafter(expected, 0) && value <= nextafter(expected, 1));
        mcp_json_free(document);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(doubles_at_the_edges),
        cmocka_unit_test(random_doubles),
        cmocka_unit_test(long_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
