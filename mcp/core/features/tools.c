/* SPDX-License-Identifier: MIT
 *
 * The registry of tools, tools/list and tools/call (MCP 2025-11-25, "Server features / Tools").
 */
#include "mcp/tool.h"

#include <errno.h>
#include <string.h>

#include "json_private.h"
#include "json_scan.h"
#include "server_private.h"

#define NAME_MAX_LENGTH 128

/* Of a message around the tools of one page: the envelope, the cursor, an id of usual length. */
#define PAGE_OVERHEAD 512

static bool name_is_valid(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";

    return name != NULL && name[0] != '\0' && strlen(name) <= NAME_MAX_LENGTH &&
           name[strspn(name, allowed)] == '\0';
}

static bool is_object_text(const char *text)
{
    struct mcp_json_error error;
    size_t tokens;

    return json_scan(text, strlen(text), &tokens, &error) == 0 && text[strspn(text, " \t\r\n")] == '{';
}

static void write_json_member(struct mcp_json_writer *writer, const char *name, const char *text)
{
    mcp_json_key_write(writer, name);
    mcp_json_raw_value(writer, text, strlen(text));
}

static void write_tool(struct mcp_json_writer *writer, const struct mcp_tool *tool,
                       const struct mcp_version *version)
{
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "name", tool->name);
    if (tool->title != NULL && version->titles)
        mcp_json_member_string(writer, "title", tool->title);
    if (tool->description != NULL)
        mcp_json_member_string(writer, "description", tool->description);
    write_json_member(writer, "inputSchema", tool->input_schema);
    if (tool->output_schema != NULL && version->structured_content)
        write_json_member(writer, "outputSchema", tool->output_schema);
    if (tool->annotations != NULL && version->annotations)
        write_json_member(writer, "annotations", tool->annotations);
    mcp_json_end_object(writer);
}

/* The newest version lists the most: what fits there fits in all. */
static int measure(const struct mcp_server *server, const struct mcp_tool *tool, size_t *size)
{
    struct mcp_json_writer writer;
    const char *text;
    int result;

    mcp_json_writer_initialise(&writer, &server->config.memory, server->config.message_max - PAGE_OVERHEAD);
    write_tool(&writer, tool, mcp_version_latest());
    result = mcp_json_finish(&writer, &text, size);
    mcp_json_writer_release(&writer);
    return result;
}

/* The embedder's hook hears what is wrong with a tool. */
static void report(const struct mcp_server *server, const struct mcp_tool *tool, const char *what,
                   const char *why)
{
    struct text line = {0};

    if (server->config.report == NULL)
        return;
    text_add(&line, "tool ");
    text_add(&line, tool->name != NULL ? tool->name : "without a name");
    text_add(&line, ": ");
    text_add(&line, what);
    text_add(&line, why);
    server->config.report(server->config.report_context, line.bytes);
}

static int refuse(const struct mcp_server *server, const struct mcp_tool *tool, const char *why)
{
    report(server, tool, why, "");
    return -EINVAL;
}

static int compile(const struct mcp_server *server, const struct mcp_tool *tool, const char *name,
                   const char *text, struct schema **schema)
{
    struct text why = {0};
    int result = schema_compile(&server->config.memory, text, strlen(text), schema, &why);

    if (result == -EINVAL)
        report(server, tool, name, why.bytes);
    return result;
}

/* What is compiled stays in *entry also where it fails. */
static int compile_schemas(const struct mcp_server *server, struct tool_entry *entry)
{
    const struct mcp_tool *tool = &entry->tool;
    struct mcp_json type;
    int result = compile(server, tool, "inputSchema", tool->input_schema, &entry->input_schema);

    if (result != 0)
        return result;
    type = mcp_json_member(schema_root(entry->input_schema), "type");
    if (!mcp_json_equals(type, "object"))
        return refuse(server, tool, "inputSchema: its \"type\" must be \"object\"");
    if (tool->output_schema == NULL)
        return 0;
    result = compile(server, tool, "outputSchema", tool->output_schema, &entry->output_schema);
    if (result == 0 && mcp_json_type(schema_root(entry->output_schema)) != MCP_JSON_OBJECT)
        return refuse(server, tool, "outputSchema: must be an object");
    return result;
}

static int fill_entry(const struct mcp_server *server, struct tool_entry *entry)
{
    int result = compile_schemas(server, entry);

    if (result == 0)
        result = measure(server, &entry->tool, &entry->listed_size);
    if (result == -EFBIG)
        return refuse(server, &entry->tool, "too long for a message");
    return result;
}

static void free_entry(const struct mcp_server *server, struct tool_entry *entry)
{
    schema_free(entry->input_schema);
    schema_free(entry->output_schema);
    server->config.memory.release(server->config.memory.context, entry, sizeof(*entry));
}

int mcp_server_add_tool(struct mcp_server *server, const struct mcp_tool *tool)
{
    const struct mcp_memory *memory = &server->config.memory;
    struct tool_entry **end = &server->tools;
    struct tool_entry *entry;
    int result;

    if (!name_is_valid(tool->name))
        return refuse(server, tool, "a name is 1 to 128 of A-Z a-z 0-9 _ - .");
    if (tool->handler == NULL || tool->input_schema == NULL)
        return refuse(server, tool, "it needs a handler and an input schema");
    if (tool->annotations != NULL && !is_object_text(tool->annotations))
        return refuse(server, tool, "annotations: must be a JSON object");
    for (; *end != NULL; end = &(*end)->next)
        if (strcmp((*end)->tool.name, tool->name) == 0)
            return -EEXIST;
    entry = memory->allocate(memory->context, sizeof(*entry));
    if (entry == NULL)
        return -ENOMEM;
    *entry = (struct tool_entry){.tool = *tool};
    result = fill_entry(server, entry);
    if (result != 0)
        free_entry(server, entry);
    else
        *end = entry;
    return result;
}

