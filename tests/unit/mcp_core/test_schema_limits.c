/* SPDX-License-Identifier: MIT
 *
 * What a check may cost: steps are counted, depth ends, and a message has an end as well.
 */
#include "schema_support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `head`, `count` times `unit` with a comma between, `tail`; %u in the unit is its number. */
static char *repeated(const char *head, const char *unit, unsigned count, const char *tail)
{
    char *quoted_unit = schema_quoted(unit);
    char *text = malloc(strlen(head) + count * (strlen(unit) + 12) + strlen(tail) + 1);
    char *quoted;
    size_t length;

    assert_non_null(text);
    length = (size_t)sprintf(text, "%s", head);
    for (unsigned i = 0; i < count; i++) {
        const char *number = strstr(quoted_unit, "%u");

        if (i > 0)
            text[length++] = ',';
        if (number == NULL)
            length += (size_t)sprintf(text + length, "%s", quoted_unit);
        else
            length += (size_t)sprintf(text + length, "%.*s%u%s", (int)(number - quoted_unit), quoted_unit, i,
                                      number + 2);
    }
    (void)sprintf(text + length, "%s", tail);
    quoted = schema_quoted(text);
    free(text);
    free(quoted_unit);
    return quoted;
}

/* The message (NULL: accepted) for a schema in which ' is ", and a value that is freed. */
static const char *say(const char *schema, char *value, struct schema_work *work)
{
    struct test_memory memory = {0};
    char *text = schema_quoted(schema);
    struct schema *compiled = schema_of(&memory, text);
    const char *said = schema_say(compiled, value, strlen(value), work);

    schema_free(compiled);
    free(text);
    free(value);
    return said;
}

/* What an honest schema takes is linear in the value, and far below what it may take. */
static void usual_checks_are_linear(void **state)
{
    static const struct {
        const char *schema, *head, *unit, *tail;
    } cases[] = {
        {"{'items':{'type':'integer','minimum':0}}", "[", "%u", "]"},
        {"{'items':{'enum':['a','b','c','d']}}", "[", "'c'", "]"},
        {"{'additionalProperties':{'type':'string'}}", "{", "'n%u':'v'", "}"},
        {"{'properties':{'a':{},'b':{}},'additionalProperties':true,'propertyNames':{'maxLength':9}}", "{",
         "'n%u':1", "}"},
        {"{'items':{'properties':{'x':{'type':'number'},'y':{'type':'number'}},'required':['x','y'],"
         "'additionalProperties':false}}",
         "[", "{'x':%u,'y':2}", "]"},
        {"{'items':{'anyOf':[{'type':'null'},{'type':'string'},{'type':'array','items':{'$ref':'#'}}]}}", "[",
         "['a',null]", "]"},
        {"{'contains':{'const':-1},'minContains':0}", "[", "%u", "]"},
        {"{'items':{'uniqueItems':true}}", "[", "[1,2,3,4%u]", "]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct schema_work small, large;

        assert_null(
            say(cases[i].schema, repeated(cases[i].head, cases[i].unit, 1000, cases[i].tail), &small));
        assert_null(
            say(cases[i].schema, repeated(cases[i].head, cases[i].unit, 10000, cases[i].tail), &large));
        assert_true(small.steps >= 1000);
        assert_true(large.steps <= 11 * small.steps);
        assert_true(small.steps <= small.limit / 3 && large.steps <= large.limit / 3);
    }
}

/* The length of a text counts, too: 8 bytes a step. */
static void long_texts_are_counted(void **state)
{
    static const char *const schemas[] = {"{'maxLength':1000000}", "{'minLength':1}",  "{'const':'a'}",
                                          "{'minimum':0}",         "{'multipleOf':1}", "{'type':'integer'}"};
    char *value = malloc(80001);

    (void)state;
    assert_non_null(value);
    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
        struct schema_work work;
        char *copy;

        memset(value, '7', 80000);
        value[80000] = '\0';
        if (i < 3)
            value[0] = value[79999] = '"';
        copy = strdup(value);
        assert_non_null(copy);
        if (i == 2)
            assert_non_null(say(schemas[i], copy, &work));
        else
            assert_null(say(schemas[i], copy, &work));
        if (i == 2)
            assert_true(work.steps < 10); /* the first byte tells */
        else
            assert_in_range(work.steps, 10000, 10010);
    }
    free(value);
}

/* Asks twice about each level below: 2^n steps, were there no limit. `rest` is what the schema has beside. */
static const char *say_twice(const char *rest, char *value, struct schema_work *work)
{
    char schema[600];

    (void)snprintf(schema, sizeof(schema),
                   "{'$defs':{'twice':{'anyOf':[{'items':{'$ref':'#/$defs/twice'},'minItems':2},"
                   "{'items':{'$ref':'#/$defs/twice'},'minItems':2}]}},%s}",
                   rest);
    return say(schema, value, work);
}

