/* SPDX-License-Identifier: MIT
 *
 * The JSON reader: what is JSON and what is not, and the accessors.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_private.h"

static struct test_memory memory;

static int parse(const char *text, size_t length, struct mcp_json_document **document,
                 struct mcp_json_error *error)
{
    struct mcp_memory hooks = test_memory_hooks(&memory);

    return mcp_json_parse(&hooks, text, length, document, error);
}

static struct mcp_json_document *parsed(const char *text)
{
    struct mcp_json_document *document;
    struct mcp_json_error error;

    assert_int_equal(parse(text, strlen(text), &document, &error), 0);
    return document;
}

static void valid_texts(void **state)
{
    static const char *const texts[] = {
        "null",
        " true\n",
        "\tfalse\r",
        "0",
        "-0",
        "12.50e+3",
        "1E400",
        "\"\"",
        "\"\\u0000\"",
        "[]",
        "{}",
        "[[],{},[{}]]",
        " [ 1 , 2 ] ",
        " { \"a\" : 1 , \"b\" : [ ] } ",
        "\"\\ud83d\\ude00\"",
        "\"\x7f\"",
        "\"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\"",
        "{\"a\":{\"a\":{\"a\":[null,true,false,\"x\",-1.5e-7]}},\"a\":1}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct mcp_json_document *document = parsed(texts[i]);

        assert_int_not_equal(mcp_json_type(mcp_json_root(document)), MCP_JSON_NONE);
        mcp_json_free(document);
    }
    assert_int_equal(memory.held, 0);
}

static void invalid_texts_say_where(void **state)
{
    static const struct {
        const char *text;
        size_t offset;
        const char *words;
    } cases[] = {
        {"", 0, "ends where a value"},
        {" \n", 2, "ends where a value"},
        {"[", 1, "ends where a value"},
        {"[1,", 3, "ends where a value"},
        {"{\"a\":", 5, "ends where a value"},
        {"{", 1, "a key"},
        {"{\"a\":1,", 7, "a key"},
        {"{1:2}", 1, "a key"},
        {"{\"a\" 1}", 5, "a colon"},
        {"{\"a\"", 4, "a colon"},
        {"[1 2]", 3, "a comma or ]"},
        {"[1", 2, "a comma or ]"},
        {"{\"a\":1 2}", 7, "a comma or }"},
        {"[1}", 2, "a comma or ]"},
        {"[1,]", 3, "a value is expected"},
        {"{\"a\":1,}", 7, "a key"},
        {"[,1]", 1, "a value is expected"},
        {"]", 0, "a value is expected"},
        {"1 2", 2, "more text"},
        {"{}x", 2, "more text"},
        {"nul", 0, "a value is expected"},
        {"nulL", 0, "a value is expected"},
        {"True", 0, "a value is expected"},
        {"truefalse", 4, "more text"},
        {"+1", 0, "a value is expected"},
        {".5", 0, "a value is expected"},
        {"-", 1, "a digit"},
        {"-a", 1, "a digit"},
        {"01", 1, "leading zeros"},
        {"-00", 2, "leading zeros"},
        {"1.", 2, "decimal point"},
        {"1.e5", 2, "decimal point"},
        {"1e", 2, "exponent"},
        {"1e+", 3, "exponent"},
        {"0x10", 1, "more text"},
        {"NaN", 0, "a value is expected"},
        {"\"abc", 4, "does not end"},
        {"\"a\\", 2, "does not end"},
        {"\"a\\\"", 4, "does not end"},
        {"\"\\x\"", 1, "unknown escape"},
        {"\"\\'\"", 1, "unknown escape"},
        {"\"\\u12g4\"", 1, "four hexadecimal"},
        {"\"\\u12", 1, "four hexadecimal"},
        {"\"\\ud800\"", 1, "high surrogate"},
        {"\"\\ud800\\n0000\"", 1, "high surrogate"},
        {"\"\\ud800\\ud800\"", 1, "high surrogate"},
        {"\"x\\udc00\"", 2, "low surrogate"},
        {"\"\\udfff\\udc00\"", 1, "low surrogate"},
        {"\"a\nb\"", 2, "control character"},
        {"\"a\tb\"", 2, "control character"},
        {"\"\x80\"", 1, "UTF-8"},
        {"\"\xc0\x80\"", 1, "UTF-8"},
        {"\"\xc1\xbf\"", 1, "UTF-8"},
        {"\"\xe0\x9f\xbf\"", 1, "UTF-8"},
        {"\"\xed\xa0\x80\"", 1, "UTF-8"},
        {"\"\xf0\x8f\xbf\xbf\"", 1, "UTF-8"},
        {"\"\xf4\x90\x80\x80\"", 1, "UTF-8"},
        {"\"\xf5\x80\x80\x80\"", 1, "UTF-8"},
        {"\"\xe2\x82\"", 1, "UTF-8"},
        {"\"\xf0\x90\x80", 1, "UTF-8"},
        {"\xef\xbb\xbf{}", 0, "a value is expected"}, /* no byte order mark: RFC 8259, section 8.1 */
        {"[1]/*x*/", 3, "more text"},
        {"{'a':1}", 1, "a key"},
        {"\x0c[]", 0, "a value is expected"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mcp_json_document *document;
        struct mcp_json_error error;

        assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &document, &error), -EINVAL);
        if (error.offset != cases[i].offset || strstr(error.message, cases[i].words) == NULL)
            fail_msg("%s: %s at byte %zu", cases[i].text, error.message, error.offset);
    }
    assert_int_equal(memory.allocations, 0);
}

