/* SPDX-License-Identifier: MIT
 *
 * Tools: tools/list and tools/call (MCP 2025-11-25, "Server features / Tools").
 */
#include "mcp/tool.h"

#include <errno.h>
#include <string.h>

#include "call_private.h"
#include "task.h"

static void write_tool(struct mcp_json_writer *writer, const struct item *item,
                       const struct mcp_version *version)
{
    const struct tool_entry *entry = (const struct tool_entry *)item;
    const struct mcp_tool *tool = &entry->tool;

    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "name", tool->name);
    if (tool->title != NULL && version->titles)
        mcp_json_member_string(writer, "title", tool->title);
    if (tool->description != NULL)
        mcp_json_member_string(writer, "description", tool->description);
    write_json_member(writer, "inputSchema", tool->input_schema);
    if (tool->output_schema != NULL && version->structured_content &&
        (!entry->any_output || version->any_structured))
        write_json_member(writer, "outputSchema", tool->output_schema);
    if (tool->annotations != NULL && version->tool_annotations)
        write_json_member(writer, "annotations", tool->annotations);
    if (tool->icons != NULL && version->icons)
        write_json_member(writer, "icons", tool->icons);
    if (tool->tasks != MCP_TASKS_FORBIDDEN && version->task_requests) {
        mcp_json_key_write(writer, "execution");
        mcp_json_begin_object(writer);
        mcp_json_member_string(writer, "taskSupport",
                               tool->tasks == MCP_TASKS_REQUIRED ? "required" : "optional");
        mcp_json_end_object(writer);
    }
    if (tool->meta != NULL && version->metadata)
        write_json_member(writer, "_meta", tool->meta);
    mcp_json_end_object(writer);
}

static const struct list_kind kind = {.member = "tools", .write = write_tool};

static int refuse(const struct mcp_server *server, const struct mcp_tool *tool, const char *why)
{
    return declaration_refuse(server, "tool ", tool->name, why, "");
}

static int compile(const struct mcp_server *server, const struct mcp_tool *tool, const char *name,
                   const char *text, struct schema **schema)
{
    struct text why = {0};
    int result = schema_compile(&server->config.memory, text, strlen(text), schema, &why);

    if (result == -EINVAL)
        (void)declaration_refuse(server, "tool ", tool->name, name, why.bytes);
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
    if (result != 0)
        return result;
    if (mcp_json_type(schema_root(entry->output_schema)) != MCP_JSON_OBJECT)
        return refuse(server, tool, "outputSchema: must be an object");
    type = mcp_json_member(schema_root(entry->output_schema), "type");
    entry->any_output = !mcp_json_equals(type, "object");
    return 0;
}

static struct tool_entry *entry_named(const struct mcp_server *server, const char *name)
{
    struct item *item = server->tools.first;

    while (item != NULL && strcmp(((struct tool_entry *)item)->tool.name, name) != 0)
        item = item->next;
    return (struct tool_entry *)item;
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
    struct tool_entry *entry;
    int result = declaration_check_name(server, "tool ", tool->name);

    if (result != 0)
        return result;
    if (tool->handler == NULL || tool->input_schema == NULL)
        return refuse(server, tool, "it needs a handler and an input schema");
    result = declaration_check_json(server, "tool ", tool->name, tool->annotations, tool->icons, tool->meta);
    if (result != 0)
        return result;
    if (entry_named(server, tool->name) != NULL)
        return -EEXIST;
    entry = memory->allocate(memory->context, sizeof(*entry));
    if (entry == NULL)
        return -ENOMEM;
    *entry = (struct tool_entry){.item.needs = tool->needs, .tool = *tool};
    if (server->task_hooks == NULL)
        entry->tool.tasks = MCP_TASKS_FORBIDDEN;
    result = compile_schemas(server, entry);
    if (result == 0)
        result = registry_add(server, &server->tools, &kind, &entry->item);
    if (result == -EFBIG)
        result = refuse(server, tool, "too long for a message");
    if (result != 0) {
        free_entry(server, entry);
        return result;
    }
    if (entry->tool.tasks != MCP_TASKS_FORBIDDEN) /* what the newest version lists is not all */
        entry->item.listed_size += sizeof(",\"execution\":{\"taskSupport\":\"required\"}");
    list_changed(server, LIST_TOOLS);
    return 0;
}