static const char too_much[] = "arguments: the check takes too many steps; send less at once";

static void a_doubling_schema_is_stopped(void **state)
{
    static const char schema[] = "'$ref':'#/$defs/twice'";
    struct schema_work work;

    (void)state;
    assert_string_equal(say_twice(schema, schema_nested("[", 3, "1", "]"), &work),
                        "argument \"0/0\" must have at least 2 items");
    assert_string_equal(say_twice(schema, schema_nested("[", 24, "1", "]"), &work), too_much);
    assert_true(work.steps <= work.limit && work.limit < 20000);
}

/* Where a result is turned round or passed over, a check that was stopped is still no success. */
static void stopped_is_never_accepted(void **state)
{
    static const char *const schemas[] = {
        "'not':{'$ref':'#/$defs/twice'}",
        "'not':{'not':{'$ref':'#/$defs/twice'}}",
        "'if':{'$ref':'#/$defs/twice'},'then':true",
        "'anyOf':[{'$ref':'#/$defs/twice'},true]",
        "'oneOf':[{'$ref':'#/$defs/twice'},true]",
        "'oneOf':[true,{'$ref':'#/$defs/twice'}]",
        "'contains':{'$ref':'#/$defs/twice'},'minContains':0",
        "'allOf':[{'not':{'$ref':'#/$defs/twice'}},true]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++)
        assert_string_equal(say_twice(schemas[i], schema_nested("[", 25, "1", "]"), NULL), too_much);
}

/* Wherever the last step is taken, too little is refused, and every keyword notices. */
static void every_step_can_be_the_last(void **state)
{
    static const char *const schemas[] = {
        "{'type':['array','object'],'uniqueItems':true,'contains':{'enum':[[1],{'a':'b'}]},'minContains':0}",
        "{'enum':[1,[{'a':1,'b':2},{}],[{'b':2,'a':1000000000000000000000000},{'a':3,'b':5}]]}",
        "{'const':[{'b':2,'a':1000000000000000000000000},{'a':3}]}",
        "{'items':{'properties':{'a':{'minLength':1},'b':{'multipleOf':2}},'additionalProperties':false}}",
        "{'items':{'required':['a'],'dependentRequired':{'a':['b']}}}",
        "{'items':{'dependentSchemas':{'b':{'minProperties':1}}}}",
        "{'items':{'propertyNames':{'maxLength':5},'additionalProperties':{'minimum':0}}}",
        "{'not':{'not':{'items':{'oneOf':[{'type':'object'},{'type':'string'}]}}}}",
        "{'if':{'items':{'type':'object'}},'then':{'prefixItems':[{'anyOf':[false,true]}]},'else':false}",
        "{'items':{'properties':{'a':{'const':1000000000000000000000000}}}}",
        "{'items':{'properties':{'c':{'maxLength':99},'a':{'multipleOf':2}}}}",
    };
    static const char value[] = "[{\"a\":1000000000000000000000000,\"b\":2},{\"b\":4,\"a\":3,\"c\":\"a text "
                                "that takes more steps\"}]";
    static const struct schema_subject subject = {.whole = "arguments", .part = "argument"};

    (void)state;
    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
        struct test_memory memory = {0};
        struct mcp_memory hooks = test_memory_hooks(&memory);
        char *text = schema_quoted(schemas[i]);
        struct schema *schema = schema_of(&memory, text);
        struct mcp_json_document *document;
        struct mcp_json_error error;
        struct schema_work whole = {0};
        struct text first = {0};

        assert_int_equal(mcp_json_parse(&hooks, value, strlen(value), &document, &error), 0);
        (void)schema_check(schema, mcp_json_root(document), &subject, &first, &whole);
        assert_true(whole.steps > 3);
        for (uint64_t limit = 1; limit <= whole.steps; limit++) {
            struct schema_work work = {.limit = limit};
            struct text why = {0};

            assert_int_equal(schema_check(schema, mcp_json_root(document), &subject, &why, &work), -EINVAL);
            assert_string_equal(why.bytes, too_much);
            assert_int_equal(work.steps, limit);
        }
        mcp_json_free(document);
        schema_free(schema);
        free(text);
        assert_int_equal(memory.held, 0);
    }
}

static void unique_items_are_not_quadratic(void **state)
{
    static const char schema[] = "{'uniqueItems':true}";
    struct schema_work group, more;

    (void)state;
    assert_null(say(schema, repeated("[", "%u", 256, "]"), &group));
    assert_true(group.steps < 256 * 8);
    assert_null(say(schema, repeated("[", "'item %u'", 1000, "]"), &more));
    assert_true(more.steps < 1000 * 32);
    /* the two that are the same, near and far, in the first group and behind it */
    assert_string_equal(say(schema, repeated("[7,", "'%u'", 300, ",7]"), NULL),
                        "argument \"301\" repeats an earlier item");
    assert_string_equal(say(schema, repeated("[", "%u", 700, ",699]"), NULL),
                        "argument \"700\" repeats an earlier item");
    assert_string_equal(say(schema, repeated("[", "%u", 5000, "]"), NULL), too_much);
    /* a schema of usual size takes more of them */
    assert_null(say("{'title':'A list of names','description':'Names, each once, in any order',"
                    "'items':{'type':'string','minLength':1,'maxLength':20},'minItems':1,'maxItems':9999,"
                    "'uniqueItems':true}",
                    repeated("[", "'name %u'", 5000, "]"), NULL));
}