static void a_nul_byte_is_no_end(void **state)
{
    static const struct {
        const char *text;
        size_t length, offset;
    } cases[] = {{"1\0", 2, 1}, {"\0", 1, 0}, {"\"a\0b\"", 5, 2}, {"[1,\0]", 5, 3}, {"{}\0", 3, 2}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mcp_json_document *document;
        struct mcp_json_error error;

        assert_int_equal(parse(cases[i].text, cases[i].length, &document, &error), -EINVAL);
        assert_int_equal(error.offset, cases[i].offset);
    }
}

/* All texts of one and two bytes, and the same inside brackets: jansson and the reader agree. */
static void short_texts_as_jansson_sees_them(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 65536 + 256; i++) {
        char bytes[4] = {'[', (char)(i & 255), (char)(i >> 8), ']'};
        size_t length = i < 65536 ? 2 : 1;

        bytes[2] = length == 2 ? bytes[2] : ']';
        for (size_t brackets = 0; brackets < 2; brackets++) {
            const char *text = brackets == 0 ? bytes + 1 : bytes;
            size_t text_length = brackets == 0 ? length : length + 2;
            struct mcp_json_document *document;
            struct mcp_json_error error;
            json_t *json = test_load(text, text_length, NULL);
            int result = parse(text, text_length, &document, &error);

            if (result != (json != NULL ? 0 : -EINVAL))
                fail_msg("%02x %02x in %zu: %d", bytes[1] & 255, bytes[2] & 255, text_length, result);
            if (result == 0)
                mcp_json_free(document);
            json_decref(json);
        }
    }
    assert_int_equal(memory.held, 0);
}

static void depth_is_limited(void **state)
{
    (void)state;
    for (size_t depth = MCP_JSON_DEPTH_MAX - 1; depth <= MCP_JSON_DEPTH_MAX + 1; depth++) {
        for (size_t kind = 0; kind < 2; kind++) {
            char text[(MCP_JSON_DEPTH_MAX + 1) * 6];
            size_t length = 0;
            struct mcp_json_document *document;
            struct mcp_json_error error;
            int result;

            for (size_t i = 0; i < depth; i++)
                length += (size_t)snprintf(text + length, 6, "%s",
                                           kind == 0 ? "["
                                           : i == 0  ? "{"
                                                     : "\"a\":{");
            memset(text + length, kind == 0 ? ']' : '}', depth);
            result = parse(text, length + depth, &document, &error);
            if (depth <= MCP_JSON_DEPTH_MAX) {
                struct mcp_json value;
                size_t levels = 1;

                assert_int_equal(result, 0);
                for (value = mcp_json_root(document); mcp_json_count(value) > 0; levels++)
                    value = mcp_json_first(value);
                assert_int_equal(levels, depth);
                mcp_json_free(document);
            } else {
                assert_int_equal(result, -EINVAL);
                assert_string_equal(error.message, "nested too deeply");
                assert_int_equal(error.offset, kind == 0 ? 64 : 1 + 63 * 5 + 4);
            }
        }
    }
}

