/* SPDX-License-Identifier: MIT */
#include "task_support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct client client;
uint64_t now;
bool entropy_fails;
struct mcp_call *kept;
size_t runs, cancelled_count, rounds;
static uint8_t last_id;

static int entropy(void *context, void *bytes, size_t size)
{
    (void)context;
    if (entropy_fails)
        return -EIO;
    memset(bytes, ++last_id, size);
    return 0;
}

static uint64_t clock_ms(void *context)
{
    (void)context;
    return now;
}

static void answer_now(struct mcp_call *call, void *context)
{
    (void)context;
    runs++;
    mcp_call_text(call, "done", 4);
    mcp_call_finish(call);
}

static void answer_later(struct mcp_call *call, void *context)
{
    (void)context;
    runs++;
    kept = call;
}

static void is_cancelled(struct mcp_call *call, void *context)
{
    (void)call;
    (void)context;
    cancelled_count++;
}

/* Asks `rounds` times under the same key, and ends with the last name. */
static void ask_name(struct mcp_call *call)
{
    struct mcp_json answer = mcp_call_input(call, "name");
    struct mcp_json_writer *form;
    const void *state;
    size_t asked = 0, size;
    char name[16] = "";

    if (mcp_call_state(call, &state, &size) != 0)
        return;
    if (state != NULL)
        memcpy(&asked, state, sizeof(asked));
    if (asked < rounds) {
        form = mcp_call_ask(call, "name", MCP_ASK_FORM);
        if (form == NULL)
            return;
        mcp_json_member_string(form, "message", "Who?");
        asked++;
        mcp_call_wait(call, &asked, sizeof(asked));
        return;
    }
    (void)mcp_json_get_string(mcp_json_member(mcp_json_member(answer, "content"), "name"), name,
                              sizeof(name));
    mcp_call_text(call, name, strlen(name));
    mcp_call_finish(call);
}

static void ask_as_task(struct mcp_call *call, void *context)
{
    (void)context;
    runs++;
    mcp_call_continue_as_task(call);
    ask_name(call);
}

static void ask_two(struct mcp_call *call, void *context)
{
    (void)context;
    if (mcp_json_type(mcp_call_input(call, "a")) != MCP_JSON_NONE) {
        assert_true(mcp_json_type(mcp_call_input(call, "b")) == MCP_JSON_OBJECT);
        mcp_call_finish(call);
        return;
    }
    mcp_call_continue_as_task(call);
    assert_non_null(mcp_call_ask(call, "a", MCP_ASK_FORM));
    assert_non_null(mcp_call_ask(call, "b", MCP_ASK_FORM));
    mcp_call_wait(call, NULL, 0);
}

/* Asks first, and is a task when it knows the name. */
static void ask_first(struct mcp_call *call, void *context)
{
    (void)context;
    runs++;
    if (mcp_json_type(mcp_call_input(call, "name")) == MCP_JSON_NONE)
        ask_name(call);
    else
        kept = call;
}

static const struct mcp_tool tools[] = {
    {.name = "now", .handler = answer_now, .tasks = MCP_TASKS_OPTIONAL},
    {.name = "later", .handler = answer_later, .cancelled = is_cancelled, .tasks = MCP_TASKS_OPTIONAL},
    {.name = "must", .handler = answer_later, .cancelled = is_cancelled, .tasks = MCP_TASKS_REQUIRED},
    {.name = "never", .handler = answer_now},
    {.name = "ask", .handler = ask_as_task, .cancelled = is_cancelled, .tasks = MCP_TASKS_OPTIONAL},
    {.name = "two", .handler = ask_two, .tasks = MCP_TASKS_OPTIONAL},
    {.name = "first", .handler = ask_first, .tasks = MCP_TASKS_OPTIONAL},
};

struct mcp_server_config task_config(void)
{
    struct mcp_server_config config = test_config;

    config.entropy = entropy;
    config.clock_ms = clock_ms;
    config.logging = true;
    return config;
}

void task_start(const struct mcp_server_config *config, const struct mcp_task_config *limits)
{
    client_start(&client, config);
    assert_int_equal(mcp_server_enable_tasks(client.server, limits), 0);
    mcp_server_enable_changes(client.server, true, true);
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
        struct mcp_tool tool = tools[i];

        tool.input_schema = "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}";
        assert_int_equal(mcp_server_add_tool(client.server, &tool), 0);
    }
}

int task_set_up(void **state)
{
    struct mcp_server_config config = task_config();

    (void)state;
    client = (struct client){0};
    now = 0;
    entropy_fails = false;
    kept = NULL;
    runs = cancelled_count = 0;
    rounds = 1;
    last_id = 0;
    task_start(&config, NULL);
    return 0;
}

int task_tear_down(void **state)
{
    (void)state;
    mcp_server_end_tasks(client.server);
    client_stop(&client);
    return 0;
}

const char *task_id(void)
{
    static char id[64];
    const char *at = strstr(client.last, "\"taskId\":\"");

    assert_non_null(at);
    (void)snprintf(id, sizeof(id), "%.32s", at + strlen("\"taskId\":\""));
    return id;
}

const char *about(const char *format, const char *id)
{
    static char message[1024];
    const char *at = strstr(format, "%s");

    assert_non_null(at);
    (void)snprintf(message, sizeof(message), "%.*s%s%s", (int)(at - format), format, id, at + 2);
    return message;
}
