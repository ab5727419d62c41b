/* SPDX-License-Identifier: MIT
 *
 * The JSON reader and writer: the input is the text. jansson is the second opinion on what is JSON and on
 * what it means; what the reader takes is written and read again, and stays the same.
 */
#include <errno.h>
#include <math.h>

#include "fuzz.h"
#include "unit/mcp_core/support.h"

/* What the header promises: a block of 20 bytes for each value and key, and a few more. */
#define BYTES_PER_TOKEN 20
#define BYTES_MORE      256

static struct test_memory memory;
static struct mcp_memory hooks;

/* What a program writes is what is read again: whole numbers exactly, others to nine digits. */
static void check_writing(double value, int64_t whole, bool is_whole)
{
    struct mcp_json_document *document = NULL;
    struct mcp_json_writer writer;
    struct mcp_json_error error;
    const char *text = NULL;
    size_t length = 0;
    char buffer[128];
    double got = 0;
    int64_t got_whole = 0;

    mcp_json_writer_initialise_fixed(&writer, buffer, sizeof(buffer));
    mcp_json_begin_array(&writer);
    mcp_json_double(&writer, value);
    mcp_json_int(&writer, whole);
    mcp_json_uint(&writer, (uint64_t)whole);
    mcp_json_end_array(&writer);
    assert_int_equal(mcp_json_finish(&writer, &text, &length), 0);
    assert_int_equal(mcp_json_parse(&hooks, text, length, &document, &error), 0);
    struct mcp_json element = mcp_json_first(mcp_json_root(document));
    assert_int_equal(mcp_json_get_double(element, &got), 0);
    if (is_whole && fabs(value) < 0x1p53)
        assert_true(got == value);
    else
        assert_true(fabs(got - value) <= fabs(value) * 5e-9 || fabs(value) < 1e-300);
    element = mcp_json_next(element);
    assert_true(mcp_json_get_int(element, &got_whole) == 0 && got_whole == whole);
    mcp_json_free(document);
}

/* An integer that JSON writes without a fraction, 1.0 and 1e2 too, is exact; a double is that of strtod. */
static void check_number(struct mcp_json value, const json_t *twin)
{
    size_t length = 0;
    const char *raw = mcp_json_raw(value, &length);
    char *text = strndup(raw, length);
    double expected = strtod(text, NULL), got = 0;
    int64_t whole = 0;
    size_t digits = 0;

    for (size_t i = 0; i < length && raw[i] != 'e' && raw[i] != 'E'; i++)
        digits += raw[i] >= '0' && raw[i] <= '9';
    int error = mcp_json_get_double(value, &got);
    if (digits <= 19) {
        assert_int_equal(error, isinf(expected) ? -EINVAL : 0);
        assert_true(error != 0 || got == expected);
    } else if (error == 0 && isfinite(expected)) {
        assert_true(fabs(got - expected) <= fabs(expected) * 0x1p-51 || fabs(expected) < 0x1p-1000);
    }
    error = mcp_json_get_int(value, &whole);
    if (json_is_integer(twin))
        assert_true(error == 0 && whole == json_integer_value(twin));
    else if (error == 0)
        assert_true((double)whole == expected);
    if (isfinite(expected))
        check_writing(expected, whole, error == 0);
    free(text);
}

static void check_string(struct mcp_json value, const json_t *twin)
{
    size_t length = mcp_json_string_length(value);
    char *decoded = malloc(length + 1);

    assert_non_null(decoded);
    assert_int_equal(mcp_json_get_string(value, decoded, length + 1), length);
    assert_int_equal(decoded[length], 0);
    if (twin != NULL) {
        assert_int_equal(length, json_string_length(twin));
        assert_memory_equal(decoded, json_string_value(twin), length);
    }
    if (length > 0)
        assert_int_equal(mcp_json_get_string(value, decoded, length), -ERANGE);
    if (strlen(decoded) == length)
        assert_true(mcp_json_equals(value, decoded));
    free(decoded);
}

