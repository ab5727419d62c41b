/* SPDX-License-Identifier: MIT
 *
 * Calls that ask their client, by requests in sessions and by InputRequiredResult in the stateless era; what
 * becomes of the state meanwhile.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sha256.h>

static struct client client;
static uint64_t now;
static bool entropy_fails;
static size_t runs, cancelled_count;
static struct mcp_call *kept;

static int entropy(void *context, void *bytes, size_t size)
{
    (void)context;
    memset(bytes, 7, size);
    return entropy_fails ? -1 : 0;
}

static uint64_t clock_ms(void *context)
{
    (void)context;
    return now;
}

/* Asks for a name by form, then, with the name as its state, for the roots and a word of the model. */
static void greet(struct mcp_call *call, void *context)
{
    struct mcp_json name = mcp_json_member(mcp_json_member(mcp_call_input(call, "who"), "content"), "name");
    struct mcp_json roots = mcp_call_input(call, "where");
    struct mcp_json_writer *question;
    const void *state;
    char text[200] = "";
    size_t size;

    (void)context;
    runs++;
    if (mcp_call_state(call, &state, &size) != 0)
        return;
    if (state != NULL) {
        assert_true(mcp_json_type(mcp_call_input(call, "who")) == MCP_JSON_NONE);
        assert_true(mcp_json_type(mcp_call_input(call, "what")) == MCP_JSON_OBJECT);
        (void)snprintf(text, sizeof(text), "%.*s has %zu roots", (int)size, (const char *)state,
                       mcp_json_count(mcp_json_member(roots, "roots")));
        mcp_call_text(call, text, strlen(text));
        mcp_call_finish(call);
    } else if (mcp_json_get_string(name, text, sizeof(text)) > 0) {
        if (mcp_call_ask(call, "where", MCP_ASK_ROOTS) == NULL)
            return;
        question = mcp_call_ask(call, "what", MCP_ASK_SAMPLING);
        if (question == NULL)
            return;
        mcp_json_member_int(question, "maxTokens", 5);
        mcp_call_wait(call, text, strlen(text));
    } else {
        mcp_call_text(call, "dropped", 7); /* what stands before the wait is not sent */
        question = mcp_call_ask(call, "who", MCP_ASK_FORM);
        if (question == NULL)
            return;
        mcp_json_member_string(question, "message", "Who?");
        mcp_call_wait(call, NULL, 0);
    }
}

static void visit(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *question;

    (void)context;
    if (mcp_json_type(mcp_call_input(call, "page")) != MCP_JSON_NONE) {
        kept = call; /* later */
        return;
    }
    question = mcp_call_ask(call, "page", MCP_ASK_URL);
    if (question == NULL)
        return;
    mcp_json_member_string(question, "url", "https://example.com/");
    mcp_call_wait(call, NULL, 0);
}

static void note_cancel(struct mcp_call *call, void *context)
{
    (void)context;
    (void)call;
    cancelled_count++;
}

static void ask_too_much(struct mcp_call *call, void *context)
{
    (void)context;
    for (int i = 0; i < MCP_ASKS_MAX; i++)
        assert_non_null(mcp_call_ask(call, "k", MCP_ASK_ROOTS));
    assert_null(mcp_call_ask(call, "k", MCP_ASK_ROOTS));
}

static void ask_nothing(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_wait(call, NULL, 0);
}

static void ask_wrongly(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_json_end_object(mcp_call_ask(call, "k", MCP_ASK_ROOTS));
    mcp_call_wait(call, NULL, 0);
}

#define PLAIN "{\"type\":\"object\"}"

static const struct mcp_tool tools[] = {
    {.name = "greet", .input_schema = PLAIN, .handler = greet, .cancelled = note_cancel},
    {.name = "visit", .input_schema = PLAIN, .handler = visit, .cancelled = note_cancel},
    {.name = "much", .input_schema = PLAIN, .handler = ask_too_much},
    {.name = "nothing", .input_schema = PLAIN, .handler = ask_nothing},
    {.name = "wrong", .input_schema = PLAIN, .handler = ask_wrongly},
};

static const struct mcp_prompt prompt = {.name = "greet", .handler = greet};
static const struct mcp_resource resource = {.uri = "greet:", .name = "greet", .handler = greet};

static struct mcp_server_config config_with_hooks(void)
{
    struct mcp_server_config config = test_config;

    config.entropy = entropy;
    config.clock_ms = clock_ms;
    return config;
}

static void start(const struct mcp_server_config *config)
{
    client = (struct client){0};
    now = 1000;
    entropy_fails = false;
    runs = cancelled_count = 0;
    kept = NULL;
    client_start(&client, config);
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
        assert_int_equal(mcp_server_add_tool(client.server, &tools[i]), 0);
    assert_int_equal(mcp_server_add_prompt(client.server, &prompt), 0);
    assert_int_equal(mcp_server_add_resource(client.server, &resource), 0);
}

