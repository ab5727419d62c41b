/* SPDX-License-Identifier: MIT
 *
 * A server with something of everything that mcp_core has, on standard input and output, one message per
 * line: what check.py sends its requests to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mcp/server.h>
#include <mcp/task.h>

static struct mcp_server *server;
static struct mcp_call *held[64];
static size_t held_count;

/* A PNG's and a WAV's first bytes are enough of them. */
static const unsigned char picture[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
static const unsigned char sound[] = {'R', 'I', 'F', 'F', 0};

static void *allocate(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

/* ---- tools ---- */

static void add(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *result = mcp_call_result(call);
    double a, b;

    (void)context;
    if (mcp_call_double_or(call, "a", 0, -1e9, 1e9, &a) != 0 ||
        mcp_call_double_or(call, "b", 0, -1e9, 1e9, &b) != 0)
        return;
    mcp_json_begin_object(result);
    mcp_json_member_double(result, "sum", a + b);
    mcp_json_end_object(result);
    mcp_json_key_write(mcp_call_result_meta(call), "example.com/seen");
    mcp_json_value(mcp_call_result_meta(call), mcp_json_member(mcp_call_meta(call), "example.com/note"));
    mcp_call_finish(call);
}

static void list_numbers(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_json_begin_array(mcp_call_result(call));
    mcp_json_int(mcp_call_result(call), 1);
    mcp_json_end_array(mcp_call_result(call));
    mcp_call_finish(call);
}

static const struct mcp_content contents[] = {
    {.type = MCP_CONTENT_TEXT,
     .data = "plain",
     .size = 5,
     .annotations = "{\"audience\":[\"user\"],\"priority\":0.5}",
     .meta = "{\"example.com/kind\":\"text\"}"},
    {.type = MCP_CONTENT_IMAGE, .data = picture, .size = sizeof(picture), .mime_type = "image/png"},
    {.type = MCP_CONTENT_AUDIO, .data = sound, .size = sizeof(sound), .mime_type = "audio/wav"},
    {.type = MCP_CONTENT_RESOURCE_TEXT,
     .uri = "file:///readme",
     .data = "text",
     .size = 4,
     .mime_type = "text/plain"},
    {.type = MCP_CONTENT_RESOURCE_BLOB, .uri = "file:///picture", .data = picture, .size = sizeof(picture)},
    {.type = MCP_CONTENT_RESOURCE_LINK,
     .uri = "file:///readme",
     .name = "readme",
     .title = "Read me",
     .description = "What to read first",
     .mime_type = "text/plain",
     .icons = "[{\"src\":\"https://example.com/i.png\",\"sizes\":[\"48x48\"]}]",
     .annotations = "{\"priority\":1}",
     .meta = "{}"},
};

static void show(struct mcp_call *call, void *context)
{
    (void)context;
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++)
        mcp_call_content(call, &contents[i]);
    mcp_call_finish(call);
}

static void fail(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_fail(call, "it did not work");
}

static void work(struct mcp_call *call, void *context)
{
    (void)context;
    for (int level = MCP_LOG_DEBUG; level <= MCP_LOG_EMERGENCY; level++)
        mcp_call_log(call, (enum mcp_log_level)level, level % 2 == 0 ? "work" : NULL, "a line");
    for (int i = 0; i <= 4; i++)
        mcp_call_progress(call, i * 0.25, 1, "working");
    mcp_call_progress(call, 1, 1, "not more than before");
    mcp_call_text(call, "done", 4);
    mcp_call_finish(call);
}

static void hold(struct mcp_call *call, void *context)
{
    (void)context;
    held[held_count++] = call;
}

static void let_go(struct mcp_call *call, void *context)
{
    (void)context;
    while (held_count > 0)
        mcp_call_finish(held[--held_count]);
    mcp_call_finish(call);
}

/* Asks for all that a client can be asked, one by one where it cannot be asked for all. */
static void ask(struct mcp_call *call, void *context)
{
    static const char form[] = "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}}}";
    static const char messages[] = "[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\"Hi\"}}]";
    struct mcp_json_writer *question;
    const void *state;
    size_t size;

    (void)context;
    if (mcp_call_state(call, &state, &size) != 0)
        return;
    if (state != NULL) {
        mcp_call_text(call, state, size);
        mcp_call_finish(call);
        return;
    }
    if (mcp_call_ask(call, "roots", MCP_ASK_ROOTS) == NULL)
        return;
    question = mcp_call_ask(call, "word", MCP_ASK_SAMPLING);
    if (question == NULL)
        return;
    mcp_json_key_write(question, "messages");
    mcp_json_raw_value(question, messages, strlen(messages));
    mcp_json_member_int(question, "maxTokens", 10);
    if (mcp_call_can_ask(call, MCP_ASK_FORM)) {
        question = mcp_call_ask(call, "form", MCP_ASK_FORM);
        mcp_json_member_string(question, "message", "Who?");
        mcp_json_key_write(question, "requestedSchema");
        mcp_json_raw_value(question, form, strlen(form));
    }
    if (mcp_call_can_ask(call, MCP_ASK_URL)) {
        question = mcp_call_ask(call, "page", MCP_ASK_URL);
        mcp_json_member_string(question, "message", "Visit");
        mcp_json_member_string(question, "url", "https://example.com/");
    }
    mcp_call_wait(call, "asked", 5);
}

/* Asks as a task where it can be one. */
static void ask_later(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *question;

    (void)context;
    mcp_call_continue_as_task(call);
    if (mcp_json_type(mcp_call_input(call, "form")) != MCP_JSON_NONE) {
        mcp_call_text(call, "asked", 5);
        mcp_call_finish(call);
        return;
    }
    question = mcp_call_ask(call, "form", MCP_ASK_FORM);
    if (question == NULL)
        return;
    mcp_json_member_string(question, "message", "Who?");
    mcp_json_key_write(question, "requestedSchema");
    mcp_json_raw_value(question, "{\"type\":\"object\",\"properties\":{}}", 33);
    mcp_call_wait(call, NULL, 0);
}

static void visit(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *question = mcp_call_ask(call, "page", MCP_ASK_URL);

    (void)context;
    if (question == NULL)
        return;
    mcp_json_member_string(question, "message", "Visit");
    mcp_json_member_string(question, "url", "https://example.com/");
    mcp_call_require_urls(call);
}

static void break_down(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_continue_as_task(call);
    mcp_call_error(call, MCP_ERROR_INTERNAL, "broken");
}

/* ---- resources ---- */

static void read_text(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_text(call, "the text", 8);
    mcp_call_finish(call);
}

static void read_picture(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_content(call, &(struct mcp_content){.type = MCP_CONTENT_RESOURCE_BLOB,
                                                 .data = picture,
                                                 .size = sizeof(picture),
                                                 .meta = "{\"example.com/a\":1}"});
    mcp_call_finish(call);
}

static void read_note(struct mcp_call *call, void *context)
{
    const char *name;
    size_t length;

    (void)context;
    if (mcp_call_string(call, "name", &name, &length) != 0)
        return;
    if (strcmp(name, "lost") == 0) {
        mcp_call_not_found(call);
    } else if (strcmp(name, "broken") == 0) {
        mcp_call_fail(call, "the note cannot be read");
    } else {
        mcp_call_text(call, name, length);
        mcp_call_finish(call);
    }
}

static void complete(struct mcp_call *call, void *context)
{
    const char *name, *value;
    char text[32];
    size_t length;

    (void)context;
    mcp_call_completing(call, &name, &value, &length);
    for (int i = 0; i < (value[0] == 'm' ? 150 : 3); i++) {
        (void)snprintf(text, sizeof(text), "%s%d", name, i);
        mcp_call_suggest(call, text);
    }
    mcp_call_finish(call);
}

/* ---- prompts ---- */

static void greet(struct mcp_call *call, void *context)
{
    const char *name;
    size_t length;

    (void)context;
    if (mcp_call_string(call, "name", &name, &length) != 0)
        return;
    mcp_call_text(call, name, length);
    mcp_call_message(call, MCP_ROLE_ASSISTANT,
                     &(struct mcp_content){.type = MCP_CONTENT_TEXT, .data = "Hello.", .size = 6});
    mcp_call_finish(call);
}

static const struct mcp_tool extra = {
    .name = "extra", .input_schema = "{\"type\":\"object\"}", .handler = fail};

static void change(struct mcp_call *call, void *context)
{
    (void)context;
    if (mcp_server_remove_tool(server, "extra") != 0)
        (void)mcp_server_add_tool(server, &extra);
    mcp_server_resource_updated(server, "file:///readme");
    mcp_server_resource_updated(server, "note://a");
    mcp_server_log(server, MCP_LOG_ERROR, "server", "changed");
    mcp_call_finish(call);
}

#define ICONS  "[{\"src\":\"https://example.com/i.svg\",\"mimeType\":\"image/svg+xml\",\"theme\":\"dark\"}]"
#define OBJECT "{\"type\":\"object\"}"

static const struct mcp_tool tools[] = {
    {.name = "add",
     .title = "Add",
     .description = "Adds two numbers.",
     .input_schema =
         "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"},\"b\":{\"type\":\"number\"}},"
         "\"required\":[\"a\"],\"additionalProperties\":false}",
     .output_schema =
         "{\"type\":\"object\",\"properties\":{\"sum\":{\"type\":\"number\"}},\"required\":[\"sum\"]}",
     .annotations = "{\"title\":\"A\",\"readOnlyHint\":true,\"idempotentHint\":true}",
     .icons = ICONS,
     .meta = "{\"example.com/m\":true}",
     .handler = add},
    {.name = "numbers",
     .input_schema = OBJECT,
     .output_schema = "{\"type\":\"array\"}",
     .handler = list_numbers},
    {.name = "show", .input_schema = OBJECT, .handler = show},
    {.name = "fail", .input_schema = OBJECT, .handler = fail},
    {.name = "work", .input_schema = OBJECT, .handler = work},
    {.name = "ask", .input_schema = OBJECT, .handler = ask},
    {.name = "hold", .input_schema = OBJECT, .handler = hold},
    {.name = "let_go", .input_schema = OBJECT, .handler = let_go},
    {.name = "change", .input_schema = OBJECT, .handler = change},
    {.name = "slow", .input_schema = OBJECT, .handler = hold, .tasks = MCP_TASKS_OPTIONAL},
    {.name = "quick", .input_schema = OBJECT, .handler = show, .tasks = MCP_TASKS_OPTIONAL},
    {.name = "must", .input_schema = OBJECT, .handler = hold, .tasks = MCP_TASKS_REQUIRED},
    {.name = "break", .input_schema = OBJECT, .handler = break_down, .tasks = MCP_TASKS_OPTIONAL},
    {.name = "ask_later", .input_schema = OBJECT, .handler = ask_later, .tasks = MCP_TASKS_OPTIONAL},
    {.name = "visit", .input_schema = OBJECT, .handler = visit},
};

