/* SPDX-License-Identifier: MIT
 *
 * The JSON writer: what it finishes is valid, and misuse never finishes.
 */
#include "support.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct test_memory memory;
static struct mcp_json_writer writer;

static int set_up(void **state)
{
    struct mcp_memory hooks = test_memory_hooks(&memory);

    (void)state;
    memory = (struct test_memory){0};
    mcp_json_writer_initialise(&writer, &hooks, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mcp_json_writer_release(&writer);
    assert_int_equal(memory.held, 0);
    return 0;
}

static void assert_written(const char *expected)
{
    const char *text;
    size_t length;
    json_t *json;

    assert_int_equal(mcp_json_finish(&writer, &text, &length), 0);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
    json = test_load(text, length, NULL);
    assert_non_null(json);
    json_decref(json);
}

static void assert_error(int error)
{
    const char *text;
    size_t length;

    assert_int_equal(mcp_json_finish(&writer, &text, &length), error);
}

static void again(void)
{
    tear_down(NULL);
    set_up(NULL);
}

static void everything_in_one_document(void **state)
{
    (void)state;
    mcp_json_begin_object(&writer);
    mcp_json_member_string(&writer, "s", "x");
    mcp_json_member_int(&writer, "i", -5);
    mcp_json_member_uint(&writer, "u", UINT64_MAX);
    mcp_json_member_double(&writer, "d", 0.5);
    mcp_json_member_bool(&writer, "t", true);
    mcp_json_member_bool(&writer, "f", false);
    mcp_json_key_write(&writer, "a");
    mcp_json_begin_array(&writer);
    mcp_json_null(&writer);
    mcp_json_begin_object(&writer);
    mcp_json_end_object(&writer);
    mcp_json_begin_array(&writer);
    mcp_json_end_array(&writer);
    mcp_json_int(&writer, INT64_MIN);
    mcp_json_string_n(&writer, "abc", 2);
    mcp_json_end_array(&writer);
    mcp_json_key_write(&writer, "r");
    mcp_json_raw_value(&writer, " { \"a b\" :\n[ 1,\t\"\\\" \" ] } ", 26);
    mcp_json_end_object(&writer);
    assert_written("{\"s\":\"x\",\"i\":-5,\"u\":18446744073709551615,\"d\":0.5,\"t\":true,\"f\":false,"
                   "\"a\":[null,{},[],-9223372036854775808,\"ab\"],\"r\":{\"a b\":[1,\"\\\" \"]}}");
}

static void strings_are_escaped_and_repaired(void **state)
{
    static const struct {
        const char *text;
        size_t length;
        const char *written;
    } cases[] = {
        {"", 0, "\"\""},
        {"\"\\/\b\f\n\r\t\x01\x1f\x7f\0z", 13, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000z\""},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"a\x80z", 3, "\"a\xef\xbf\xbdz\""},
        {"\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xe2\x82\"", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\\\"\""},
        {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xff\xc3\xa9", 3, "\"\xef\xbf\xbd\xc3\xa9\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mcp_json_string_n(&writer, cases[i].text, cases[i].length);
        assert_written(cases[i].written);
        again();
    }
}

static void random_strings_survive(void **state)
{
    uint32_t seed = 3;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        char bytes[40];
        size_t length = test_random(&seed, sizeof(bytes));
        const char *text;
        size_t text_length;
        json_t *json;

        for (size_t i = 0; i < length; i++)
            bytes[i] = (char)test_random(&seed, 256);
        mcp_json_begin_array(&writer);
        mcp_json_string_n(&writer, bytes, length);
        mcp_json_end_array(&writer);
        assert_int_equal(mcp_json_finish(&writer, &text, &text_length), 0);
        json = test_load(text, text_length, NULL);
        assert_non_null(json);
        json_decref(json);
        again();
    }
}