static int set_up(void **state)
{
    struct mcp_server_config config = config_with_hooks();

    (void)state;
    start(&config);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client.on_message = NULL;
    client_stop(&client);
    return 0;
}

static void initialise_able(const char *version, const char *capabilities)
{
    char message[300];

    (void)snprintf(
        message, sizeof(message),
        "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"%s\","
        "\"capabilities\":{%s}}}",
        version, capabilities);
    client_tell(&client, message);
    client.received = 0;
}

#define ALL "\"roots\":{},\"sampling\":{},\"elicitation\":{\"form\":{},\"url\":{}}"
#define CALL(name)                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"tools/call\",\"params\":{\"name\":\"" name "\"}}"
#define ANSWER(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"
#define ASKS(id, method, params)                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":{" params "}}"
#define NAME "{\"action\":\"accept\",\"content\":{\"name\":\"Bo\"}}"

/* ---- sessions ---- */

static void by_requests(void **state)
{
    (void)state;
    initialise_able("2025-11-25", ALL);
    client_expect(&client, CALL("greet"),
                  ASKS("1", "elicitation/create", "\"mode\":\"form\",\"message\":\"Who?\""));
    assert_string_equal(client.sent_for, "\"c\"");
    assert_int_equal(mcp_session_pending(client.session), 1);
    client_expect_error(&client, CALL("greet"), "\"c\"", -32600, "not answered yet");
    client_expect_nothing(&client, ANSWER("7", NAME)); /* none of ours */
    client_expect_nothing(&client, ANSWER("\"1\"", NAME));
    client.received = 0;
    client_tell(&client, ANSWER("1", NAME));
    assert_int_equal(client.received, 2);
    assert_string_equal(client.last, ASKS("3", "sampling/createMessage", "\"maxTokens\":5"));
    client_expect_nothing(&client, ANSWER("1", NAME));
    client_expect_nothing(&client, ANSWER("3", "{\"role\":\"assistant\"}"));
    client_expect_nothing(&client, ANSWER("3", "{\"role\":\"assistant\"}")); /* twice */
    client_expect(&client, ANSWER("2", "{\"roots\":[{\"uri\":\"file:///\"}]}"),
                  ANSWER("\"c\"", "{\"content\":[{\"type\":\"text\",\"text\":\"Bo has 1 roots\"}]}"));
    assert_int_equal(runs, 3);
    assert_int_equal(mcp_session_pending(client.session), 0);
}

static void versions(void **state)
{
    (void)state;
    initialise_able("2025-06-18", ALL);
    client_expect(&client, CALL("greet"), ASKS("1", "elicitation/create", "\"message\":\"Who?\""));
    client_expect(&client, ANSWER("1", "{\"action\":\"decline\"}"), /* it asks again */
                  ASKS("2", "elicitation/create", "\"message\":\"Who?\""));
    client_stop(&client);
    set_up(state);
    initialise_able("2025-11-25", ALL);
    client_expect(&client, CALL("visit"),
                  ASKS("1", "elicitation/create",
                       "\"mode\":\"url\",\"elicitationId\":\"1\",\"url\":\"https://example.com/\""));
    client_expect_nothing(&client, ANSWER("1", "{\"action\":\"accept\"}"));
    assert_non_null(kept); /* its handler answers later; the answers are gone, the call is not */
    assert_true(mcp_json_type(mcp_call_input(kept, "page")) == MCP_JSON_NONE);
    mcp_call_finish(kept);
    assert_string_equal(client.last, ANSWER("\"c\"", "{\"content\":[]}"));
}

