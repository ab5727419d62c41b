/* SPDX-License-Identifier: MIT */
#include "offers.h"

#include <errno.h>

#include "fuzz.h"

#define WAITING_MAX 64

static struct mcp_call *waiting[WAITING_MAX];
static size_t waiting_count;
static bool has_typed;

/* ---- handlers ---- */

static void echo(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *result = mcp_call_result(call);

    (void)context;
    mcp_json_begin_object(result);
    mcp_json_key_write(result, "arguments");
    mcp_json_value(result, mcp_call_arguments(call));
    mcp_json_key_write(result, "meta");
    mcp_json_value(result, mcp_call_meta(call));
    mcp_json_end_object(result);
    mcp_call_finish(call);
}

static void finish_later(struct mcp_call *call)
{
    mcp_call_text(call, "at last \xff", 9);
    mcp_call_finish(call);
}

static void later(struct mcp_call *call, void *context)
{
    (void)context;
    if (waiting_count == WAITING_MAX)
        finish_later(call);
    else
        waiting[waiting_count++] = call;
}

static void forget(const struct mcp_call *call)
{
    for (size_t i = 0; i < waiting_count; i++) {
        if (waiting[i] != call)
            continue;
        memmove(&waiting[i], &waiting[i + 1], (--waiting_count - i) * sizeof(waiting[0]));
        return;
    }
    fail_msg("a call that nobody has");
}

static void on_cancelled(struct mcp_call *call, void *context)
{
    (void)context;
    assert_true(mcp_call_is_cancelled(call));
    if (waiting_count % 2 != 0) /* some stop at once */
        return;
    forget(call);
    mcp_call_finish(call);
}

static void typed(struct mcp_call *call, void *context)
{
    const char *text = NULL;
    size_t length = 0;
    int64_t whole = 0;
    double real = 0;
    bool flag = false;

    (void)context;
    if (mcp_call_string(call, "s", &text, &length) != 0 ||
        mcp_call_int_or(call, "i", 7, -10, 1000, &whole) != 0 ||
        mcp_call_double_or(call, "d", 0.5, 0, 10, &real) != 0 ||
        mcp_call_bool_or(call, "b", true, &flag) != 0)
        return;
    assert_true(whole >= -10 && whole <= 1000 && real >= 0 && real <= 10);
    if (whole == 13) {
        (void)mcp_call_reject(call, "i", "must not be 13");
        return;
    }
    for (int64_t i = 0; i < whole; i++) /* may grow beyond what a message can be */
        mcp_call_text(call, text, length);
    /* Content of each kind, now and then without what it needs. */
    mcp_call_content(call, &(struct mcp_content){.type = (enum mcp_content_type)((uint64_t)whole % 6),
                                                 .data = text,
                                                 .size = length,
                                                 .mime_type = flag ? "image/png" : NULL,
                                                 .uri = whole != 11 ? OFFERS_URI : NULL,
                                                 .name = "n",
                                                 .annotations = whole != 12 ? "{\"priority\":1}" : "{"});
    struct mcp_json_writer *result = mcp_call_result(call);
    mcp_json_begin_object(result);
    mcp_json_member_double(result, "d", real);
    mcp_json_member_bool(result, "b", flag);
    mcp_json_end_object(result);
    mcp_call_finish(call);
}

/* Asks its client, as a task where it can be one; where it is told to, before that too. */
static void question(struct mcp_call *call, void *context)
{
    struct mcp_json answer = mcp_call_input(call, "q"), earlier = mcp_call_input(call, "first");
    struct mcp_json_writer *form;
    const void *state = NULL;
    size_t size = 0;
    bool first = false;

    (void)context;
    if (mcp_call_bool_or(call, "first", false, &first) != 0 || mcp_call_state(call, &state, &size) != 0)
        return;
    assert_true(state == NULL || size == 5);
    if (mcp_json_type(answer) != MCP_JSON_NONE) {
        mcp_json_begin_object(mcp_call_result(call));
        mcp_json_key_write(mcp_call_result(call), "answer");
        mcp_json_value(mcp_call_result(call), answer);
        mcp_json_end_object(mcp_call_result(call));
        mcp_call_finish(call);
        return;
    }
    first = first && mcp_json_type(earlier) == MCP_JSON_NONE;
    if (!first)
        mcp_call_continue_as_task(call);
    form = mcp_call_ask(call, first ? "first" : "q", MCP_ASK_FORM);
    if (form == NULL)
        return;
    mcp_json_member_string(form, "message", "What?");
    mcp_call_wait(call, "state", 5);
}

static void read_uri(struct mcp_call *call, void *context)
{
    const char *uri = mcp_call_uri(call);

    (void)context;
    assert_non_null(uri);
    if (strlen(uri) % 5 == 4) {
        mcp_call_not_found(call);
        return;
    }
    mcp_call_text(call, uri, strlen(uri));
    mcp_call_content(call,
                     &(struct mcp_content){
                         .type = MCP_CONTENT_RESOURCE_BLOB, .uri = uri, .data = uri, .size = strlen(uri)});
    mcp_call_finish(call);
}

