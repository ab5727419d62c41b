/* SPDX-License-Identifier: MIT
 *
 * Calls that ask their client by InputRequiredResult, in the stateless era; what becomes of their state
 * meanwhile.
 */
#include "ask_support.h"

#include <stdio.h>
#include <string.h>

#include <sha256.h>

static const char *ask_statelessly(const char *method, const char *target, const char *capabilities,
                                   const char *more)
{
    static char message[4096];

    (void)snprintf(message, sizeof(message),
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s%s,\"_meta\":{"
                   "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                   "\"io.modelcontextprotocol/clientCapabilities\":{%s}}}}",
                   method, target, more, capabilities);
    return message;
}

#define GREET "\"name\":\"greet\",\"arguments\":{\"a\": [1, \"x\\\" y\"]}"

/* requestState of the last answer. */
static void take_state(char state[400])
{
    json_t *answer = test_load(client.last, client.last_length, NULL);
    const char *text = json_string_value(json_object_get(json_object_get(answer, "result"), "requestState"));

    assert_non_null(text);
    (void)snprintf(state, 400, "%s", text);
    json_decref(answer);
}

/* Up to the state: the name has been given. */
static void begin_greeting(char state[400])
{
    client_tell(&client, ask_statelessly("tools/call", GREET, ALL, ",\"inputResponses\":{\"who\":" NAME "}"));
    assert_non_null(strstr(client.last,
                           "\"resultType\":\"input_required\",\"inputRequests\":{\"where\":{\"method\":"
                           "\"roots/list\",\"params\":{}},\"what\":{\"method\":"
                           "\"sampling/createMessage\",\"params\":{\"maxTokens\":5}}},"
                           "\"requestState\":\""));
    take_state(state);
}

static void retry(const char *target, const char *state, const char *words)
{
    char more[800];

    (void)snprintf(more, sizeof(more),
                   ",\"inputResponses\":{\"where\":{\"roots\":[1,2]},\"what\":{}},\"requestState\":\"%s\"",
                   state);
    client_tell(&client, ask_statelessly("tools/call", target, ALL, more));
    if (strstr(client.last, words) == NULL)
        fail_msg("%s has no %s", client.last, words);
}

