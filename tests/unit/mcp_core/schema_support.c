/* SPDX-License-Identifier: MIT */
#include "schema_support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *schema_quoted(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    for (char *at = copy; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    return copy;
}

char *schema_nested(const char *open, unsigned count, const char *middle, const char *close)
{
    size_t size = count * (strlen(open) + strlen(close)) + strlen(middle) + 1;
    char *text = malloc(size);
    char *quoted;
    size_t length = 0;

    assert_non_null(text);
    for (unsigned i = 0; i < count; i++)
        length += (size_t)snprintf(text + length, size - length, "%s", open);
    length += (size_t)snprintf(text + length, size - length, "%s", middle);
    for (unsigned i = 0; i < count; i++)
        length += (size_t)snprintf(text + length, size - length, "%s", close);
    quoted = schema_quoted(text);
    free(text);
    return quoted;
}

struct schema *schema_of(struct test_memory *memory, const char *text)
{
    struct mcp_memory hooks = test_memory_hooks(memory);
    struct schema *schema = NULL;
    struct text why = {0};

    if (schema_compile(&hooks, text, strlen(text), &schema, &why) != 0)
        fail_msg("%s\n  was refused: %s", text, why.bytes);
    assert_int_equal(why.length, 0);
    return schema;
}

const char *schema_say(const struct schema *schema, const char *value, size_t length,
                       struct schema_work *work)
{
    static const struct schema_subject subject = {.whole = "arguments", .part = "argument"};
    static struct text why;
    struct test_memory memory = {0};
    struct mcp_memory hooks = test_memory_hooks(&memory);
    struct mcp_json_document *document = NULL;
    struct mcp_json_error error;
    struct schema_work done = {0};
    struct mcp_json root = {0};
    int result;

    why = (struct text){0};
    if (value != NULL) {
        assert_int_equal(mcp_json_parse(&hooks, value, length, &document, &error), 0);
        root = mcp_json_root(document);
    }
    result = schema_check(schema, root, &subject, &why, &done);
    assert_true(result == 0 || result == -EINVAL);
    assert_int_equal(memory.allocations, value != NULL); /* the document: the check itself takes none */
    assert_true((result == 0) == (why.length == 0));
    assert_int_equal(strlen(why.bytes), why.length);
    assert_true(done.steps <= done.limit);
    if (done.steps == done.limit)
        assert_non_null(strstr(why.bytes, "too many steps"));
    if (work != NULL)
        *work = done;
    mcp_json_free(document);
    return result == 0 ? NULL : why.bytes;
}

void schema_run_cases(const struct schema_case *cases, size_t count)
{
    struct test_memory memory = {0};
    struct schema *schema = NULL;
    char *text = NULL;

    for (size_t i = 0; i < count; i++) {
        char *value = schema_quoted(cases[i].value);
        char *message = cases[i].message != NULL ? schema_quoted(cases[i].message) : NULL;
        const char *said;

        if (cases[i].schema != NULL) {
            schema_free(schema);
            free(text);
            text = schema_quoted(cases[i].schema);
            schema = schema_of(&memory, text);
        }
        said = schema_say(schema, value, strlen(value), NULL);
        if ((said == NULL) != (message == NULL) || (said != NULL && strcmp(said, message) != 0))
            fail_msg("%s\n  with %s\n  says %s\n  and not %s", text, value, said, message);
        free(value);
        free(message);
    }
    schema_free(schema);
    free(text);
    assert_int_equal(memory.held, 0);
}