/* A key's member as jansson knows it; NULL where it has dropped one that came twice. */
static const json_t *twin_of(struct mcp_json object, struct mcp_json member, const json_t *twin)
{
    size_t length = mcp_json_string_length(mcp_json_key(member));
    char *key = malloc(length + 1);

    assert_non_null(key);
    assert_int_equal(mcp_json_get_string(mcp_json_key(member), key, length + 1), length);
    const json_t *found = NULL;
    if (strlen(key) == length) {
        /* The first one of a name is the one that is found. */
        struct mcp_json first = mcp_json_member(object, key);
        assert_true(mcp_json_type(first) != MCP_JSON_NONE);
        if (json_object_size(twin) == mcp_json_count(object)) {
            assert_int_equal(first.token, member.token);
            found = json_object_get(twin, key);
            assert_non_null(found);
        }
    }
    free(key);
    return found;
}

/* Every accessor on every value, beside jansson's (NULL: it has none to compare with). */
static void check_value(struct mcp_json value, const json_t *twin)
{
    enum mcp_json_type type = mcp_json_type(value);
    bool boolean = false;
    int64_t whole = 0;
    size_t count = 0;

    assert_true(type != MCP_JSON_NONE);
    if (mcp_json_get_bool(value, &boolean) == 0)
        assert_true(type == MCP_JSON_BOOL && (twin == NULL || boolean == json_is_true(twin)));
    switch (type) {
    case MCP_JSON_NUMBER:
        check_number(value, twin);
        break;
    case MCP_JSON_STRING:
        assert_true(twin == NULL || json_is_string(twin));
        check_string(value, twin);
        break;
    case MCP_JSON_ARRAY:
    case MCP_JSON_OBJECT:
        for (struct mcp_json member = mcp_json_first(value); mcp_json_type(member) != MCP_JSON_NONE;
             member = mcp_json_next(member), count++) {
            if (type == MCP_JSON_OBJECT)
                check_value(member, twin_of(value, member, twin));
            else
                check_value(member, json_array_get(twin, count));
        }
        assert_int_equal(count, mcp_json_count(value));
        break;
    case MCP_JSON_BOOL:
        assert_true(twin == NULL || json_is_boolean(twin));
        break;
    default:
        assert_true(twin == NULL || json_is_null(twin));
        break;
    }
    if (type != MCP_JSON_NUMBER)
        assert_int_equal(mcp_json_get_int(value, &whole), -EINVAL);
}

/* Writes a value member by member, as a program does. */
static void rewrite(struct mcp_json_writer *writer, struct mcp_json value)
{
    enum mcp_json_type type = mcp_json_type(value);
    bool object = type == MCP_JSON_OBJECT;

    if (!object && type != MCP_JSON_ARRAY && type != MCP_JSON_STRING) {
        bool boolean = false;
        if (type == MCP_JSON_NULL)
            mcp_json_null(writer);
        else if (mcp_json_get_bool(value, &boolean) == 0)
            mcp_json_bool(writer, boolean);
        else
            mcp_json_value(writer, value);
        return;
    }
    if (type == MCP_JSON_STRING) {
        size_t length = mcp_json_string_length(value);
        char *text = malloc(length + 1);
        assert_non_null(text);
        (void)mcp_json_get_string(value, text, length + 1);
        mcp_json_string_n(writer, text, length);
        free(text);
        return;
    }
    object ? mcp_json_begin_object(writer) : mcp_json_begin_array(writer);
    for (struct mcp_json member = mcp_json_first(value); mcp_json_type(member) != MCP_JSON_NONE;
         member = mcp_json_next(member)) {
        if (object && mcp_json_type(member) == MCP_JSON_NULL) {
            mcp_json_member_string(writer, "text", "\x01\xff");
            mcp_json_member_double(writer, "double", 0.1);
            continue;
        }
        if (object) {
            char key[64]; /* a key with a NUL, or a long one, is cut: that is the program's business */
            struct mcp_json name = mcp_json_key(member);
            if (mcp_json_get_string(name, key, sizeof(key)) < 0)
                (void)strcpy(key, "long");
            mcp_json_key_write(writer, key);
        }
        rewrite(writer, member);
    }
    object ? mcp_json_end_object(writer) : mcp_json_end_array(writer);
}

/* Finishes, and checks that it is one line of JSON. Returns a copy of the text. */
static char *finished(struct mcp_json_writer *writer, size_t *length)
{
    struct mcp_json_document *document = NULL;
    struct mcp_json_error error;
    const char *text = NULL;

    int result = mcp_json_finish(writer, &text, length);
    if (result != 0) {
        assert_true(result == -ENOMEM || result == -EFBIG || result == -EINVAL);
        return NULL;
    }
    assert_null(memchr(text, '\n', *length));
    size_t fail_at = memory.fail_at;
    memory.fail_at = 0;
    assert_int_equal(mcp_json_parse(&hooks, text, *length, &document, &error), 0);
    mcp_json_free(document);
    memory.fail_at = fail_at;
    return exact_copy(text, *length);
}

