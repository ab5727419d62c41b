/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <service/policy.h>

static struct policy policy;
static char message[160];

/* The text lies in a block of its own without a NUL, so that reading beyond it is noticed. */
static int parse_bytes(const char *text, size_t length)
{
    char *exact = malloc(length > 0 ? length : 1);
    assert_non_null(exact);
    memcpy(exact, text, length);
    message[0] = '\0';
    int result = policy_parse(&policy, exact, length, message, sizeof message);
    free(exact);
    return result;
}

static int parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static bool gives(const char *kind, uint64_t cid, uint32_t port, const char *tool)
{
    const struct policy_rule *rule = policy_find(&policy, kind, cid, port);
    return rule != NULL && (rule->tools & policy_needs(tool)) != 0;
}

static void the_default_is_for_the_host_alone(void **state)
{
    (void)state;
    static const char *const tools[] = {"infer", "health", "metadata", "load_model", "logs", "later"};
    assert_int_equal(parse(POLICY_DEFAULT), 0);
    for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
        assert_true(gives("vsock", 2, 1, tools[i]));
        assert_true(gives("vsock", 2, UINT32_MAX - 1, tools[i]));
        assert_true(gives("console", 0, 0, tools[i]));
        assert_false(gives("vsock", 3, 1, tools[i]));
        assert_false(gives("vsock", 0, 0, tools[i]));
        assert_false(gives("vsock", UINT64_C(0x100000002), 1, tools[i]));
        assert_false(gives("serial", 2, 1, tools[i]));
    }
}

static void the_first_rule_that_fits_decides(void **state)
{
    (void)state;
    assert_int_equal(parse("# who keeps the machine\n"
                           "vsock:2:1-1023 = all\n"
                           "vsock : host = infer + health, rate = 20, calls=4\r\n"
                           "\n"
                           "vsock:7:99=logs;vsock:7=none # a tenant\n"
                           "vsock=health,connections=8,message=64K\n"),
                     0);
    assert_int_equal(policy.count, 5);
    assert_true(gives("vsock", 2, 1, "load_model"));
    assert_true(gives("vsock", 2, 1023, "load_model"));
    assert_false(gives("vsock", 2, 0, "load_model"));
    assert_false(gives("vsock", 2, 1024, "load_model"));
    assert_true(gives("vsock", 2, 1024, "infer"));
    assert_false(gives("vsock", 2, 1024, "later"));
    assert_int_equal(policy_find(&policy, "vsock", 2, 1024)->requests_per_second, 20);
    assert_int_equal(policy_find(&policy, "vsock", 2, 1024)->calls_max, 4);
    assert_int_equal(policy_find(&policy, "vsock", 2, 1)->requests_per_second, 0);
    assert_true(gives("vsock", 7, 99, "logs"));
    assert_null(policy_find(&policy, "vsock", 7, 98));
    assert_true(gives("vsock", 8, 5, "health"));
    assert_int_equal(policy_find(&policy, "vsock", 8, 5)->connections_max, 8);
    assert_int_equal(policy_find(&policy, "vsock", 8, 5)->message_max, 65536);
    assert_null(policy_find(&policy, "console", 0, 0));
}

static void any_is_everybody(void **state)
{
    (void)state;
    assert_int_equal(parse("any=metadata"), 0);
    assert_true(gives("vsock", 9, 9, "metadata"));
    assert_true(gives("console", 0, 0, "metadata"));
    assert_false(gives("console", 0, 0, "infer"));
}

static void a_mistake_is_named_and_refuses_everybody(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "no rule"},
        {"# nothing\n ; \n", "no rule"},
        {"tcp=all", "line 1, rule 1: not vsock, console or any: 'tcp'"},
        {"any=all\n:2=all", "line 2, rule 2: not vsock, console or any: ':2=all'"},
        {"any", "'=' expected before ''"},
        {"console:1=all", "'=' expected before ':1=all'"},
        {"vsock:=all", "not a CID: ''"},
        {"vsock:two=all", "not a CID: 'two'"},
        {"vsock:2x=all", "not a CID: '2x'"},
        {"vsock:18446744073709551616=all", "not a CID: '18446744073709551616'"},
        {"vsock:2:=all", "not a port: ''"},
        {"vsock:2:4294967295=all", "not a port: '4294967295'"},
        {"vsock:2:1-=all", "not a port: ''"},
        {"vsock:2:5-4=all", "the last port is below the first"},
        {"any=", "not a tool, all or none: ''"},
        {"any=shell", "not a tool, all or none: 'shell'"},
        {"any=infer+", "not a tool: ''"},
        {"any=infer+none", "not a tool: 'none'"},
        {"any=none+infer", "not understood: '+infer'"},
        {"any=all+infer", "not understood: '+infer'"},
        {"any=infer health", "not understood: 'health'"},
        {"any=all any=none", "not understood: 'any=none'"},
        {"any=all,", "not connections, calls, rate or message: ''"},
        {"any=all,speed=1", "not connections, calls, rate or message: 'speed'"},
        {"any=all,rate", "'=' is missing after 'rate'"},
        {"any=all,rate=", "out of range: ''"},
        {"any=all,rate=0", "out of range: '0'"},
        {"any=all,rate=5,rate=6", "given twice: 'rate'"},
        {"any=all,message=5,calls=1,message=6", "given twice: 'message'"},
        {"any=all,rate=1K", "out of range: '1K'"},
        {"any=all,rate=4294967296", "out of range: '4294967296'"},
        {"any=all,connections=65", "out of range: '65'"},
        {"any=all,message=2M", "out of range: '2M'"},
        {"any=all,message=K", "out of range: 'K'"},
        {"any=all,message=99999999999999999999K", "out of range: '99999999999999999999K'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(cases[i].text), -EINVAL);
        if (strstr(message, cases[i].message) == NULL)
            fail_msg("'%s' gives '%s'", cases[i].text, message);
        assert_null(policy_find(&policy, "vsock", 2, 1));
        assert_null(policy_find(&policy, "console", 0, 0));
    }
}

static void there_is_room_for_32_rules(void **state)
{
    (void)state;
    static const char rule[] = "any=all\n";
    char text[33 * (sizeof rule - 1)];
    for (size_t at = 0; at < sizeof text; at++)
        text[at] = rule[at % (sizeof rule - 1)];
    assert_int_equal(parse_bytes(text, sizeof text - (sizeof rule - 1)), 0);
    assert_int_equal(policy.count, POLICY_RULES_MAX);
    assert_int_equal(parse_bytes(text, sizeof text), -EINVAL);
    assert_non_null(strstr(message, "line 33, rule 33: more than 32 rules"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_for_the_host_alone),
        cmocka_unit_test(the_first_rule_that_fits_decides),
        cmocka_unit_test(any_is_everybody),
        cmocka_unit_test(a_mistake_is_named_and_refuses_everybody),
        cmocka_unit_test(there_is_room_for_32_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