static void doubles(void **state)
{
    static const struct {
        double value;
        const char *written;
    } cases[] = {
        {0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.7, "0.7"},
        {100, "100"},
        {1e15, "1000000000000000"},
        {9007199254740991.0, "9007199254740991"},
        {-9007199254740991.0, "-9007199254740991"},
        {9007199254740992.0, "9.007199254740992e15"},
        {123456.789, "123456.789"},
        {123456789.5, "123456789.5"},
        {1234.56789012, "1234.56789012"},
        {0.00001234, "0.00001234"},
        {0.000001234, "1.234e-6"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {0.9999999999, "0.9999999999"},
        {1e100, "1e100"},
        {-2.5e-100, "-2.5e-100"},
        {1.7976931348623157e308, "1.7976931348623157e308"},
        {5e-324, "5e-324"},
        {2.2250738585072011e-308, "2.225073858507201e-308"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1e22, "1e22"},
        {1e23, "1e23"},
        {0.1 + 0.2, "0.30000000000000004"},
        {9007199254740994.0, "9.007199254740994e15"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mcp_json_double(&writer, cases[i].value);
        assert_written(cases[i].written);
        again();
    }
}

/* Of printf's precisions, the least that strtod reads back. */
static int least_precision(double value)
{
    char text[64];
    int precision = 0;

    do
        (void)snprintf(text, sizeof(text), "%.*e", precision++, value);
    while (strtod(text, NULL) != value);
    return precision;
}

static int count_digits(const char *text)
{
    int count = 0, zeros = 0;

    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text == '0' && count > 0)
            zeros++;
        if (*text >= '1' && *text <= '9') {
            count += zeros + 1;
            zeros = 0;
        }
    }
    return count;
}

/* The text means the same double, and no shorter one does. */
static void random_doubles_come_back(void **state)
{
    uint32_t seed = 4;

    (void)state;
    for (int i = 0; i < 60000; i++) {
        uint64_t bits = (uint64_t)test_random(&seed, UINT32_MAX) << 32 | test_random(&seed, UINT32_MAX);
        char written[64];
        const char *text;
        size_t length;
        double value;

        if (i % 5 == 4)
            bits &= ~(((uint64_t)1 << (bits % 53)) - 1); /* close to a power of two */
        if (i % 7 == 6)
            bits &= UINT64_C(0x800FFFFFFFFFFFFF) >> (bits % 50); /* small, beyond all others */
        memcpy(&value, &bits, sizeof(value));
        if (i % 2 == 0)
            value = (double)(int64_t)bits * 1e-17;
        if (!isfinite(value))
            continue;
        mcp_json_double(&writer, value);
        assert_int_equal(mcp_json_finish(&writer, &text, &length), 0);
        (void)snprintf(written, sizeof(written), "%.*s", (int)length, text);
        if (strtod(written, NULL) != value || count_digits(written) > least_precision(value))
            fail_msg("%s, of %.17g", written, value);
        again();
    }
}

static void misuse_never_finishes(void **state)
{
    (void)state;
    assert_error(-EINVAL); /* nothing */
    again();
    mcp_json_begin_object(&writer);
    assert_error(-EINVAL); /* open */
    again();
    mcp_json_int(&writer, 1);
    mcp_json_int(&writer, 2); /* a second value */
    assert_error(-EINVAL);
    again();
    mcp_json_begin_object(&writer);
    mcp_json_int(&writer, 1); /* a value without a key */
    mcp_json_end_object(&writer);
    assert_error(-EINVAL);
    again();
    mcp_json_begin_object(&writer);
    mcp_json_key_write(&writer, "a");
    mcp_json_end_object(&writer); /* a key without a value */
    assert_error(-EINVAL);
    again();
    mcp_json_begin_object(&writer);
    mcp_json_key_write(&writer, "a");
    mcp_json_key_write(&writer, "b");
    assert_error(-EINVAL);
    again();
    mcp_json_begin_array(&writer);
    mcp_json_key_write(&writer, "a");
    assert_error(-EINVAL);
    again();
    mcp_json_key_write(&writer, "a");
    assert_error(-EINVAL);
    again();
    mcp_json_begin_array(&writer);
    mcp_json_end_object(&writer);
    assert_error(-EINVAL);
    again();
    mcp_json_end_array(&writer);
    assert_error(-EINVAL);
    again();
    mcp_json_raw_value(&writer, "[1,]", 4);
    assert_error(-EINVAL);
    again();
    mcp_json_raw_value(&writer, "1 2", 3);
    mcp_json_int(&writer, 1); /* the first error stays */
    assert_error(-EINVAL);
    again();
    for (int i = 0; i <= MCP_JSON_DEPTH_MAX; i++)
        mcp_json_begin_array(&writer);
    assert_error(-EINVAL);
}