static void depth_has_an_end(void **state)
{
    static const char each_level[] = "{'items':{'$ref':'#'},'maxItems':1}";
    static const char two_each[] = "{'allOf':[{'items':{'$ref':'#'}}]}";

    (void)state;
    assert_null(say(each_level, schema_nested("[", 64, "", "]"), NULL));
    assert_null(say(two_each, schema_nested("[", 32, "", "]"), NULL));
    assert_string_equal(say(two_each, schema_nested("[", 33, "", "]"), NULL),
                        "arguments: nested too deeply to be checked");
    /* values that are compared have levels as well */
    for (unsigned levels = 61; levels < 63; levels++) {
        char *item = schema_nested("[", levels, "", "]");
        char value[300];

        (void)snprintf(value, sizeof(value), "[%s,%s]", item, item);
        assert_string_equal(say("{'allOf':[{'allOf':[{'uniqueItems':true}]}]}", schema_quoted(value), NULL),
                            levels == 61 ? "argument \"1\" repeats an earlier item"
                                         : "arguments: nested too deeply to be checked");
        free(item);
    }
}

/* None at all stands for an empty object. */
static void no_value_is_an_empty_object(void **state)
{
    static const struct schema_case cases[] = {
        {"{'type':'object','properties':{'a':false},'additionalProperties':false,'maxProperties':0}", NULL,
         NULL},
        {"{'type':'object','required':['a']}", NULL, "argument \"a\" is missing"},
        {"{'type':'object','minProperties':1}", NULL, "arguments must have at least 1 member"},
        {"{'const':{}}", NULL, NULL},
        {"{'enum':[[],{}]}", NULL, NULL},
        {"{'const':{'a':1}}", NULL, "arguments must be {\"a\":1}"},
        {"{'type':'string'}", NULL, "arguments must be of type string"},
        {"{'propertyNames':false,'dependentSchemas':{'a':false}}", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct test_memory memory = {0};
        char *text = schema_quoted(cases[i].schema);
        struct schema *schema = schema_of(&memory, text);
        const char *said = schema_say(schema, NULL, 0, NULL);

        if (cases[i].message == NULL)
            assert_null(said);
        else
            assert_string_equal(said, cases[i].message);
        schema_free(schema);
        free(text);
    }
}

static void messages_have_an_end(void **state)
{
    const char *said;

    (void)state;
    /* a place that is long, and its end */
    assert_string_equal(
        say("{'anyOf':[{'type':'integer'},{'type':'object','additionalProperties':{'$ref':'#'}}]}",
            schema_nested("{'a name that is long, longer than what is shown of it':", 20, "''", "}"), NULL),
        "argument \"a name that is long, longer than.../a name that is long, longer than.../a name that is "
        "long, longer than.../.../a name that is long, longer than...\" must be of type integer or object");
    /* no character is cut, whichever byte the end falls on */
    assert_string_equal(
        say("{'const':['aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xf0\x9f\x98\x80']}", schema_quoted("1"), NULL),
        "arguments must be [\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa...");
    assert_string_equal(
        say("{'const':['aaaaaaaaaaaaaaaaaaaaaaaaaa\xf0\x9f\x98\x80']}", schema_quoted("1"), NULL),
        "arguments must be [\"aaaaaaaaaaaaaaaaaaaaaaaaaa\xf0\x9f\x98\x80...");
    /* more choices than there is room for */
    said =
        say("{'enum':['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',"
            "'cccccccccccccccccccccccccccccccccccc','dddddddddddddddddddd','eeeeeeeeeeeeeeeee','f']}",
            schema_quoted("1"), NULL);
    assert_non_null(strstr(said, "\"dddddddddddddddddddd\", ..."));
    assert_null(strstr(said, "ee"));
    assert_null(strstr(said, " or "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_checks_are_linear),
        cmocka_unit_test(long_texts_are_counted),
        cmocka_unit_test(a_doubling_schema_is_stopped),
        cmocka_unit_test(stopped_is_never_accepted),
        cmocka_unit_test(every_step_can_be_the_last),
        cmocka_unit_test(unique_items_are_not_quadratic),
        cmocka_unit_test(depth_has_an_end),
        cmocka_unit_test(no_value_is_an_empty_object),
        cmocka_unit_test(messages_have_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