static char *copied(const char *text, size_t length, size_t limit, size_t *out_length)
{
    struct mcp_json_writer writer;

    mcp_json_writer_initialise(&writer, &hooks, limit);
    mcp_json_raw_value(&writer, text, length);
    char *copy = finished(&writer, out_length);
    mcp_json_writer_release(&writer);
    return copy;
}

static void write_again(struct mcp_json root, const char *text, size_t length, const json_t *twin)
{
    struct mcp_json_writer writer;
    size_t first_length = 0, second_length = 0, third_length = 0;

    /* As a value and as raw text it is written the same, and no longer than it was. */
    mcp_json_writer_initialise(&writer, &hooks, length);
    mcp_json_value(&writer, root);
    char *first = finished(&writer, &first_length);
    mcp_json_writer_release(&writer);
    char *second = copied(text, length, length, &second_length);
    assert_true(first != NULL && second != NULL && first_length == second_length);
    assert_memory_equal(first, second, first_length);
    /* What has been written once does not change, and means what it meant. */
    char *third = copied(first, first_length, first_length, &third_length);
    assert_true(third != NULL && third_length == first_length);
    assert_memory_equal(first, third, first_length);
    if (twin != NULL) {
        json_t *again = test_load(first, first_length, NULL);
        assert_true(again != NULL && json_equal(twin, again));
        json_decref(again);
    }
    free(first);
    free(second);
    free(third);

    mcp_json_writer_initialise(&writer, &hooks, 16 * length + 64);
    rewrite(&writer, root);
    first = finished(&writer, &first_length);
    assert_non_null(first);
    mcp_json_writer_release(&writer);
    free(first);
}

/* The same where memory fails, and where the text does not fit. */
static void write_without_room(const char *text, size_t length, uint32_t options)
{
    struct mcp_json_writer writer;
    size_t out_length = 0;
    char *copy;

    memory.allocations = 0;
    memory.fail_at = 1 + options % 4;
    free(copied(text, length, length, &out_length));
    memory.fail_at = 0;
    copy = copied(text, length, options % (length + 1), &out_length);
    assert_true(copy == NULL || out_length <= options % (length + 1));
    free(copy);

    size_t size = options % 64;
    char *buffer = malloc(size);
    mcp_json_writer_initialise_fixed(&writer, buffer, size);
    mcp_json_begin_array(&writer);
    mcp_json_string_n(&writer, text, length); /* any bytes at all */
    mcp_json_end_array(&writer);
    free(finished(&writer, &out_length));
    mcp_json_writer_release(&writer);
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t options = input_hash(data, size);
    struct mcp_json_document *document = NULL;
    struct mcp_json_error error = {0};
    bool unsure = false;

    memory = (struct test_memory){0};
    hooks = test_memory_hooks(&memory);
    char *text = exact_copy(data, size);
    json_t *twin = test_load(text, size, &unsure);
    int result = mcp_json_parse(&hooks, text, size, &document, &error);
    if (result == 0) {
        assert_true(twin != NULL || unsure);
        assert_true(memory.most <= BYTES_PER_TOKEN * (size + 1) + BYTES_MORE);
        check_value(mcp_json_root(document), twin);
        write_again(mcp_json_root(document), text, size, twin);
        mcp_json_free(document);
        memory.allocations = 0;
        memory.fail_at = 1;
        assert_int_equal(mcp_json_parse(&hooks, text, size, &document, &error), -ENOMEM);
        memory.fail_at = 0;
    } else {
        size_t length = 0;
        assert_int_equal(result, -EINVAL);
        assert_true(error.offset <= size && error.message != NULL);
        /* The one thing that jansson takes and we do not is depth, which it has at 2048. */
        if (twin != NULL)
            assert_non_null(strstr(error.message, "deep"));
        assert_null(copied(text, size, size, &length));
    }
    write_without_room(text, size, options);
    json_decref(twin);
    free(text);
    assert_int_equal(memory.held, 0);
    return 0;
}