static void the_limit_is_kept(void **state)
{
    char buffer[8];
    const char *text;
    size_t length;

    (void)state;
    mcp_json_writer_initialise_fixed(&writer, buffer, sizeof(buffer));
    mcp_json_string(&writer, "123456");
    assert_written("\"123456\"");
    mcp_json_writer_initialise_fixed(&writer, buffer, sizeof(buffer));
    mcp_json_string(&writer, "1234567");
    assert_error(-EFBIG);
    set_up(NULL);
    writer.limit = 1000;
    mcp_json_begin_array(&writer);
    for (int i = 0; i < 499; i++)
        mcp_json_int(&writer, 1);
    mcp_json_end_array(&writer);
    assert_int_equal(mcp_json_finish(&writer, &text, &length), 0);
    assert_int_equal(length, 999);
    assert_int_equal(memory.most, 512 + 1000);
    again();
    writer.limit = 998;
    mcp_json_begin_array(&writer);
    for (int i = 0; i < 499; i++)
        mcp_json_int(&writer, 1);
    mcp_json_end_array(&writer);
    assert_error(-EFBIG);
}

static void without_memory(void **state)
{
    (void)state;
    for (size_t fail_at = 1; fail_at < 6; fail_at++) {
        memory.fail_at = fail_at;
        memory.fail_from = true;
        mcp_json_begin_array(&writer);
        for (int i = 0; i < 1000; i++)
            mcp_json_string(&writer, "abcdefgh");
        mcp_json_end_array(&writer);
        assert_error(-ENOMEM);
        again();
    }
    /* Where doubling is too much, the exact size may still do. */
    memory.limit = 256 + 300;
    mcp_json_begin_array(&writer);
    for (int i = 0; i < 25; i++)
        mcp_json_string(&writer, "abcdefgh");
    mcp_json_string_n(&writer, "0123456789", 10);
    mcp_json_end_array(&writer);
    mcp_json_writer_release(&writer);
    assert_error(-EINVAL); /* a released writer takes nothing */
    assert_int_equal(memory.held, 0);
}

static void parsed_values_are_copied(void **state)
{
    static const char text[] = " { \"a\" : [ 1 , \"\\u00e9 \\\" \" ] ,\n \"b\" : null } ";
    struct mcp_memory hooks = test_memory_hooks(&memory);
    struct mcp_json_document *document;
    struct mcp_json_error error;

    (void)state;
    assert_int_equal(mcp_json_parse(&hooks, text, strlen(text), &document, &error), 0);
    mcp_json_begin_array(&writer);
    mcp_json_value(&writer, mcp_json_root(document));
    mcp_json_value(&writer, mcp_json_member(mcp_json_root(document), "a"));
    mcp_json_value(&writer, mcp_json_member(mcp_json_root(document), "none"));
    mcp_json_end_array(&writer);
    mcp_json_free(document);
    assert_written("[{\"a\":[1,\"\\u00e9 \\\" \"],\"b\":null},[1,\"\\u00e9 \\\" \"],null]");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_in_one_document), TEST(strings_are_escaped_and_repaired),
        TEST(random_strings_survive),     TEST(doubles),
        TEST(random_doubles_come_back),   TEST(misuse_never_finishes),
        TEST(the_limit_is_kept),          TEST(without_memory),
        TEST(parsed_values_are_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