static const struct mcp_resource resources[] = {
    {.uri = "file:///readme",
     .name = "readme",
     .title = "Read me",
     .description = "Text",
     .mime_type = "text/plain",
     .annotations = "{\"audience\":[\"assistant\"],\"priority\":1}",
     .icons = ICONS,
     .meta = "{}",
     .size = 8,
     .ttl_ms = 1000,
     .shared = true,
     .handler = read_text},
    {.uri = "file:///picture", .name = "picture", .mime_type = "image/png", .handler = read_picture},
    {.uri = "note://{name}",
     .name = "note",
     .title = "Notes",
     .description = "Any note",
     .mime_type = "text/plain",
     .annotations = "{\"priority\":0}",
     .icons = ICONS,
     .meta = "{}",
     .handler = read_note,
     .complete = complete},
    {.uri = "slow:{+path}", .name = "slow", .handler = hold},
};

static const struct mcp_prompt_argument arguments[] = {
    {.name = "name", .title = "Name", .description = "Who", .required = true}, {.name = "mood"}};

static const struct mcp_prompt prompts[] = {
    {.name = "greet",
     .title = "Greeting",
     .description = "Says hello",
     .icons = ICONS,
     .meta = "{}",
     .arguments = arguments,
     .argument_count = 2,
     .handler = greet,
     .complete = complete},
    {.name = "show", .handler = show},
    {.name = "fail", .handler = fail},
};

