/* SPDX-License-Identifier: MIT
 *
 * The keywords of JSON Schema for arrays and objects, and those that put schemas together.
 */
#include "schema_support.h"

static const struct schema_case arrays[] = {
    {"{'items':{'type':'string'}}", "[]", NULL},
    {NULL, "['a','b']", NULL},
    {NULL, "['a',1]", "argument '1' must be of type string"},
    {NULL, "{'a':1}", NULL},
    {"{'items':false}", "[]", NULL},
    {NULL, "[1]", "argument '0' is not allowed"},
    {"{'items':true}", "[1]", NULL},
    {"{'prefixItems':[{'type':'string'},{'type':'integer'}]}", "['a',1,null]", NULL},
    {NULL, "['a']", NULL},
    {NULL, "[]", NULL},
    {NULL, "'a'", NULL},
    {NULL, "['a','b']", "argument '1' must be of type integer"},
    {"{'prefixItems':[{'type':'string'}],'items':{'type':'integer'}}", "['a',1,2]", NULL},
    {NULL, "['a',1,'b']", "argument '2' must be of type integer"},
    {NULL, "[1]", "argument '0' must be of type string"},
    {"{'items':false,'prefixItems':[true,true]}", "[1,2]", NULL},
    {NULL, "[1,2,3]", "argument '2' is not allowed"},
    {"{'items':{'items':{'type':'integer'}}}", "[[1],[2,3]]", NULL},
    {NULL, "[[1],[2,3,[]]]", "argument '1/2' must be of type integer"},
    {"{'minItems':1}", "[]", "arguments must have at least 1 item"},
    {NULL, "[1]", NULL},
    {NULL, "'a'", NULL},
    {"{'minItems':3}", "[1,2]", "arguments must have at least 3 items"},
    {"{'maxItems':2}", "[1,2]", NULL},
    {NULL, "[1,2,3]", "arguments must have at most 2 items"},
    {NULL, "{'a':1,'b':2,'c':3}", NULL},
    {"{'contains':{'type':'integer'}}", "['a',1]", NULL},
    {NULL, "['a']", "arguments must have at least 1 item as 'contains' describes them"},
    {NULL, "[]", "arguments must have at least 1 item as 'contains' describes them"},
    {NULL, "1", NULL},
    {"{'contains':{'type':'integer'},'minContains':2}", "[1,'a',2]", NULL},
    {NULL, "[1,'a']", "arguments must have at least 2 items as 'contains' describes them"},
    {"{'minContains':0,'contains':{'type':'integer'}}", "[]", NULL},
    {NULL, "['a']", NULL},
    {"{'contains':{'type':'integer'},'maxContains':1}", "[1,'a']", NULL},
    {NULL, "[1,2]", "arguments must have at most 1 item as 'contains' describes them"},
    {NULL, "['a']", "arguments must have at least 1 item as 'contains' describes them"},
    {"{'maxContains':1,'minContains':5}", "[1,2,3]", NULL},
};

static void items_of_arrays(void **state)
{
    (void)state;
    RUN_CASES(arrays);
}

static const struct schema_case unique[] = {
    {"{'uniqueItems':true}", "[]", NULL},
    {NULL, "[1]", NULL},
    {NULL, "[1,2,3]", NULL},
    {NULL, "{'a':1,'b':1}", NULL},
    {NULL, "[1,2,1]", "argument '2' repeats an earlier item"},
    {NULL, "[1,1.0]", "argument '1' repeats an earlier item"},
    {NULL, "[100,1e2]", "argument '1' repeats an earlier item"},
    {NULL, "[0,-0.0]", "argument '1' repeats an earlier item"},
    {NULL, "[1,true,'1',[1],{'1':1}]", NULL},
    {NULL, "[0,false,null,'',[],{}]", NULL},
    {NULL, "[true,false,true]", "argument '2' repeats an earlier item"},
    {NULL, "[null,null]", "argument '1' repeats an earlier item"},
    {NULL, "['a','\\u0061']", "argument '1' repeats an earlier item"},
    {NULL, "['a','A','b']", NULL},
    {NULL, "[[1,2],[2,1]]", NULL},
    {NULL, "[[1,2],[1,2]]", "argument '1' repeats an earlier item"},
    {NULL, "[[1,[2]],[[1],2]]", NULL},
    {NULL, "[{'a':1,'b':2},{'b':2,'a':1}]", "argument '1' repeats an earlier item"},
    {NULL, "[{'a':1,'b':2},{'b':1,'a':2}]", NULL},
    {NULL, "[{'a':{'b':[1]}},{'a':{'b':[2]}},{'a':{'b':[1]}}]", "argument '2' repeats an earlier item"},
    {NULL,
     "['0123456789012345678901234567890123456789012345678901234567890123a',"
     "'0123456789012345678901234567890123456789012345678901234567890123b']",
     NULL},
    {NULL, "[12345678901234567890123,12345678901234567890124]", NULL},
    {NULL, "[12345678901234567890123,12345678901234567890123.0]", "argument '1' repeats an earlier item"},
    {"{'uniqueItems':false}", "[1,1]", NULL},
    {"{'items':{'uniqueItems':true}}", "[[1,2],[1,2]]", NULL},
    {NULL, "[[1,2],[1,1]]", "argument '1/1' repeats an earlier item"},
};