int tool_check_arguments(const struct tool_entry *entry, struct mcp_json arguments, struct text *why)
{
    static const struct schema_subject subject = {.whole = "arguments", .part = "argument"};

    return schema_check(entry->input_schema, arguments, &subject, why, NULL);
}

int tool_check_result(const struct mcp_server *server, const struct tool_entry *entry, const char *result,
                      size_t length, struct text *why)
{
    static const struct schema_subject subject = {.whole = "the result", .part = "member"};
    struct mcp_json_document *document;
    struct mcp_json_error error;
    int status;

    if (!server->config.check_results || entry->output_schema == NULL)
        return 0;
    text_add(why, "the tool breaks its output schema: ");
    if (result == NULL) {
        text_add(why, "there is no structured content");
        status = -EINVAL;
    } else {
        status = mcp_json_parse(&server->config.memory, result, length, &document, &error);
        if (status != 0)
            return status; /* -ENOMEM: the text is what the writer made */
        status = schema_check(entry->output_schema, mcp_json_root(document), &subject, why, NULL);
        mcp_json_free(document);
    }
    if (status != 0)
        report(server, &entry->tool, "", why->bytes);
    return status;
}

void tools_release(struct mcp_server *server)
{
    while (server->tools != NULL) {
        struct tool_entry *entry = server->tools;

        server->tools = entry->next;
        free_entry(server, entry);
    }
}

const struct tool_entry *tool_find(const struct mcp_server *server, struct mcp_json name)
{
    const struct tool_entry *entry = server->tools;

    while (entry != NULL && !mcp_json_equals(name, entry->tool.name))
        entry = entry->next;
    return entry;
}

/* The cursor is the place in the list, in decimal. Returns NULL when it is none of ours. */
static const struct tool_entry *entry_at_cursor(const struct mcp_server *server, struct mcp_json cursor,
                                                uint64_t *index)
{
    const struct tool_entry *entry = server->tools;
    char text[JSON_DOUBLE_MAX + 1];

    for (*index = 0; entry != NULL; ++*index, entry = entry->next) {
        text[json_uint_to_text(*index, text)] = '\0';
        if (*index > 0 && mcp_json_equals(cursor, text))
            return entry;
    }
    return NULL;
}

/* A page holds as many tools as a message can; a usual server has one page. */
static void handle_list(const struct request *request)
{
    const struct mcp_server *server = request->session->server;
    struct mcp_json cursor = mcp_json_member(request->params, "cursor");
    const struct tool_entry *entry = server->tools;
    struct mcp_json_writer writer;
    uint64_t index = 0;
    size_t size = PAGE_OVERHEAD;

    if (mcp_json_type(cursor) != MCP_JSON_NONE) {
        entry = entry_at_cursor(server, cursor, &index);
        if (entry == NULL) {
            reply_error(&request->reply, MCP_ERROR_INVALID_PARAMS, "Invalid params: unknown cursor", NULL);
            return;
        }
    }
    reply_result_begin(&request->reply, &writer);
    mcp_json_begin_object(&writer);
    mcp_json_key_write(&writer, "tools");
    mcp_json_begin_array(&writer);
    while (entry != NULL && size + entry->listed_size + 1 <= server->config.message_max) {
        write_tool(&writer, &entry->tool, request->session->version);
        size += entry->listed_size + 1;
        entry = entry->next;
        index++;
    }
    mcp_json_end_array(&writer);
    if (entry != NULL) {
        char text[JSON_DOUBLE_MAX];

        mcp_json_key_write(&writer, "nextCursor");
        mcp_json_string_n(&writer, text, json_uint_to_text(index, text));
    }
    mcp_json_end_object(&writer);
    (void)reply_result_end(&request->reply, &writer);
}

static void handle_call(const struct request *request)
{
    struct mcp_json name = mcp_json_member(request->params, "name");
    struct mcp_json arguments = mcp_json_member(request->params, "arguments");
    const struct tool_entry *entry = tool_find(request->session->server, name);
    struct text text = {0};

    text_add(&text, "Invalid params: ");
    if (mcp_json_type(name) != MCP_JSON_STRING) {
        text_add(&text, "name must be a string");
    } else if (entry == NULL) {
        text_add(&text, "unknown tool ");
        text_add_quoted(&text, name);
    } else if (mcp_json_type(arguments) != MCP_JSON_NONE && mcp_json_type(arguments) != MCP_JSON_OBJECT) {
        text_add(&text, "arguments must be an object");
    } else {
        call_start(request, entry, arguments, false);
        return;
    }
    reply_error(&request->reply, MCP_ERROR_INVALID_PARAMS, text.bytes, NULL);
}

static void write_tools_capability(const struct mcp_server *server, struct mcp_json_writer *writer)
{
    if (server->tools == NULL)
        return;
    mcp_json_key_write(writer, "tools");
    mcp_json_begin_object(writer);
    mcp_json_end_object(writer);
}

static const struct method methods[] = {
    {.name = "tools/list", .handle = handle_list},
    {.name = "tools/call", .handle = handle_call},
};

const struct feature feature_tools = {.methods = methods,
                                      .method_count = sizeof(methods) / sizeof(methods[0]),
                                      .write_capabilities = write_tools_capability};
