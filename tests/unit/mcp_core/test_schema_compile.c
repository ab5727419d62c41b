/* SPDX-License-Identifier: MIT
 *
 * Schemas that are refused, with the place and the reason; what is taken and passed over; no memory.
 */
#include "schema_support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compile(struct test_memory *memory, const char *text, struct text *why)
{
    struct mcp_memory hooks = test_memory_hooks(memory);
    struct schema *schema = NULL;
    int result;

    *why = (struct text){0};
    result = schema_compile(&hooks, text, strlen(text), &schema, why);
    assert_true(result == 0 || schema == NULL);
    schema_free(schema);
    assert_int_equal(memory->held, 0);
    return result;
}

static const struct {
    const char *schema, *message;
} refused[] = {
    /* not a schema at all */
    {"", ": not valid JSON: the text ends where a value is expected at byte 0"},
    {"{'type':'object'", ": not valid JSON: a comma or } is expected at byte 16"},
    {"1", ": must be a schema: an object, true or false"},
    {"null", ": must be a schema: an object, true or false"},
    {"[]", ": must be a schema: an object, true or false"},
    {"'string'", ": must be a schema: an object, true or false"},
    /* keywords of 2020-12 that are not supported, of older drafts, and of nobody */
    {"{'pattern':'a'}", "/pattern: this keyword is not supported"},
    {"{'patternProperties':{}}", "/patternProperties: this keyword is not supported"},
    {"{'unevaluatedProperties':false}", "/unevaluatedProperties: this keyword is not supported"},
    {"{'unevaluatedItems':false}", "/unevaluatedItems: this keyword is not supported"},
    {"{'$dynamicRef':'#a'}", "/$dynamicRef: this keyword is not supported"},
    {"{'$dynamicAnchor':'a'}", "/$dynamicAnchor: this keyword is not supported"},
    {"{'$vocabulary':{}}", "/$vocabulary: this keyword is not supported"},
    {"{'$recursiveRef':'#'}", "/$recursiveRef: this keyword is not supported"},
    {"{'dependencies':{}}", "/dependencies: this keyword is not supported"},
    {"{'additionalItems':false}", "/additionalItems: this keyword is not supported"},
    {"{'id':'a'}", "/id: this keyword is not supported"},
    {"{'requierd':['a']}", "/requierd: this keyword is not supported"},
    {"{'Type':'string'}", "/Type: this keyword is not supported"},
    {"{'':1}", "/: this keyword is not supported"},
    {"{'x':1}", "/x: this keyword is not supported"},
    {"{'type\\u0000':1}", "/type?: this keyword is not supported"},
    /* wherever they stand */
    {"{'properties':{'a/b':{'pattern':'a'}}}", "/properties/a~1b/pattern: this keyword is not supported"},
    {"{'items':{'pattern':''}}", "/items/pattern: this keyword is not supported"},
    {"{'prefixItems':[true,{'pattern':''}]}", "/prefixItems/1/pattern: this keyword is not supported"},
    {"{'anyOf':[{},{'allOf':[{'oneOf':[{'not':{'pattern':''}}]}]}]}",
     "/anyOf/1/allOf/0/oneOf/0/not/pattern: this keyword is not supported"},
    {"{'if':{'pattern':''}}", "/if/pattern: this keyword is not supported"},
    {"{'then':{'pattern':''}}", "/then/pattern: this keyword is not supported"},
    {"{'else':{'pattern':''}}", "/else/pattern: this keyword is not supported"},
    {"{'contains':{'pattern':''}}", "/contains/pattern: this keyword is not supported"},
    {"{'propertyNames':{'pattern':''}}", "/propertyNames/pattern: this keyword is not supported"},
    {"{'additionalProperties':{'pattern':''}}",
     "/additionalProperties/pattern: this keyword is not supported"},
    {"{'dependentSchemas':{'a':{'pattern':''}}}",
     "/dependentSchemas/a/pattern: this keyword is not supported"},
    {"{'$defs':{'a':{'pattern':''}}}", "/$defs/a/pattern: this keyword is not supported"},
    {"{'definitions':{'a':{'pattern':''}}}", "/definitions/a/pattern: this keyword is not supported"},
    /* operands */
    {"{'type':'strin'}", "/type: must be the name of a type, or several in an array"},
    {"{'type':1}", "/type: must be the name of a type, or several in an array"},
    {"{'type':[]}", "/type: must be the name of a type, or several in an array"},
    {"{'type':['string',1]}", "/type: must be the name of a type, or several in an array"},
    {"{'type':'any'}", "/type: must be the name of a type, or several in an array"},
    {"{'type':{'type':'string'}}", "/type: must be the name of a type, or several in an array"},
    {"{'enum':[]}", "/enum: must be an array that is not empty"},
    {"{'enum':'a'}", "/enum: must be an array that is not empty"},
    {"{'enum':{'a':1}}", "/enum: must be an array that is not empty"},
    {"{'minimum':'1'}", "/minimum: must be a number"},
    {"{'maximum':null}", "/maximum: must be a number"},
    {"{'exclusiveMinimum':true}", "/exclusiveMinimum: must be a number"},
    {"{'exclusiveMaximum':true}", "/exclusiveMaximum: must be a number"},
    {"{'multipleOf':0}", "/multipleOf: must be a number above 0 of at most 19 digits"},
    {"{'multipleOf':-1}", "/multipleOf: must be a number above 0 of at most 19 digits"},
    {"{'multipleOf':'1'}", "/multipleOf: must be a number above 0 of at most 19 digits"},
    {"{'multipleOf':12345678901234567891}", "/multipleOf: must be a number above 0 of at most 19 digits"},
    {"{'minLength':-1}", "/minLength: must be a whole number that is not negative"},
    {"{'maxLength':1.5}", "/maxLength: must be a whole number that is not negative"},
    {"{'minItems':'1'}", "/minItems: must be a whole number that is not negative"},
    {"{'maxItems':null}", "/maxItems: must be a whole number that is not negative"},
    {"{'minContains':-1}", "/minContains: must be a whole number that is not negative"},
    {"{'maxContains':0.5}", "/maxContains: must be a whole number that is not negative"},
    {"{'minProperties':[]}", "/minProperties: must be a whole number that is not negative"},
    {"{'maxProperties':1e30}", "/maxProperties: must be a whole number that is not negative"},
    {"{'uniqueItems':1}", "/uniqueItems: must be true or false"},
    {"{'required':true}", "/required: must be an array of strings"},
    {"{'required':['a',1]}", "/required: must be an array of strings"},
    {"{'required':{'a':'b'}}", "/required: must be an array of strings"},
    {"{'dependentRequired':['a']}", "/dependentRequired: must be an object of arrays of strings"},
    {"{'dependentRequired':{'a':'b'}}", "/dependentRequired: must be an object of arrays of strings"},
    {"{'properties':[]}", "/properties: must be an object of schemas"},
    {"{'properties':{'a':1}}", "/properties/a: must be a schema: an object, true or false"},
    {"{'$defs':1}", "/$defs: must be an object of schemas"},
    {"{'dependentSchemas':[true]}", "/dependentSchemas: must be an object of schemas"},
    {"{'items':[true]}", "/items: must be a schema: an object, true or false"},
    {"{'not':null}", "/not: must be a schema: an object, true or false"},
    {"{'additionalProperties':'no'}", "/additionalProperties: must be a schema: an object, true or false"},
    {"{'allOf':[]}", "/allOf: must be an array that is not empty"},
    {"{'anyOf':{}}", "/anyOf: must be an array that is not empty"},
    {"{'oneOf':true}", "/oneOf: must be an array that is not empty"},
    {"{'prefixItems':[]}", "/prefixItems: must be an array that is not empty"},
    {"{'anyOf':[true,1]}", "/anyOf/1: must be a schema: an object, true or false"},
    {"{'minimum':1,'minimum':2}", "/minimum: this keyword stands there twice"},
    /* what the document is */
    {"{'$schema':'http://json-schema.org/draft-07/schema#'}",
     "/$schema: only JSON Schema 2020-12 is supported"},
    {"{'$schema':1}", "/$schema: only JSON Schema 2020-12 is supported"},
    {"{'$id':1}", "/$id: $id is supported at the top only"},
    {"{'items':{'$id':'a'}}", "/items/$id: $id is supported at the top only"},
    /* references */
    {"{'$ref':1}", "/$ref: must be a string"},
    {"{'$anchor':1}", "/$anchor: must be a string"},
    {"{'$ref':''}", "/$ref: only references inside the document (#...) are supported"},
    {"{'$ref':'other.json'}", "/$ref: only references inside the document (#...) are supported"},
    {"{'$ref':'https://example.com/a#/b'}",
     "/$ref: only references inside the document (#...) are supported"},
    {"{'items':{'$ref':'#/$defs/a'}}", "/items/$ref: leads to no schema of this document"},
    {"{'$ref':'#a','$defs':{'a':{}}}", "/$ref: leads to no schema of this document"},
    {"{'$ref':'#/$defs','$defs':{'a':{}}}", "/$ref: leads to no schema of this document"},
    {"{'$ref':'#/default','default':{}}", "/$ref: leads to no schema of this document"},
    {"{'$ref':'#/prefixItems/01','prefixItems':[true,true]}", "/$ref: leads to no schema of this document"},
    {"{'$ref':'#/prefixItems/2','prefixItems':[true,true]}", "/$ref: leads to no schema of this document"},
    {"{'$ref':'#/prefixItems/-','prefixItems':[true,true]}", "/$ref: leads to no schema of this document"},
    {"{'$ref':'#/$defs/a~','$defs':{'a~':{}}}", "/$ref: leads to no schema of this document"},
    {"{'$ref':'#/$defs/a~2','$defs':{'a~2':{}}}", "/$ref: leads to no schema of this document"},
    {"{'$ref':'#/$defs/a/b','$defs':{'a':true}}", "/$ref: leads to no schema of this document"},
    {"{'$ref':'#/%'}", "/$ref: not a valid reference"},
    {"{'$ref':'#/%4'}", "/$ref: not a valid reference"},
    {"{'$ref':'#/%4g'}", "/$ref: not a valid reference"},
    {"{'$ref':'#/%00'}", "/$ref: not a valid reference"},
    {"{'$ref':'#/a\\u0000'}", "/$ref: not a valid reference"},
    /* for ever */
    {"{'$ref':'#'}", ": refers to itself for ever, or through too many schemas"},
    {"{'allOf':[{'$ref':'#'}]}", "/allOf/0: refers to itself for ever, or through too many schemas"},
    {"{'not':{'$ref':'#/not'}}", "/not: refers to itself for ever, or through too many schemas"},
    {"{'anyOf':[{'oneOf':[{'$ref':'#/anyOf/0'}]}]}",
     "/anyOf/0/oneOf/0: refers to itself for ever, or through too many schemas"},
    {"{'if':true,'then':{'$ref':'#/then'}}", "/then: refers to itself for ever, or through too many schemas"},
    {"{'else':{'$ref':'#/else'}}", "/else: refers to itself for ever, or through too many schemas"},
    {"{'if':{'$ref':'#/if'}}", "/if: refers to itself for ever, or through too many schemas"},
    {"{'dependentSchemas':{'a':{'$ref':'#/dependentSchemas/a'}}}",
     "/dependentSchemas/a: refers to itself for ever, or through too many schemas"},
    {"{'$defs':{'a':{'$ref':'#/$defs/b'},'b':{'$ref':'#/$defs/a'}}}",
     "/$defs/b: refers to itself for ever, or through too many schemas"},
};