static void unique_items(void **state)
{
    (void)state;
    RUN_CASES(unique);
}

static const struct schema_case objects[] = {
    {"{'properties':{'a':{'type':'integer'},'b':{'type':'string'}}}", "{}", NULL},
    {NULL, "{'a':1,'b':'x','c':null}", NULL},
    {NULL, "{'a':'x'}", "argument 'a' must be of type integer"},
    {NULL, "{'\\u0062':1}", "argument 'b' must be of type string"},
    {NULL, "{'a':1,'a':'x'}", "argument 'a' must be of type integer"},
    {NULL, "[1]", NULL},
    {"{'properties':{'\\u00e9':{'type':'integer'},'':{'type':'integer'}}}", "{'\xc3\xa9':'x'}",
     "argument '\xc3\xa9' must be of type integer"},
    {NULL, "{'':'x'}", "argument '' must be of type integer"},
    {"{'properties':{'a/b':{'type':'integer'},'~':{'type':'integer'}}}", "{'a/b':'x'}",
     "argument 'a~1b' must be of type integer"},
    {NULL, "{'~':'x'}", "argument '~0' must be of type integer"},
    {"{'properties':{'a':false,'b':true}}", "{'b':1}", NULL},
    {NULL, "{'a':1}", "argument 'a' is not allowed"},
    {"{'required':['a','b']}", "{'b':1,'a':null}", NULL},
    {NULL, "{'a':1}", "argument 'b' is missing"},
    {NULL, "{}", "argument 'a' is missing"},
    {NULL, "{'A':1,'b':1}", "argument 'a' is missing"},
    {NULL, "[]", NULL},
    {"{'required':[]}", "{}", NULL},
    {"{'required':['a\\u0000','x/y']}", "{'a':1}", "argument 'a?' is missing"},
    {NULL, "{'a\\u0000':1}", "argument 'x~1y' is missing"},
    {"{'additionalProperties':false}", "{}", NULL},
    {NULL, "{'a':1}", "argument 'a' is unknown"},
    {NULL, "['a']", NULL},
    {"{'properties':{'a':{}},'additionalProperties':false}", "{'a':1}", NULL},
    {NULL, "{'a':1,'b':2}", "argument 'b' is unknown"},
    {NULL, "{'a\\u0000':1}", "argument 'a?' is unknown"},
    {"{'additionalProperties':{'type':'integer'},'properties':{'a':{'type':'string'}}}", "{'a':'x','b':1}",
     NULL},
    {NULL, "{'a':'x','b':'y'}", "argument 'b' must be of type integer"},
    {NULL, "{'a':1}", "argument 'a' must be of type string"},
    {"{'additionalProperties':true}", "{'a':1}", NULL},
    {"{'minProperties':1}", "{'a':1}", NULL},
    {NULL, "{}", "arguments must have at least 1 member"},
    {"{'minProperties':2}", "{'a':1}", "arguments must have at least 2 members"},
    {"{'maxProperties':1}", "{'a':1}", NULL},
    {NULL, "{'a':1,'b':1}", "arguments must have at most 1 member"},
    {NULL, "[1,2]", NULL},
    {"{'propertyNames':{'maxLength':3}}", "{'abc':1}", NULL},
    {NULL, "{'abc':1,'abcd':2}", "the name of argument 'abcd' must have at most 3 characters"},
    {"{'propertyNames':{'enum':['a','b']}}", "{'c':1}", "the name of argument 'c' must be 'a' or 'b'"},
    {"{'propertyNames':{'type':'string'}}", "{'a':1}", NULL},
    {"{'propertyNames':false}", "{}", NULL},
    {NULL, "{'a':1}", "the name of argument 'a' is not allowed"},
    {"{'dependentRequired':{'a':['b','c']}}", "{}", NULL},
    {NULL, "{'b':1}", NULL},
    {NULL, "{'a':1,'b':1,'c':1}", NULL},
    {NULL, "{'a':1,'b':1}", "argument 'c' is missing"},
    {NULL, "['a']", NULL},
    {"{'dependentSchemas':{'a':{'required':['b']},'c':false}}", "{'b':1}", NULL},
    {NULL, "{'a':1}", "argument 'b' is missing"},
    {NULL, "{'c':1}", "arguments is not allowed"},
    {"{'properties':{'list':{'items':{'required':['name'],'properties':{'name':{'type':'string'}}}}}}",
     "{'list':[{'name':'a'},{'name':'b'}]}", NULL},
    {NULL, "{'list':[{'name':'a'},{'name':5}]}", "argument 'list/1/name' must be of type string"},
    {NULL, "{'list':[{'name':'a'},{}]}", "argument 'list/1/name' is missing"},
};