int mcp_server_remove_tool(struct mcp_server *server, const char *name)
{
    struct tool_entry *entry = entry_named(server, name);

    if (entry == NULL)
        return -ENOENT;
    registry_remove(&server->tools, &entry->item);
    entry->removed = true;
    if (entry->calls == 0)
        free_entry(server, entry);
    list_changed(server, LIST_TOOLS);
    return 0;
}

static void release(struct mcp_server *server)
{
    while (server->tools.first != NULL) {
        struct tool_entry *entry = (struct tool_entry *)server->tools.first;

        server->tools.first = entry->item.next;
        free_entry(server, entry);
    }
}

struct tool_entry *tool_find(const struct mcp_server *server, struct mcp_json name)
{
    struct item *item = server->tools.first;

    while (item != NULL && !mcp_json_equals(name, ((struct tool_entry *)item)->tool.name))
        item = item->next;
    return (struct tool_entry *)item;
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
        (void)declaration_refuse(server, "tool ", entry->tool.name, why->bytes, "");
    return status;
}

void tool_end_call(const struct mcp_server *server, struct tool_entry *entry)
{
    entry->calls--;
    if (entry->removed && entry->calls == 0)
        free_entry(server, entry);
}

void call_tool(const struct request *request, struct tool_entry *entry, struct mcp_json arguments,
               bool as_method)
{
    static const struct schema_subject subject = {.whole = "arguments", .part = "argument"};
    const struct task_hooks *tasks = as_method ? NULL : request->session->server->task_hooks;
    enum task_choice choice = TASK_NO;
    struct text why = {0};
    struct mcp_call *call;

    if (!request_may_use(request, entry->item.needs, entry->tool.name))
        return;
    if (tasks != NULL)
        choice = tasks->choose(request, entry);
    if (choice == TASK_REFUSED)
        return;
    call = call_begin(request, as_method ? CALL_METHOD : CALL_TOOL, entry->tool.handler,
                      entry->tool.cancelled, entry->tool.context, arguments);
    if (call == NULL)
        return;
    call->tool = entry;
    call->name = entry->tool.name;
    entry->calls++;
    call->any_result = entry->any_output;
    if (choice == TASK_YES && !tasks->begin(call, request))
        return;
    if (schema_check(entry->input_schema, mcp_call_arguments(call), &subject, &why, NULL) != 0)
        (void)call_reject(call, &why);
    else
        call_run(call, request);
}

static void handle_list(const struct request *request)
{
    registry_list(request, &request->session->server->tools, &kind);
}

static void handle_call(const struct request *request)
{
    struct mcp_json name = mcp_json_member(request->params, "name");
    struct mcp_json arguments = mcp_json_member(request->params, "arguments");
    struct tool_entry *entry = tool_find(request->session->server, name);
    struct text text = {0};

    if (mcp_json_type(name) != MCP_JSON_STRING) {
        text_add(&text, "name must be a string");
    } else if (entry == NULL) {
        text_add(&text, "unknown tool ");
        text_add_quoted(&text, name);
    } else if (mcp_json_type(arguments) != MCP_JSON_NONE && mcp_json_type(arguments) != MCP_JSON_OBJECT) {
        text_add(&text, "arguments must be an object");
    } else {
        call_tool(request, entry, arguments, false);
        return;
    }
    reply_invalid_params(&request->reply, text.bytes);
}

static void write_tools_capability(const struct mcp_server *server, const struct mcp_version *version,
                                   struct mcp_json_writer *writer)
{
    (void)version;
    if (server->tools.last_serial == 0)
        return;
    write_list_capability(server, writer, "tools");
    mcp_json_end_object(writer);
}

static const struct method methods[] = {
    {.name = "tools/list", .handle = handle_list, .versions = EVERY_VERSION},
    {.name = "tools/call", .handle = handle_call, .versions = EVERY_VERSION},
};

const struct feature feature_tools = {.methods = methods,
                                      .method_count = sizeof(methods) / sizeof(methods[0]),
                                      .write_capabilities = write_tools_capability,
                                      .release = release};