static void what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char *text = schema_quoted(refused[i].schema);
        char *message = schema_quoted(refused[i].message);
        struct test_memory memory = {0};
        struct text why;
        int result = compile(&memory, text, &why);

        if (result != -EINVAL || strcmp(why.bytes, message) != 0)
            fail_msg("%s\n  gave %d: %s\n  and not %s", text, result, why.bytes, message);
        free(text);
        free(message);
    }
}

/* None of these looks at a value; a circle that goes down into the value has an end. */
static const struct schema_case passed_over[] = {
    {"{'title':'t','description':'d','default':1,'examples':[1],'deprecated':true,'readOnly':true,"
     "'writeOnly':false,'format':'date','$comment':'c','contentEncoding':'base64',"
     "'contentMediaType':'a/b','contentSchema':{'pattern':1},'enumNames':['a']}",
     "1", NULL},
    {"{'$schema':'https://json-schema.org/draft/2020-12/schema','$id':'https://example.com/x'}", "1", NULL},
    {"{'$schema':'https://json-schema.org/draft/2020-12/schema#'}", "1", NULL},
    {"{'x-mcp-header':'Region','x-':1,'x-a':{'pattern':1}}", "1", NULL},
    {"{'$defs':{'unused':false},'definitions':{'unused':false}}", "1", NULL},
    {"{'default':{'pattern':1},'examples':[{'$ref':'x'}]}", "1", NULL},
    {"{'items':{'$ref':'#'},'additionalProperties':{'$ref':'#'},'contains':{'$ref':'#'},'minContains':0}",
     "[[],{'a':[]}]", NULL},
    {"{'$defs':{'a':{'properties':{'b':{'$ref':'#/$defs/a'}}}},'$ref':'#/$defs/a'}", "{'b':{'b':{}}}", NULL},
};

