/* SPDX-License-Identifier: MIT
 *
 * The keywords of JSON Schema that look at one value: what each accepts, what it refuses, and in which words.
 */
#include "schema_support.h"

static const struct schema_case types[] = {
    {"true", "1", NULL},
    {NULL, "{'a':[]}", NULL},
    {"{}", "null", NULL},
    {"false", "1", "arguments is not allowed"},
    {"{'type':'null'}", "null", NULL},
    {NULL, "false", "arguments must be of type null"},
    {NULL, "0", "arguments must be of type null"},
    {NULL, "''", "arguments must be of type null"},
    {"{'type':'boolean'}", "true", NULL},
    {NULL, "false", NULL},
    {NULL, "null", "arguments must be of type boolean"},
    {NULL, "'true'", "arguments must be of type boolean"},
    {"{'type':'integer'}", "0", NULL},
    {NULL, "-7", NULL},
    {NULL, "1.0", NULL},
    {NULL, "1e2", NULL},
    {NULL, "120e-1", NULL},
    {NULL, "0.0", NULL},
    {NULL, "-0", NULL},
    {NULL, "123456789012345678901234567890", NULL},
    {NULL, "1e400", NULL},
    {NULL, "1.5", "arguments must be of type integer"},
    {NULL, "1e-1", "arguments must be of type integer"},
    {NULL, "123456789012345678901234567890.5", "arguments must be of type integer"},
    {NULL, "'1'", "arguments must be of type integer"},
    {NULL, "true", "arguments must be of type integer"},
    {"{'type':'number'}", "1", NULL},
    {NULL, "1.5", NULL},
    {NULL, "-1e400", NULL},
    {NULL, "'1'", "arguments must be of type number"},
    {NULL, "null", "arguments must be of type number"},
    {"{'type':'string'}", "''", NULL},
    {NULL, "'\\u0000'", NULL},
    {NULL, "1", "arguments must be of type string"},
    {NULL, "['a']", "arguments must be of type string"},
    {"{'type':'array'}", "[]", NULL},
    {NULL, "{}", "arguments must be of type array"},
    {"{'type':'object'}", "{}", NULL},
    {NULL, "[]", "arguments must be of type object"},
    {NULL, "null", "arguments must be of type object"},
    {"{'type':['string','null']}", "null", NULL},
    {NULL, "'a'", NULL},
    {NULL, "1", "arguments must be of type string or null"},
    {"{'type':['integer','boolean','object']}", "1", NULL},
    {NULL, "1.5", "arguments must be of type boolean or integer or object"},
    {"{'type':['integer','number']}", "1.5", NULL},
    {NULL, "'a'", "arguments must be of type number"},
    {"{'typ\\u0065':'string'}", "1", "arguments must be of type string"},
    {"{'type':'st\\u0072ing'}", "1", "arguments must be of type string"},
};

static void type_names(void **state)
{
    (void)state;
    RUN_CASES(types);
}