static void members_of_objects(void **state)
{
    (void)state;
    RUN_CASES(objects);
}

static const struct schema_case logic[] = {
    {"{'allOf':[{'minimum':1},{'maximum':3}]}", "2", NULL},
    {NULL, "0", "arguments must be at least 1"},
    {NULL, "4", "arguments must be at most 3"},
    {"{'anyOf':[{'type':'string'},{'minimum':5}]}", "'a'", NULL},
    {NULL, "5", NULL},
    {NULL, "4", "arguments must be at least 5"},
    {NULL, "null", NULL},
    {"{'anyOf':[{'type':'string'},{'type':'integer'},{'type':'null'}]}", "1", NULL},
    {NULL, "1.5", "arguments must be of type integer or string or null"},
    {"{'anyOf':[{'type':'integer'},{'const':'auto'},{'enum':['a',null]}]}", "'b'",
     "arguments must be of type integer or 'auto', 'a' or null"},
    {"{'anyOf':[{'type':'integer','minimum':1},{'const':'auto'}]}", "0", "arguments must be at least 1"},
    {NULL, "'x'", "arguments must be of type integer or 'auto'"},
    {"{'anyOf':[{'const':1},{'const':2},{'const':3},{'const':4},{'const':5},{'const':6},{'const':7}]}", "8",
     "arguments must be 1, 2, 3, 4, 5 or 6"},
    {"{'oneOf':[{'const':'a','title':'A'},{'const':'b','title':'B'}]}", "'a'", NULL},
    {NULL, "'c'", "arguments must be 'a' or 'b'"},
    {"{'oneOf':[{'minimum':1},{'maximum':3},{'type':'string'}]}", "0", NULL},
    {NULL, "5", NULL},
    {NULL, "2", "arguments must match only one of the schemas in 'oneOf'"},
    {NULL, "'a'", "arguments must match only one of the schemas in 'oneOf'"},
    {"{'oneOf':[false,{'type':'string'},{'type':'null'}]}", "'a'", NULL},
    {NULL, "1", "arguments must be of type string or null"},
    {"{'oneOf':[false,false]}", "1", "arguments is not allowed"},
    {"{'oneOf':[{'type':'string'},{'type':'null'},false]}", "'a'", NULL},
    {"{'not':{'type':'string'}}", "1", NULL},
    {NULL, "'a'", "arguments must not match the schema in 'not'"},
    {"{'not':{'not':{'type':'string'}}}", "'a'", NULL},
    {NULL, "1", "arguments must not match the schema in 'not'"},
    {"{'not':true}", "1", "arguments must not match the schema in 'not'"},
    {"{'not':false}", "1", NULL},
    {"{'if':{'type':'string'},'then':{'minLength':2},'else':{'minimum':5}}", "'ab'", NULL},
    {NULL, "'a'", "arguments must have at least 2 characters"},
    {NULL, "5", NULL},
    {NULL, "4", "arguments must be at least 5"},
    {"{'if':{'type':'string'},'then':{'minLength':2}}", "4", NULL},
    {NULL, "'a'", "arguments must have at least 2 characters"},
    {"{'else':{'minimum':5},'if':{'type':'string'}}", "'a'", NULL},
    {NULL, "4", "arguments must be at least 5"},
    {"{'if':false}", "1", NULL},
    {"{'then':false,'else':false}", "1", NULL},
};

static void schemas_together(void **state)
{
    (void)state;
    RUN_CASES(logic);
}