static void what_is_passed_over(void **state)
{
    (void)state;
    RUN_CASES(passed_over);
}

/* {"$defs":{"1":{"$ref":"#/$defs/2"},...}}, so that `count` schemas lead to each other; or the other way
 * round, which takes the compiler as many passes. */
static char *chain(unsigned count, bool backwards)
{
    char *text = malloc(count * (size_t)40 + 40);
    size_t length;

    assert_non_null(text);
    length = (size_t)sprintf(text, "{\"$defs\":{");
    for (unsigned i = 1; i < count; i++) {
        unsigned from = backwards ? count + 1 - i : i;

        length += (size_t)sprintf(text + length, "\"%u\":{\"$ref\":\"#/$defs/%u\"},", from,
                                  backwards ? from - 1 : from + 1);
    }
    (void)sprintf(text + length, "\"%u\":{\"type\":\"string\"}}}", backwards ? 1 : count);
    return text;
}

static void chains_have_an_end(void **state)
{
    (void)state;
    for (int backwards = 0; backwards < 2; backwards++) {
        for (unsigned count = 30; count < 35; count++) {
            char *text = chain(count, backwards != 0);
            struct test_memory memory = {0};
            struct text why;

            assert_int_equal(compile(&memory, text, &why), count <= 32 ? 0 : -EINVAL);
            assert_true((strstr(why.bytes, "through too many") != NULL) == (count > 32));
            free(text);
        }
    }
}