static const struct schema_case choices[] = {
    {"{'enum':['a','b','c']}", "'a'", NULL},
    {NULL, "'c'", NULL},
    {NULL, "'\\u0062'", NULL},
    {NULL, "'d'", "arguments must be 'a', 'b' or 'c'"},
    {NULL, "''", "arguments must be 'a', 'b' or 'c'"},
    {NULL, "'aa'", "arguments must be 'a', 'b' or 'c'"},
    {NULL, "1", "arguments must be 'a', 'b' or 'c'"},
    {"{'enum':[1]}", "1", NULL},
    {NULL, "1.0", NULL},
    {NULL, "10e-1", NULL},
    {NULL, "'1'", "arguments must be 1"},
    {NULL, "1.0000000000000000000000000000001", "arguments must be 1"},
    {NULL, "true", "arguments must be 1"},
    {"{'enum':[null,false,0,'',[],{}]}", "null", NULL},
    {NULL, "false", NULL},
    {NULL, "-0.0e5", NULL},
    {NULL, "''", NULL},
    {NULL, "[]", NULL},
    {NULL, "{}", NULL},
    {NULL, "true", "arguments must be null, false, 0, '', [] or {}"},
    {NULL, "[0]", "arguments must be null, false, 0, '', [] or {}"},
    {NULL, "{'a':0}", "arguments must be null, false, 0, '', [] or {}"},
    {"{'const':{'a':[1,{'b':null}],'c':true}}", "{'c':true,'a':[1.0,{'b':null}]}", NULL},
    {NULL, "{'c':true,'a':[1.0,{'b':null},2]}", "arguments must be {'a':[1,{'b':null}],'c':true}"},
    {NULL, "{'c':true,'a':[1.0,{'x':null}]}", "arguments must be {'a':[1,{'b':null}],'c':true}"},
    {NULL, "{'c':false,'a':[1,{'b':null}]}", "arguments must be {'a':[1,{'b':null}],'c':true}"},
    {NULL, "{'a':[1,{'b':null}]}", "arguments must be {'a':[1,{'b':null}],'c':true}"},
    {NULL, "{'a':[1,{'b':null}],'a':[1,{'b':null}]}", "arguments must be {'a':[1,{'b':null}],'c':true}"},
    {"{'const':[1,2]}", "[2,1]", "arguments must be [1,2]"},
    {NULL, "[1,2]", NULL},
    {"{'const':false}", "false", NULL},
    {NULL, "true", "arguments must be false"},
    {NULL, "0", "arguments must be false"},
    {"{'const':''}", "''", NULL},
    {NULL, "'a'", "arguments must be ''"},
    {"{'const':'a\\u0000b'}", "'a\\u0000b'", NULL},
    {NULL, "'a'", "arguments must be 'a?b'"},
    {"{'const':'\\u00e9'}", "'\xc3\xa9'", NULL},
    {NULL, "'e'", "arguments must be '\xc3\xa9'"},
    {"{'const':'/'}", "'\\/'", NULL},
    {"{'const':123456789012345678901234567890}", "123456789012345678901234567890.0", NULL},
    {NULL, "123456789012345678901234567891", "arguments must be 123456789012345678901234567890"},
    {"{'const':1e999999}", "10e999998", NULL},
    {"{'const':[[[['long enough to be cut where it ends']]]]}", "0",
     "arguments must be [[[['long enough to be cut where..."},
    {"{'properties':{'level':{'enum':['error','warning','info','debug']}}}", "{'level':'loud'}",
     "argument 'level' must be 'error', 'warning', 'info' or 'debug'"},
};

static void enum_and_const(void **state)
{
    (void)state;
    RUN_CASES(choices);
}