/* Of several alternatives that fail, the message is about the one that was meant. */
static const struct schema_case alternatives[] = {
    {"{'anyOf':["
     "{'properties':{'kind':{'const':'circle'},'radius':{'type':'number'}},'required':['kind','radius']},"
     "{'properties':{'kind':{'const':'square'},'side':{'type':'number'}},'required':['kind','side'],"
     "'additionalProperties':false}]}",
     "{'kind':'circle','radius':1}", NULL},
    {NULL, "{'kind':'circle','radius':'1'}", "argument 'radius' must be of type number"},
    {NULL, "{'kind':'square','side':'1'}", "argument 'side' must be of type number"},
    {NULL, "{'kind':'circle'}", "argument 'radius' is missing"},
    {NULL, "{'kind':'square'}", "argument 'side' is missing"},
    {NULL, "{'kind':'square','side':1,'x':1}", "argument 'x' is unknown"},
    {NULL, "{'kind':'line'}", "argument 'kind' must be 'circle' or 'square'"},
    {NULL, "{}", "argument 'kind' is missing"},
    {"{'properties':{'to':{'anyOf':[{'type':'string'},{'type':'object','properties':{'id':{'minimum':1}}}]}}"
     "}",
     "{'to':{'id':0}}", "argument 'to/id' must be at least 1"},
    {NULL, "{'to':5}", "argument 'to' must be of type string or object"},
    {"{'anyOf':[{'anyOf':[{'type':'string'},{'type':'null'}]},{'type':'boolean'}]}", "1",
     "arguments must be of type boolean or string or null"},
    {"{'allOf':[{'anyOf':[{'properties':{'a':{'type':'string'}}},{}]},{'required':['b']}]}", "{'a':1}",
     "argument 'b' is missing"},
    {"{'oneOf':[{'items':{'type':'string'}},{'minItems':3}]}", "[1,2]",
     "argument '0' must be of type string"},
};

static void the_alternative_that_was_meant(void **state)
{
    (void)state;
    RUN_CASES(alternatives);
}

static const struct schema_case references[] = {
    {"{'$ref':'#/$defs/a','$defs':{'a':{'type':'string'}}}", "'a'", NULL},
    {NULL, "1", "arguments must be of type string"},
    {"{'$ref':'#/$defs/a','minLength':2,'$defs':{'a':{'type':'string'}}}", "'a'",
     "arguments must have at least 2 characters"},
    {NULL, "'ab'", NULL},
    {NULL, "12", "arguments must be of type string"},
    {"{'definitions':{'a':{'$ref':'#/definitions/b'},'b':{'type':'string'}},'items':{'$ref':'#/definitions/"
     "a'}}",
     "['a']", NULL},
    {NULL, "[1]", "argument '0' must be of type string"},
    {"{'properties':{'child':{'$ref':'#'},'n':{'type':'integer'}},'additionalProperties':false}",
     "{'child':{'child':{'n':1}}}", NULL},
    {NULL, "{'child':{'child':{'m':1}}}", "argument 'child/child/m' is unknown"},
    {"{'$ref':'#/$defs/x~1y~0z','$defs':{'x/y~z':{'type':'string'}}}", "1",
     "arguments must be of type string"},
    {"{'$ref':'#/$defs/a%20b%25','$defs':{'a b%':{'type':'string'}}}", "1",
     "arguments must be of type string"},
    {"{'$ref':'#/$defs/%C3%a9','$defs':{'\xc3\xa9':{'type':'string'}}}", "1",
     "arguments must be of type string"},
    {"{'$ref':'#/$defs/','$defs':{'':{'type':'string'}}}", "1", "arguments must be of type string"},
    {"{'$ref':'#/prefixItems/1','prefixItems':[true,{'type':'array'}]}", "[1,[]]", NULL},
    {NULL, "[1,2]", "argument '1' must be of type array"},
    {NULL, "1", "arguments must be of type array"},
    {"{'$ref':'#/properties/a/anyOf/0','properties':{'a':{'anyOf':[{'type':'object'}]}}}", "1",
     "arguments must be of type object"},
    {"{'$ref':'#name','$defs':{'a':{'$anchor':'name','type':'string'}}}", "1",
     "arguments must be of type string"},
    {"{'$anchor':'top','properties':{'a':{'$ref':'#top'}},'maxProperties':1}", "{'a':{'a':1,'b':2}}",
     "argument 'a' must have at most 1 member"},
    {"{'$ref':'#/$defs/no','$defs':{'no':false}}", "1", "arguments is not allowed"},
    {"{'properties':{'$ref':{'type':'string'}}}", "{'$ref':1}", "argument '$ref' must be of type string"},
    {"{'const':{'$ref':'nowhere'}}", "{'$ref':'nowhere'}", NULL},
    {"{'enum':['$ref',{'$id':'x','pattern':1}]}", "{'$id':'x','pattern':1}", NULL},
};

static void references_inside(void **state)
{
    (void)state;
    RUN_CASES(references);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_of_arrays),
        cmocka_unit_test(unique_items),
        cmocka_unit_test(members_of_objects),
        cmocka_unit_test(schemas_together),
        cmocka_unit_test(the_alternative_that_was_meant),
        cmocka_unit_test(references_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