static void values_by_type(void **state)
{
    struct mcp_json_document *document = parsed("[null, true, false, -1.5, \"s\", [], {}]");
    static const enum mcp_json_type types[] = {MCP_JSON_NULL,   MCP_JSON_BOOL,   MCP_JSON_BOOL,
                                               MCP_JSON_NUMBER, MCP_JSON_STRING, MCP_JSON_ARRAY,
                                               MCP_JSON_OBJECT};
    static const char *const raw[] = {"null", "true", "false", "-1.5", "\"s\"", "[]", "{}"};
    struct mcp_json value = mcp_json_first(mcp_json_root(document));
    bool boolean;
    int64_t integer;
    double number;
    char text[8];

    (void)state;
    assert_int_equal(mcp_json_count(mcp_json_root(document)), 7);
    for (size_t i = 0; i < 7; i++) {
        size_t length;

        assert_int_equal(mcp_json_type(value), types[i]);
        assert_memory_equal(mcp_json_raw(value, &length), raw[i], strlen(raw[i]));
        assert_int_equal(length, strlen(raw[i]));
        assert_int_equal(mcp_json_get_bool(value, &boolean), types[i] == MCP_JSON_BOOL ? 0 : -EINVAL);
        assert_int_equal(mcp_json_get_double(value, &number), types[i] == MCP_JSON_NUMBER ? 0 : -EINVAL);
        assert_int_equal(mcp_json_get_int(value, &integer), -EINVAL);
        assert_int_equal(mcp_json_get_string(value, text, sizeof(text)),
                         types[i] == MCP_JSON_STRING ? 1 : -EINVAL);
        assert_int_equal(mcp_json_equals(value, "s"), types[i] == MCP_JSON_STRING);
        assert_int_equal(mcp_json_type(mcp_json_key(value)), MCP_JSON_NONE);
        assert_int_equal(mcp_json_type(mcp_json_member(value, "a")), MCP_JSON_NONE);
        assert_int_equal(mcp_json_type(mcp_json_first(value)), MCP_JSON_NONE);
        value = mcp_json_next(value);
    }
    assert_int_equal(mcp_json_type(value), MCP_JSON_NONE);
    mcp_json_free(document);
}

static void what_is_not_there(void **state)
{
    struct mcp_json none = {0};
    struct mcp_json_document *document = parsed("[]");
    struct mcp_json beyond = {.document = document, .token = 1};
    size_t length = 9;
    bool boolean;
    int64_t integer;
    double number;
    char text[8];

    (void)state;
    for (size_t i = 0; i < 2; i++, none = beyond) {
        assert_int_equal(mcp_json_type(none), MCP_JSON_NONE);
        assert_int_equal(mcp_json_count(none), 0);
        assert_int_equal(mcp_json_type(mcp_json_first(none)), MCP_JSON_NONE);
        assert_int_equal(mcp_json_type(mcp_json_next(none)), MCP_JSON_NONE);
        assert_int_equal(mcp_json_type(mcp_json_key(none)), MCP_JSON_NONE);
        assert_int_equal(mcp_json_type(mcp_json_member(none, "a")), MCP_JSON_NONE);
        assert_int_equal(mcp_json_get_bool(none, &boolean), -EINVAL);
        assert_int_equal(mcp_json_get_int(none, &integer), -EINVAL);
        assert_int_equal(mcp_json_get_double(none, &number), -EINVAL);
        assert_int_equal(mcp_json_string_length(none), 0);
        assert_int_equal(mcp_json_get_string(none, text, sizeof(text)), -EINVAL);
        assert_false(mcp_json_equals(none, ""));
        assert_null(mcp_json_raw(none, &length));
        assert_int_equal(length, 0);
    }
    mcp_json_free(document);
    mcp_json_free(NULL);
}