/* Good enough to be told from nothing, and from the last. */
static int entropy(void *context, void *bytes, size_t size)
{
    static unsigned char last;

    (void)context;
    memset(bytes, ++last, size);
    return 0;
}

static uint64_t clock_ms(void *context)
{
    (void)context;
    return 0;
}

static int send_message(void *context, const char *message, size_t length)
{
    (void)context;
    return fwrite(message, 1, length, stdout) == length && putchar('\n') == '\n' && fflush(stdout) == 0 ? 0
                                                                                                        : -1;
}

static void complain(void *context, const char *line)
{
    (void)context;
    (void)fprintf(stderr, "%s\n", line);
}

static int declare(void)
{
    int result = mcp_server_enable_tasks(server, NULL);

    mcp_server_enable_changes(server, true, true);
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
        result |= mcp_server_add_tool(server, &tools[i]);
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++)
        result |= mcp_server_add_resource(server, &resources[i]);
    for (size_t i = 0; i < sizeof(prompts) / sizeof(prompts[0]); i++)
        result |= mcp_server_add_prompt(server, &prompts[i]);
    return result;
}

int main(void)
{
    const struct mcp_server_config config = {
        .name = "conformance",
        .title = "Everything",
        .version = "1",
        .description = "Something of everything",
        .website_url = "https://example.com/",
        .icons = ICONS,
        .instructions = "Ask.",
        .memory = {.allocate = allocate, .release = release},
        .list_ttl_ms = 5000,
        .logging = true,
        .check_results = true,
        .entropy = entropy,
        .clock_ms = clock_ms,
        .report = complain,
    };
    struct mcp_session *session;
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    if (mcp_server_create(&config, &server) != 0 || declare() != 0 ||
        mcp_session_open(server, send_message, NULL, &session) != 0)
        return 1;
    while ((length = getline(&line, &size, stdin)) > 0)
        mcp_session_receive(session, line, (size_t)length);
    free(line);
    mcp_session_end_subscriptions(session);
    mcp_session_close(session);
    while (held_count > 0)
        mcp_call_finish(held[--held_count]);
    mcp_server_end_tasks(server);
    mcp_server_destroy(server);
    return 0;
}