static void ask(struct mcp_call *call, void *context)
{
    const char *topic = NULL;
    size_t length = 0;

    (void)context;
    if (mcp_call_string(call, "topic", &topic, &length) != 0)
        return;
    mcp_call_message(call, MCP_ROLE_ASSISTANT,
                     &(struct mcp_content){.type = MCP_CONTENT_TEXT, .data = topic, .size = length});
    mcp_call_finish(call);
}

static void complete(struct mcp_call *call, void *context)
{
    const char *name = NULL, *value = NULL;
    size_t length = 0;

    (void)context;
    mcp_call_completing(call, &name, &value, &length);
    assert_true(name != NULL && strlen(value) <= length);
    for (size_t i = 0; i < length * 16; i++) /* more than fit, sometimes */
        mcp_call_suggest(call, value);
    mcp_call_finish(call);
}

/* ---- what there is ---- */

static const struct mcp_tool tools[] = {
    {.name = "echo",
     .title = "Echo",
     .description = "Says it again",
     .input_schema = "{\"type\":\"object\"}",
     .icons = "[{\"src\":\"data:,\"}]",
     .meta = "{\"a\":1}",
     .handler = echo},
    {.name = "later",
     .input_schema = "{\"type\":\"object\"}",
     .annotations = "{\"readOnlyHint\":true}",
     .tasks = MCP_TASKS_OPTIONAL,
     .handler = later,
     .cancelled = on_cancelled},
    {.name = "question",
     .input_schema = "{\"type\":\"object\"}",
     .tasks = MCP_TASKS_REQUIRED,
     .handler = question},
    {.name = "typed",
     .input_schema = "{\"type\":\"object\",\"properties\":{\"s\":{\"type\":\"string\",\"maxLength\":100},"
                     "\"i\":{\"type\":\"integer\"},\"d\":{\"type\":\"number\"},\"b\":{\"type\":\"boolean\"}},"
                     "\"required\":[\"s\"],\"additionalProperties\":false}",
     .output_schema = "{\"type\":\"object\",\"properties\":{\"d\":{\"type\":\"number\",\"maximum\":9}}}",
     .handler = typed},
};
static const struct mcp_resource resources[] = {
    {.uri = OFFERS_URI, .name = "a", .mime_type = "text/plain", .size = 8, .handler = read_uri},
    {.uri = "slow://a", .name = "slow", .ttl_ms = 5, .handler = later, .cancelled = on_cancelled},
    {.uri = "file:///{+path}/x{name}", .name = "files", .handler = read_uri, .complete = complete},
};
static const struct mcp_prompt_argument arguments[] = {{.name = "topic", .required = true}, {.name = "tone"}};
static const struct mcp_prompt prompts[] = {
    {.name = "ask", .arguments = arguments, .argument_count = 2, .handler = ask, .complete = complete},
    {.name = "wait", .title = "Wait", .handler = later, .cancelled = on_cancelled},
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void offers_add(struct mcp_server *server)
{
    waiting_count = 0;
    has_typed = true;
    for (size_t i = 0; i < COUNT(tools); i++)
        assert_int_equal(mcp_server_add_tool(server, &tools[i]), 0);
    for (size_t i = 0; i < COUNT(resources); i++)
        assert_int_equal(mcp_server_add_resource(server, &resources[i]), 0);
    for (size_t i = 0; i < COUNT(prompts); i++)
        assert_int_equal(mcp_server_add_prompt(server, &prompts[i]), 0);
}

bool offers_has_tool(const char *name)
{
    return strcmp(name, "echo") == 0 || strcmp(name, "later") == 0 || strcmp(name, "question") == 0 ||
           (has_typed && strcmp(name, "typed") == 0);
}

bool offers_end_oldest(char how)
{
    if (waiting_count == 0)
        return false;
    struct mcp_call *call = waiting[0];
    if (how == 'g') {
        mcp_call_log(call, MCP_LOG_NOTICE, "fuzz", "going on");
        if (waiting_count > 0 && waiting[0] == call) /* the client may have ended it */
            mcp_call_progress(call, 0.5, 1, "half");
        return true;
    }
    forget(call);
    if (how == 'e')
        mcp_call_fail(call, "it \"failed\"");
    else if (how == 'c')
        mcp_call_error(call, MCP_ERROR_OVERLOADED, "too much");
    else if (how == 'n' && mcp_call_uri(call) != NULL)
        mcp_call_not_found(call);
    else
        finish_later(call);
    return true;
}

void offers_change(struct mcp_server *server, char which)
{
    int gone;

    if (which == 'r') {
        gone = mcp_server_remove_resource(server, OFFERS_URI);
        if (gone == -ENOENT)
            (void)mcp_server_add_resource(server, &resources[0]);
    } else if (which == 'p') {
        gone = mcp_server_remove_prompt(server, "ask");
        if (gone == -ENOENT)
            (void)mcp_server_add_prompt(server, &prompts[0]);
    } else {
        gone = mcp_server_remove_tool(server, "typed");
        if (gone == -ENOENT)
            gone = mcp_server_add_tool(server, &tools[COUNT(tools) - 1]) == 0 ? 1 : gone;
        has_typed = gone == 1;
        return;
    }
    assert_true(gone == 0 || gone == -ENOENT);
}