static void members_and_keys(void **state)
{
    struct mcp_json_document *document =
        parsed("{\"a\":{\"x\":[1,{\"y\":2}]},\"b\":[{},[]],\"a\":3,\"n\\u0061me\":4,\"\":5,\"z\\u0000\":6}");
    struct mcp_json root = mcp_json_root(document);
    static const char *const keys[] = {"a", "b", "a", "name", ""};
    struct mcp_json value = mcp_json_first(root);
    int64_t integer;

    (void)state;
    assert_int_equal(mcp_json_count(root), 6);
    for (size_t i = 0; i < 5; i++, value = mcp_json_next(value))
        assert_true(mcp_json_equals(mcp_json_key(value), keys[i]));
    assert_false(mcp_json_equals(mcp_json_key(value), "z"));
    assert_int_equal(mcp_json_type(mcp_json_next(value)), MCP_JSON_NONE);

    assert_int_equal(mcp_json_type(mcp_json_member(root, "a")), MCP_JSON_OBJECT); /* the first of two */
    assert_int_equal(mcp_json_get_int(mcp_json_member(root, "name"), &integer), 0);
    assert_int_equal(integer, 4);
    assert_int_equal(mcp_json_get_int(mcp_json_member(root, ""), &integer), 0);
    assert_int_equal(integer, 5);
    assert_int_equal(mcp_json_type(mcp_json_member(root, "x")), MCP_JSON_NONE); /* deeper */
    assert_int_equal(mcp_json_type(mcp_json_member(root, "na")), MCP_JSON_NONE);
    assert_int_equal(mcp_json_type(mcp_json_member(root, "names")), MCP_JSON_NONE);
    value = mcp_json_member(mcp_json_member(root, "a"), "x");
    assert_int_equal(mcp_json_count(value), 2);
    value = mcp_json_next(mcp_json_first(value));
    assert_int_equal(mcp_json_get_int(mcp_json_member(value, "y"), &integer), 0);
    assert_int_equal(integer, 2);
    assert_int_equal(mcp_json_count(mcp_json_member(root, "b")), 2);
    mcp_json_free(document);
}

