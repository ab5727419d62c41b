/* SPDX-License-Identifier: MIT
 *
 * The JSON Schema validator: the input is a schema, an empty line, and a value. What compiles gives a verdict
 * within the work that it may take; the same verdict where the schema stands inside another one that adds
 * nothing.
 */
#include <errno.h>

#include "fuzz.h"
#include "schema.h"
#include "unit/mcp_core/support.h"

#define WORK_MAX 20000

static struct test_memory memory;
static struct mcp_memory hooks;

static void check_text(const struct text *why)
{
    assert_true(why->length > 0 && why->length < sizeof(why->bytes));
    assert_int_equal(strlen(why->bytes), why->length);
    json_t *text = json_stringn(why->bytes, why->length); /* UTF-8 */
    assert_non_null(text);
    json_decref(text);
}

/* Returns 0, -EINVAL (refused), or 1: it does not compile. */
static int verdict(const char *before, const char *schema, size_t schema_length, const char *behind,
                   struct mcp_json value, bool *exhausted)
{
    static const struct schema_subject subject = {"arguments", "argument"};
    struct schema_work work = {.limit = WORK_MAX};
    struct schema *compiled = NULL;
    struct text why = {0};
    size_t length = strlen(before) + schema_length + strlen(behind);
    char *text = malloc(length);

    assert_non_null(text);
    memcpy(text, before, strlen(before));
    memcpy(text + strlen(before), schema, schema_length);
    memcpy(text + length - strlen(behind), behind, strlen(behind));
    int result = schema_compile(&hooks, text, length, &compiled, &why);
    assert_true(result == 0 || result == -EINVAL);
    if (result == 0) {
        why = (struct text){0};
        size_t held = memory.allocations;
        result = schema_check(compiled, value, &subject, &why, &work);
        assert_int_equal(memory.allocations, held);
        assert_true(result == 0 || result == -EINVAL);
        if (result != 0)
            check_text(&why);
        *exhausted = *exhausted || work.steps >= work.limit;
        /* A step or two beyond the limit, not many. */
        assert_true(work.steps <= WORK_MAX + 4096);
        schema_free(compiled);
    } else {
        check_text(&why);
        result = 1;
    }
    free(text);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *blank = memmem(data, size, "\n\n", 2);
    size_t schema_length = blank != NULL ? (size_t)(blank - text) : size;
    size_t value_at = blank != NULL ? schema_length + 2 : size;
    struct mcp_json_document *document = NULL;
    struct mcp_json_error error;
    struct schema *compiled = NULL;
    struct text why = {0};
    bool exhausted = false;

    memory = (struct test_memory){0};
    hooks = test_memory_hooks(&memory);
    char *value_text = exact_copy(data + value_at, size - value_at);
    bool has_value = mcp_json_parse(&hooks, value_text, size - value_at, &document, &error) == 0;
    struct mcp_json value = has_value ? mcp_json_root(document) : (struct mcp_json){0};
    int first = verdict("", text, schema_length, "", value, &exhausted);
    if (first != 1 && memchr(text, '$', schema_length) == NULL) {
        int in_all = verdict("{\"allOf\":[", text, schema_length, "]}", value, &exhausted);
        int in_any = verdict("{\"anyOf\":[false,", text, schema_length, "]}", value, &exhausted);
        /* 1: it does not compile inside another one, which is deeper by two levels. */
        assert_true(exhausted || in_all == 1 || in_all == first);
        assert_true(exhausted || in_any == 1 || in_any == first);
    }
    memory.allocations = 0;
    memory.fail_at = 1 + input_hash(data, size) % 4;
    int result = schema_compile(&hooks, text, schema_length, &compiled, &why);
    assert_true(result == -ENOMEM || result == -EINVAL || (result == 0 && first != 1));
    if (result == 0)
        schema_free(compiled);
    if (has_value)
        mcp_json_free(document);
    free(value_text);
    assert_int_equal(memory.held, 0);
    return 0;
}