static void references_have_a_length(void **state)
{
    struct test_memory memory = {0};
    struct text why;

    (void)state;
    for (unsigned length = 240; length < 260; length++) {
        bool fits = strlen("#/$defs/") + length < 256;
        char *name = schema_nested("a", length, "", "");
        char text[400];

        (void)snprintf(text, sizeof(text), "{\"$ref\":\"#/$defs/%s\"}", name);
        assert_int_equal(compile(&memory, text, &why), -EINVAL);
        assert_string_equal(why.bytes, fits ? "/$ref: leads to no schema of this document"
                                            : "/$ref: the reference is too long");
        free(name);
    }
}

static void every_allocation_fails(void **state)
{
    size_t fail_at = 0;
    int result;

    (void)state;
    do {
        struct test_memory memory = {.fail_at = ++fail_at};
        struct text why;

        result = compile(&memory, "{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}}}", &why);
        assert_true(result == 0 || result == -ENOMEM);
        assert_int_equal(why.length, 0);
    } while (result != 0);
    assert_int_equal(fail_at, 3); /* the document, the notes */
    schema_free(NULL);
}

static void a_long_place_is_shortened(void **state)
{
    char *text = schema_nested("{'properties':{'name-of-a-member-that-is-long-enough-to-be-cut':", 20,
                               "{'pattern':1}", "}}");
    struct test_memory memory = {0};
    struct text why;

    (void)state;
    assert_int_equal(compile(&memory, text, &why), -EINVAL);
    free(text);
    assert_string_equal(why.bytes,
                        "/properties/name-of-a-member-that-is-long-en.../properties/"
                        "name-of-a-member-that-is-long-en.../properties/.../pattern: this keyword is not "
                        "supported");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused),        cmocka_unit_test(what_is_passed_over),
        cmocka_unit_test(chains_have_an_end),     cmocka_unit_test(references_have_a_length),
        cmocka_unit_test(every_allocation_fails), cmocka_unit_test(a_long_place_is_shortened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
