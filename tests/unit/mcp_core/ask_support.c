/* SPDX-License-Identifier: MIT */
#include "ask_support.h"

#include <stdio.h>
#include <string.h>

struct client client;
uint64_t now;
bool entropy_fails;
size_t runs, cancelled_count;
struct mcp_call *kept;
size_t most_insisting;
static size_t insisting;

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

/* Asks for ever; each run decodes its argument, which is also its state. */
static void insist(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *question;
    const char *text;
    const void *state;
    size_t length, size;

    (void)context;
    if (mcp_call_state(call, &state, &size) != 0 || mcp_call_string(call, "text", &text, &length) != 0)
        return;
    runs++;
    assert_true(state == NULL || (size == length && memcmp(state, text, size) == 0));
    question = mcp_call_ask(call, "who", MCP_ASK_FORM);
    if (question == NULL)
        return;
    mcp_json_member_string(question, "message", "Who?");
    if (++insisting > most_insisting)
        most_insisting = insisting;
    mcp_call_wait(call, text, length);
    insisting--;
}

/* Does nothing before the page has been visited. */
static void require(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *question;

    (void)context;
    if (mcp_json_type(mcp_call_input(call, "page")) != MCP_JSON_NONE) {
        mcp_call_text(call, "seen", 4);
        mcp_call_finish(call);
        return;
    }
    question = mcp_call_ask(call, "page", MCP_ASK_URL);
    if (question == NULL)
        return;
    mcp_json_member_string(question, "message", "Visit");
    mcp_json_member_string(question, "url", "https://example.com/");
    mcp_call_require_urls(call);
}

static void require_nothing(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_require_urls(call);
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
    {.name = "insist", .input_schema = PLAIN, .handler = insist},
    {.name = "visit", .input_schema = PLAIN, .handler = visit, .cancelled = note_cancel},
    {.name = "much", .input_schema = PLAIN, .handler = ask_too_much},
    {.name = "nothing", .input_schema = PLAIN, .handler = ask_nothing},
    {.name = "require", .input_schema = PLAIN, .handler = require},
    {.name = "require_nothing", .input_schema = PLAIN, .handler = require_nothing},
    {.name = "wrong", .input_schema = PLAIN, .handler = ask_wrongly},
};

static const struct mcp_prompt prompt = {.name = "greet", .handler = greet};
static const struct mcp_resource resource = {.uri = "greet:", .name = "greet", .handler = greet};

struct mcp_server_config ask_config(void)
{
    struct mcp_server_config config = test_config;

    config.entropy = entropy;
    config.clock_ms = clock_ms;
    return config;
}

void ask_start(const struct mcp_server_config *config)
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

int ask_set_up(void **state)
{
    struct mcp_server_config config = ask_config();

    (void)state;
    ask_start(&config);
    return 0;
}

int ask_tear_down(void **state)
{
    (void)state;
    client.on_message = NULL;
    client_stop(&client);
    return 0;
}

void initialise_able(const char *version, const char *capabilities)
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