static void by_results(void **state)
{
    char sealed[400];

    (void)state;
    client_expect(
        &client, ask_statelessly("tools/call", GREET, ALL, ""),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{"
        "\"who\":{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"form\",\"message\":\"Who?\"}}}"
        ",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"test\",\"title\":\"A test\","
        "\"version\":\"0.1\"}}}}");
    assert_int_equal(mcp_session_pending(client.session), 0);
    begin_greeting(sealed);
    retry(GREET, sealed, "Bo has 2 roots");
    retry("\"arguments\":{\"a\":[1,\"x\\\" y\"]},\"name\":\"greet\"", sealed,
          "Bo has 2 roots"); /* laid out anew */
    now += 600000;
    retry(GREET, sealed, "Bo has 2 roots");
    now++;
    retry(GREET, sealed, "-32602");
    client_tell(&client, ask_statelessly("prompts/get", "\"name\":\"greet\"", ALL, ""));
    assert_non_null(strstr(client.last, "input_required"));
    client_tell(&client, ask_statelessly("resources/read", "\"uri\":\"greet:\"", ALL, ""));
    assert_non_null(strstr(client.last, "input_required"));
    assert_null(strstr(client.last, "ttlMs"));
    client_expect_error(&client, ask_statelessly("tools/call", "\"name\":\"wrong\"", ALL, ""), "1", -32603,
                        "not valid");
}

static void states_that_are_refused(void **state)
{
    char sealed[400], changed[400];

    (void)state;
    begin_greeting(sealed);
    for (size_t i = 0; i < strlen(sealed); i++) {
        if (sealed[i] == '=')
            continue;
        memcpy(changed, sealed, sizeof(changed));
        changed[i] = changed[i] == 'A' ? 'g' : 'A';
        retry(GREET, changed, "requestState is not one of this server");
    }
    retry("\"name\":\"greet\",\"arguments\":{\"a\":[2]}", sealed, "-32602"); /* another request */
    retry("\"name\":\"greet\"", sealed, "-32602");
    retry(GREET, "", "-32602");
    retry(GREET, "AAAA", "-32602");
    retry(GREET, "AAA", "-32602");
    retry(GREET, "AA*A", "-32602");
    retry(GREET, "====", "-32602");
    client_expect_error(&client, ask_statelessly("tools/call", GREET, ALL, ",\"requestState\":1"), "1",
                        -32602, "requestState");
    retry(GREET, sealed, "Bo has 2 roots");
}

/* A state is good again for the same client within its time, and for no other one. */
static void states_of_other_clients(void **state)
{
    char sealed[400], of_ann[400];

    (void)state;
    begin_greeting(sealed);
    mcp_session_identify(client.session, "ann", 3);
    retry(GREET, sealed, "requestState is not one of this server");
    begin_greeting(of_ann);
    mcp_session_identify(client.session, "bob", 3);
    retry(GREET, of_ann, "requestState is not one of this server");
    mcp_session_close(client.session);
    client_open(&client);
    retry(GREET, of_ann, "requestState is not one of this server");
    retry(GREET, sealed, "Bo has 2 roots");
    mcp_session_identify(client.session, "ann", 3);
    retry(GREET, of_ann, "Bo has 2 roots");
    retry(GREET, of_ann, "Bo has 2 roots");
}

static void pages_that_must_be_visited(void **state)
{
    (void)state;
    client_tell(&client, ask_statelessly("tools/call", "\"name\":\"require\"", ALL, ""));
    assert_non_null(strstr(client.last, "\"resultType\":\"input_required\""));
    client_tell(&client, ask_statelessly("tools/call", "\"name\":\"require\"", ALL,
                                         ",\"inputResponses\":{\"page\":{\"action\":\"accept\"}}"));
    assert_non_null(strstr(client.last, "seen"));
}

static void without_entropy(void **state)
{
    (void)state;
    entropy_fails = true;
    client_expect_error(&client,
                        ask_statelessly("tools/call", GREET, ALL, ",\"inputResponses\":{\"who\":" NAME "}"),
                        "1", -32603, "without entropy");
    client_expect_error(&client, ask_statelessly("tools/call", GREET, ALL, ",\"requestState\":\"AAAA\""), "1",
                        -32603, "without entropy");
    client_stop(&client);
    ask_start(NULL); /* no hooks */
    client_expect_error(&client,
                        ask_statelessly("tools/call", GREET, ALL, ",\"inputResponses\":{\"who\":" NAME "}"),
                        "1", -32603, "without entropy");
    client_tell(&client, ask_statelessly("tools/call", GREET, ALL, "")); /* a question alone needs none */
    assert_non_null(strstr(client.last, "input_required"));
}

static void capabilities_that_are_missing(void **state)
{
    (void)state;
    client_expect_error(&client, ask_statelessly("tools/call", GREET, "\"roots\":{}", ""), "1", -32021,
                        "\"data\":{\"requiredCapabilities\":{\"elicitation\":{\"form\":{}}}}");
    client_expect_error(&client,
                        ask_statelessly("tools/call", "\"name\":\"visit\"", "\"elicitation\":{}", ""), "1",
                        -32021, "\"data\":{\"requiredCapabilities\":{\"elicitation\":{\"url\":{}}}}");
    client_expect_error(
        &client,
        ask_statelessly("tools/call", GREET, "\"roots\":{}", ",\"inputResponses\":{\"who\":" NAME "}"), "1",
        -32021, "\"data\":{\"requiredCapabilities\":{\"sampling\":{}}}");
    /* What one request declared does not count for the next, nor what `initialize` did. */
    initialise_able("2025-11-25", ALL);
    client_expect_error(&client, ask_statelessly("tools/call", GREET, "", ""), "1", -32021, "elicitation");
}

static void every_allocation_fails_once(void **state)
{
    for (int from = 0; from < 2; from++) {
        for (size_t fail_at = 1;; fail_at++) {
            bool failed;

            client_stop(&client);
            ask_set_up(state);
            client.memory.allocations = 0;
            client.memory.fail_at = fail_at;
            client.memory.fail_from = from == 1;
            client_tell(&client,
                        ask_statelessly("tools/call", GREET, ALL, ",\"inputResponses\":{\"who\":" NAME "}"));
            assert_int_equal(client.received, 1);
            failed = client.memory.allocations >= fail_at;
            client.memory.fail_at = 0;
            client_expect_nothing(&client, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                                           "\"params\":{\"requestId\":\"c\"}}");
            assert_int_equal(mcp_session_pending(client.session), 0);
            if (!failed)
                break;
        }
    }
}

/* FIPS 180-4's examples, and RFC 4231's second test with its key padded. */
static void the_hash(void **state)
{
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    uint8_t digest[SHA256_SIZE], key[SHA256_SIZE] = "Jefe";
    struct hmac_sha256 mac;
    char hex[65];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sha256 hash;

        sha256_begin(&hash);
        for (size_t at = 0; cases[i].text[at] != '\0'; at++) /* byte by byte */
            sha256_add(&hash, cases[i].text + at, 1);
        sha256_end(&hash, digest);
        for (size_t k = 0; k < SHA256_SIZE; k++)
            (void)snprintf(hex + 2 * k, 3, "%02x", digest[k]);
        assert_string_equal(hex, cases[i].digest);
    }
    hmac_sha256_begin(&mac, key);
    sha256_add(&mac.inner, "what do ya want for nothing?", 28);
    hmac_sha256_end(&mac, digest);
    for (size_t k = 0; k < SHA256_SIZE; k++)
        (void)snprintf(hex + 2 * k, 3, "%02x", digest[k]);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, ask_set_up, ask_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_results),
        TEST(states_that_are_refused),
        TEST(states_of_other_clients),
        TEST(pages_that_must_be_visited),
        TEST(without_entropy),
        TEST(capabilities_that_are_missing),
        TEST(every_allocation_fails_once),
        cmocka_unit_test(the_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