static void clients_that_cannot(void **state)
{
    static const struct {
        const char *version, *capabilities, *tool;
        bool can;
    } cases[] = {
        {"2025-11-25", "", "greet", false},
        {"2025-11-25", "\"elicitation\":{}", "greet", true},
        {"2025-11-25", "\"elicitation\":{\"url\":{}}", "greet", false},
        {"2025-11-25", "\"elicitation\":{\"form\":{}}", "visit", false},
        {"2025-06-18", "\"elicitation\":{\"url\":{}}", "visit", false},
        {"2025-06-18", "\"elicitation\":{\"url\":{}}", "greet", true},
        {"2025-03-26", ALL, "greet", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char question[200];

        initialise_able(cases[i].version, cases[i].capabilities);
        (void)snprintf(question, sizeof(question), CALL("%s"), cases[i].tool);
        client_tell(&client, question);
        assert_int_equal(strstr(client.last, "elicitation/create") != NULL, cases[i].can);
        assert_int_equal(strstr(client.last, "\"isError\":true") != NULL, !cases[i].can);
        client_stop(&client);
        set_up(state);
    }
}

static void answers_that_are_errors(void **state)
{
    (void)state;
    initialise_able("2025-11-25", ALL);
    client_tell(&client, CALL("greet"));
    client_tell(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"no\"}}");
    assert_non_null(strstr(client.last, "did not answer a question"));
    assert_non_null(strstr(client.last, "\"isError\":true"));
    client_tell(&client, CALL("greet"));
    client_tell(&client, ANSWER("2", "7"));
    assert_non_null(strstr(client.last, "\"isError\":true"));
    client_expect_error(&client, CALL("much"), "\"c\"", -32603, "too many questions");
    client_expect_error(&client, CALL("nothing"), "\"c\"", -32603, "without a question");
    client_expect_error(&client, CALL("wrong"), "\"c\"", -32603, "not valid");
    assert_int_equal(mcp_session_pending(client.session), 0);
}

static void an_answer_too_large(void **state)
{
    struct mcp_server_config config = config_with_hooks();
    char answer[5000];

    (void)state;
    client_stop(&client);
    config.memory_per_session = 3000;
    start(&config);
    initialise_able("2025-11-25", ALL);
    client_tell(&client, CALL("greet"));
    (void)snprintf(answer, sizeof(answer), ANSWER("1", "{\"x\":\"%04000d\"}"), 0);
    client_tell(&client, answer);
    assert_non_null(strstr(client.last, "did not answer a question"));
}

static void ends_while_it_waits(void **state)
{
    struct mcp_session *second;

    (void)state;
    initialise_able("2025-11-25", ALL);
    client_tell(&client, CALL("greet"));
    client_expect_nothing(&client, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                                   "\"requestId\":\"c\"}}");
    assert_int_equal(mcp_session_pending(client.session), 0); /* by itself: no handler has it */
    assert_int_equal(cancelled_count, 0);
    client_expect_nothing(&client, ANSWER("1", NAME));
    client_tell(&client, CALL("greet"));
    client_tell(&client, CALL("greet"));
    mcp_session_close(client.session);
    assert_int_equal(mcp_session_open(client.server, NULL, NULL, &second), 0);
    client.session = second;
}

/* ---- hooks that come back while the questions are sent ---- */

static enum { ANSWERS, REFUSES, CANCELS, CLOSES } reaction;

static void react(struct client *receiver)
{
    char answer[200];
    int id;

    if (strstr(receiver->last, "\"method\"") == NULL)
        return;
    id = atoi(strstr(receiver->last, "\"id\":") + 5);
    (void)snprintf(answer, sizeof(answer), ANSWER("%d", "%s"), id, reaction == REFUSES ? "1" : NAME);
    if (id == 1 || reaction == ANSWERS || reaction == REFUSES)
        client_tell(receiver, answer);
    else if (reaction == CANCELS)
        client_tell(receiver,
                    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":"
                    "\"c\"}}");
    else
        mcp_session_close(receiver->session);
}

static void the_hook_comes_back(void **state)
{
    static const size_t messages[] = {4, 2, 2, 2};

    for (int i = ANSWERS; i <= CLOSES; i++) {
        struct mcp_session *second;

        reaction = i;
        initialise_able("2025-11-25", ALL);
        client.on_message = react;
        client_tell(&client, CALL("greet"));
        client.on_message = NULL;
        assert_int_equal(client.received, messages[i]);
        if (i == ANSWERS)
            assert_non_null(strstr(client.last, "Bo has 0 roots"));
        if (i == CLOSES) {
            assert_int_equal(mcp_session_open(client.server, NULL, NULL, &second), 0);
            client.session = second;
        }
        client_stop(&client);
        set_up(state);
    }
}

/* ---- the stateless era ---- */

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
    start(NULL); /* no hooks */
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

/* ---- memory ---- */

static const char *const to_tell[] = {CALL("greet"), ANSWER("1", NAME), ANSWER("2", "{\"roots\":[]}"),
                                      ANSWER("3", "{\"role\":\"user\"}")};

static void every_allocation_fails_once(void **state)
{
    for (int era = 0; era < 2; era++) {
        for (int from = 0; from < 2; from++) {
            for (size_t fail_at = 1;; fail_at++) {
                bool failed;

                client_stop(&client);
                set_up(state);
                initialise_able("2025-11-25", ALL);
                client.memory.allocations = 0;
                client.memory.fail_at = fail_at;
                client.memory.fail_from = from == 1;
                if (era == 0) {
                    for (size_t i = 0; i < sizeof(to_tell) / sizeof(to_tell[0]); i++)
                        client_tell(&client, to_tell[i]);
                } else {
                    client_tell(&client, ask_statelessly("tools/call", GREET, ALL,
                                                         ",\"inputResponses\":{\"who\":" NAME "}"));
                    assert_int_equal(client.received, 1);
                }
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_requests),
        TEST(versions),
        TEST(clients_that_cannot),
        TEST(answers_that_are_errors),
        TEST(an_answer_too_large),
        TEST(ends_while_it_waits),
        TEST(the_hook_comes_back),
        TEST(by_results),
        TEST(states_that_are_refused),
        TEST(without_entropy),
        TEST(capabilities_that_are_missing),
        TEST(every_allocation_fails_once),
        TEST(the_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