static void strings_are_decoded(void **state)
{
    static const struct {
        const char *text, *decoded;
        size_t length;
    } cases[] = {
        {"\"\"", "", 0},
        {"\"abc\"", "abc", 3},
        {"\"\\u0061\\u0062\\u0063\"", "abc", 3},
        {"\"abcd\"", "abcd", 4},
        {"\"abc\\u0064\"", "abcd", 4},
        {"\"abc\\u0000\"", "abc\0", 4},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
        {"\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10},
        {"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8},
        {"\"\xc3\xa9\\u0000x\"", "\xc3\xa9\0x", 4},
        {"\"\\uffff\\u0080\\u07ff\\u0800\"", "\xef\xbf\xbf\xc2\x80\xdf\xbf\xe0\xa0\x80", 10},
        {"\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf", 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mcp_json_document *document = parsed(cases[i].text);
        struct mcp_json value = mcp_json_root(document);

        assert_int_equal(mcp_json_string_length(value), cases[i].length);
        for (size_t size = 0; size <= cases[i].length + 1; size++) {
            char *buffer = malloc(size + (size == 0));
            int64_t result = mcp_json_get_string(value, buffer, size);

            if (size <= cases[i].length) {
                assert_int_equal(result, -ERANGE);
            } else {
                assert_int_equal(result, cases[i].length);
                assert_memory_equal(buffer, cases[i].decoded, cases[i].length + 1);
            }
            free(buffer);
        }
        for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++)
            assert_int_equal(mcp_json_equals(value, cases[k].decoded),
                             strlen(cases[k].decoded) == cases[i].length &&
                                 memcmp(cases[k].decoded, cases[i].decoded, cases[i].length) == 0);
        mcp_json_free(document);
    }
}

static void the_start_of_a_string(void **state)
{
    struct mcp_json_document *document = parsed("\"a\xe2\x82\xac\\ud83d\\ude00z\"");
    static const size_t whole[] = {0, 1, 1, 1, 4, 4, 4, 4, 8, 9, 9};
    char buffer[16];

    (void)state;
    for (size_t size = 0; size < sizeof(whole) / sizeof(whole[0]); size++)
        assert_int_equal(json_string_start(mcp_json_root(document), buffer, size), whole[size]);
    assert_memory_equal(buffer, "a\xe2\x82\xac\xf0\x9f\x98\x80z", 9);
    assert_int_equal(json_string_start((struct mcp_json){0}, buffer, 1), 0);
    mcp_json_free(document);
}

static void strings_in_other_spellings_are_equal(void **state)
{
    static const char *const same[] = {"a\xc3\xa9/\xf0\x9f\x98\x80", "\\u0061\\u00e9\\/\\ud83d\\ude00",
                                       "a\\u00E9/\xf0\x9f\x98\x80"};
    static const char *const other[] = {"", "a", "a\xc3\xa9/\xf0\x9f\x98\x80x", "b\xc3\xa9/\xf0\x9f\x98\x80"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3; k++)
            assert_true(json_raw_strings_equal(same[i], strlen(same[i]), same[k], strlen(same[k])));
        for (size_t k = 0; k < 4; k++) {
            assert_false(json_raw_strings_equal(same[i], strlen(same[i]), other[k], strlen(other[k])));
            assert_false(json_raw_strings_equal(other[k], strlen(other[k]), same[i], strlen(same[i])));
        }
    }
    assert_true(json_raw_strings_equal("", 0, "", 0));
}

/* A clone answers as the original does, after the original and its text are gone. */
static void clones_stand_alone(void **state)
{
    static const char slice[] = "{\"a\" : {\"b\": [1, \"x\", {}], \"c\":null}, \"d\\n\":\"s\" }";
    static const char text[] = " [ 7, {\"a\" : {\"b\": [1, \"x\", {}], \"c\":null}, \"d\\n\":\"s\" } , [] ]";
    char *copy = strdup(text);
    struct mcp_json_document *document = parsed(copy);
    struct mcp_memory hooks = test_memory_hooks(&memory);
    struct mcp_json_document *clones[3];
    struct mcp_json value = mcp_json_first(mcp_json_root(document));
    struct mcp_json root;
    const char *raw;
    size_t length;
    int64_t integer;

    (void)state;
    for (size_t i = 0; i < 3; i++, value = mcp_json_next(value))
        assert_int_equal(json_clone(&hooks, value, &clones[i]), 0);
    assert_int_equal(json_clone(&hooks, value, &clones[0]), -EINVAL);
    mcp_json_free(document);
    memset(copy, '?', strlen(text));
    free(copy);

    assert_int_equal(mcp_json_get_int(mcp_json_root(clones[0]), &integer), 0);
    assert_int_equal(integer, 7);
    assert_int_equal(mcp_json_type(mcp_json_next(mcp_json_root(clones[0]))), MCP_JSON_NONE);
    root = mcp_json_root(clones[1]);
    raw = mcp_json_raw(root, &length);
    assert_int_equal(length, strlen(slice));
    assert_memory_equal(raw, slice, length);
    assert_int_equal(mcp_json_count(root), 2);
    assert_true(mcp_json_equals(mcp_json_member(root, "d\n"), "s"));
    value = mcp_json_first(mcp_json_member(mcp_json_member(root, "a"), "b"));
    assert_true(mcp_json_equals(mcp_json_next(value), "x"));
    assert_int_equal(mcp_json_type(mcp_json_next(mcp_json_next(value))), MCP_JSON_OBJECT);
    assert_int_equal(mcp_json_type(mcp_json_next(mcp_json_next(mcp_json_next(value)))), MCP_JSON_NONE);
    assert_int_equal(mcp_json_type(mcp_json_next(mcp_json_first(mcp_json_member(root, "a")))), MCP_JSON_NULL);
    assert_int_equal(mcp_json_count(mcp_json_root(clones[2])), 0);
    for (size_t i = 0; i < 3; i++)
        mcp_json_free(clones[i]);
    assert_int_equal(memory.held, 0);
}

static void without_memory(void **state)
{
    struct mcp_json_document *document;
    struct mcp_json_error error;

    (void)state;
    memory = (struct test_memory){.fail_at = 1};
    assert_int_equal(parse("[1]", 3, &document, &error), -ENOMEM);
    assert_string_equal(error.message, "out of memory");
    assert_int_equal(parse("[1]", 3, &document, &error), 0);
    mcp_json_free(document);
    assert_int_equal(memory.held, 0);
}

static int reset(void **state)
{
    (void)state;
    memory = (struct test_memory){0};
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(valid_texts, reset),
        cmocka_unit_test_setup(invalid_texts_say_where, reset),
        cmocka_unit_test_setup(a_nul_byte_is_no_end, reset),
        cmocka_unit_test_setup(short_texts_as_jansson_sees_them, reset),
        cmocka_unit_test_setup(depth_is_limited, reset),
        cmocka_unit_test_setup(values_by_type, reset),
        cmocka_unit_test_setup(what_is_not_there, reset),
        cmocka_unit_test_setup(members_and_keys, reset),
        cmocka_unit_test_setup(strings_are_decoded, reset),
        cmocka_unit_test_setup(the_start_of_a_string, reset),
        cmocka_unit_test_setup(strings_in_other_spellings_are_equal, reset),
        cmocka_unit_test_setup(clones_stand_alone, reset),
        cmocka_unit_test_setup(without_memory, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