static const struct schema_case numbers[] = {
    {"{'minimum':1.5}", "1.5", NULL},
    {NULL, "2", NULL},
    {NULL, "1.4999999999999999999999999", "arguments must be at least 1.5"},
    {NULL, "-2", "arguments must be at least 1.5"},
    {NULL, "0", "arguments must be at least 1.5"},
    {NULL, "'a'", NULL},
    {"{'minimum':-3}", "-3", NULL},
    {NULL, "-3.0", NULL},
    {NULL, "-3.01", "arguments must be at least -3"},
    {NULL, "-1e9", "arguments must be at least -3"},
    {NULL, "0", NULL},
    {"{'minimum':0}", "-0", NULL},
    {NULL, "0.000", NULL},
    {NULL, "-1e-400", "arguments must be at least 0"},
    {"{'maximum':512}", "512", NULL},
    {NULL, "512.0", NULL},
    {NULL, "5.12e2", NULL},
    {NULL, "513", "arguments must be at most 512"},
    {NULL, "512.00000000000000000000000000001", "arguments must be at most 512"},
    {NULL, "1e400", "arguments must be at most 512"},
    {NULL, "-1e400", NULL},
    {"{'maximum':-2}", "-2", NULL},
    {NULL, "-1.9", "arguments must be at most -2"},
    {NULL, "-20", NULL},
    {"{'maximum':9223372036854775807}", "9223372036854775807", NULL},
    {NULL, "9223372036854775808", "arguments must be at most 9223372036854775807"},
    {NULL, "9223372036854775806.9", NULL},
    {"{'maximum':123456789012345678901}", "123456789012345678901", NULL},
    {NULL, "123456789012345678902", "arguments must be at most 123456789012345678901"},
    {NULL, "123456789012345678900", NULL},
    {NULL, "1234567890123456789010", "arguments must be at most 123456789012345678901"},
    {"{'minimum':0.1}", "0.1", NULL},
    {NULL, "0.09", "arguments must be at least 0.1"},
    {NULL, "1e-1", NULL},
    {NULL, "100e-3", NULL},
    {"{'exclusiveMinimum':0}", "1e-400", NULL},
    {NULL, "0", "arguments must be more than 0"},
    {NULL, "-1", "arguments must be more than 0"},
    {NULL, "null", NULL},
    {"{'exclusiveMaximum':1}", "0.999999999999999999999999999", NULL},
    {NULL, "1", "arguments must be less than 1"},
    {NULL, "1.0", "arguments must be less than 1"},
    {NULL, "2", "arguments must be less than 1"},
    {"{'minimum':0,'exclusiveMaximum':1}", "0", NULL},
    {NULL, "-1", "arguments must be at least 0"},
    {NULL, "1", "arguments must be less than 1"},
    {"{'multipleOf':3}", "9", NULL},
    {NULL, "0", NULL},
    {NULL, "-9", NULL},
    {NULL, "9.0", NULL},
    {NULL, "3e50", NULL},
    {NULL, "10", "arguments must be a multiple of 3"},
    {NULL, "9.3", "arguments must be a multiple of 3"},
    {NULL, "1e50", "arguments must be a multiple of 3"},
    {NULL, "111111111111111111111111111111", NULL},
    {NULL, "111111111111111111111111111112", "arguments must be a multiple of 3"},
    {NULL, "'10'", NULL},
    {"{'multipleOf':0.01}", "0.35", NULL},
    {NULL, "19.99", NULL},
    {NULL, "4", NULL},
    {NULL, "19.999", "arguments must be a multiple of 0.01"},
    {"{'multipleOf':0.1}", "0.3", NULL}, /* in doubles it is none */
    {"{'multipleOf':1024}", "1e10", NULL},
    {NULL, "1e9", "arguments must be a multiple of 1024"},
    {NULL, "1e300", NULL},
    {"{'multipleOf':1e2}", "300", NULL},
    {NULL, "30", "arguments must be a multiple of 1e2"},
    {"{'multipleOf':9999999999999999999}", "99999999999999999990", NULL},
    {NULL, "99999999999999999991", "arguments must be a multiple of 9999999999999999999"},
    {NULL, "9999999999999999999e12", NULL},
    {"{'multipleOf':1}", "7", NULL},
    {NULL, "7.5", "arguments must be a multiple of 1"},
    {"{'multipleOf':0.000000000000000000000000000007}", "0.000000000000000000000000000014", NULL},
    {NULL, "1", "arguments must be a multiple of 0.000000000000000000000000000007"},
};

static void limits_of_numbers(void **state)
{
    (void)state;
    RUN_CASES(numbers);
}

static const struct schema_case strings[] = {
    {"{'minLength':2}", "'ab'", NULL},
    {NULL, "'a'", "arguments must have at least 2 characters"},
    {NULL, "'\xc3\xa9\xe2\x82\xac'", NULL},
    {NULL, "'\\u00e9'", "arguments must have at least 2 characters"},
    {NULL, "'\xf0\x9f\x98\x80'", "arguments must have at least 2 characters"},
    {NULL, "'\\ud83d\\ude00'", "arguments must have at least 2 characters"},
    {NULL, "'\\ud83d\\ude00\\n'", NULL},
    {NULL, "1", NULL},
    {NULL, "['a']", NULL},
    {"{'minLength':1}", "''", "arguments must have at least 1 character"},
    {"{'maxLength':3}", "'abc'", NULL},
    {NULL, "'\xf0\x9f\x98\x80\xf0\x9f\x98\x80\\ud83d\\ude00'", NULL},
    {NULL, "'\\n\\t\\\\'", NULL},
    {NULL, "'abcd'", "arguments must have at most 3 characters"},
    {NULL, "'\\u00e9\\u00e9\\u00e9\\u00e9'", "arguments must have at most 3 characters"},
    {"{'maxLength':0}", "''", NULL},
    {NULL, "'a'", "arguments must have at most 0 characters"},
    {"{'maxLength':2.0}", "'ab'", NULL},
    {NULL, "'abc'", "arguments must have at most 2.0 characters"},
    {"{'maxLength':1e15}", "'ab'", NULL},
    {"{'format':'email','contentEncoding':'base64'}", "'no @ at all'", NULL},
};

static void lengths_of_strings(void **state)
{
    (void)state;
    RUN_CASES(strings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_names),
        cmocka_unit_test(enum_and_const),
        cmocka_unit_test(limits_of_numbers),
        cmocka_unit_test(lengths_of_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
