/* SPDX-License-Identifier: MIT
 *
 * Prompts: prompts/list and prompts/get (MCP 2025-11-25, "Server features / Prompts").
 */
#include "mcp/prompt.h"

#include <errno.h>
#include <string.h>

#include "call_private.h"

static void write_argument(struct mcp_json_writer *writer, const struct mcp_prompt_argument *argument,
                           const struct mcp_version *version)
{
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "name", argument->name);
    if (argument->title != NULL && version->titles)
        mcp_json_member_string(writer, "title", argument->title);
    if (argument->description != NULL)
        mcp_json_member_string(writer, "description", argument->description);
    mcp_json_member_bool(writer, "required", argument->required);
    mcp_json_end_object(writer);
}

static void write_prompt(struct mcp_json_writer *writer, const struct item *item,
                         const struct mcp_version *version)
{
    const struct mcp_prompt *prompt = &((const struct prompt_entry *)item)->prompt;

    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "name", prompt->name);
    if (prompt->title != NULL && version->titles)
        mcp_json_member_string(writer, "title", prompt->title);
    if (prompt->description != NULL)
        mcp_json_member_string(writer, "description", prompt->description);
    if (prompt->argument_count > 0) {
        mcp_json_key_write(writer, "arguments");
        mcp_json_begin_array(writer);
        for (size_t i = 0; i < prompt->argument_count; i++)
            write_argument(writer, &prompt->arguments[i], version);
        mcp_json_end_array(writer);
    }
    if (prompt->icons != NULL && version->icons)
        write_json_member(writer, "icons", prompt->icons);
    if (prompt->meta != NULL && version->metadata)
        write_json_member(writer, "_meta", prompt->meta);
    mcp_json_end_object(writer);
}

static const struct list_kind kind = {.member = "prompts", .write = write_prompt};

static struct prompt_entry *entry_named(const struct mcp_server *server, const char *name)
{
    struct item *item = server->prompts.first;

    while (item != NULL && strcmp(((struct prompt_entry *)item)->prompt.name, name) != 0)
        item = item->next;
    return (struct prompt_entry *)item;
}

static bool arguments_are_valid(const struct mcp_prompt *prompt)
{
    for (size_t i = 0; i < prompt->argument_count; i++)
        if (prompt->arguments[i].name == NULL || prompt->arguments[i].name[0] == '\0')
            return false;
    return true;
}

int mcp_server_add_prompt(struct mcp_server *server, const struct mcp_prompt *prompt)
{
    const struct mcp_memory *memory = &server->config.memory;
    struct prompt_entry *entry;
    int result = declaration_check_name(server, "prompt ", prompt->name);

    if (result == 0)
        result = declaration_check_json(server, "prompt ", prompt->name, NULL, prompt->icons, prompt->meta);
    if (result != 0)
        return result;
    if (prompt->handler == NULL || !arguments_are_valid(prompt))
        return declaration_refuse(server, "prompt ", prompt->name, "it needs a handler, its arguments names",
                                  "");
    if (entry_named(server, prompt->name) != NULL)
        return -EEXIST;
    entry = memory->allocate(memory->context, sizeof(*entry));
    if (entry == NULL)
        return -ENOMEM;
    *entry = (struct prompt_entry){.item.needs = prompt->needs, .prompt = *prompt};
    result = registry_add(server, &server->prompts, &kind, &entry->item);
    if (result != 0) {
        memory->release(memory->context, entry, sizeof(*entry));
        return result == -EFBIG
                   ? declaration_refuse(server, "prompt ", prompt->name, "too long for a message", "")
                   : result;
    }
    server_use(server, &feature_prompts);
    if (prompt->complete != NULL)
        server_use(server, &feature_completion);
    list_changed(server, LIST_PROMPTS);
    return 0;
}

int mcp_server_remove_prompt(struct mcp_server *server, const char *name)
{
    const struct mcp_memory *memory = &server->config.memory;
    struct prompt_entry *entry = entry_named(server, name);

    if (entry == NULL)
        return -ENOENT;
    registry_remove(&server->prompts, &entry->item);
    memory->release(memory->context, entry, sizeof(*entry));
    list_changed(server, LIST_PROMPTS);
    return 0;
}

static void release(struct mcp_server *server)
{
    const struct mcp_memory *memory = &server->config.memory;

    while (server->prompts.first != NULL) {
        struct item *item = server->prompts.first;

        server->prompts.first = item->next;
        memory->release(memory->context, item, sizeof(struct prompt_entry));
    }
}

const struct prompt_entry *prompt_find(const struct mcp_server *server, struct mcp_json name)
{
    const struct item *item = server->prompts.first;

    while (item != NULL && !mcp_json_equals(name, ((const struct prompt_entry *)item)->prompt.name))
        item = item->next;
    return (const struct prompt_entry *)item;
}

/* Whether the arguments are strings, and those are there that must be; otherwise false, and *text says why
 * not. */
static bool check_arguments(const struct mcp_prompt *prompt, struct mcp_json arguments, struct text *text)
{
    if (mcp_json_type(arguments) != MCP_JSON_NONE && mcp_json_type(arguments) != MCP_JSON_OBJECT) {
        text_add(text, "arguments must be an object");
        return false;
    }
    for (struct mcp_json value = mcp_json_first(arguments); mcp_json_type(value) != MCP_JSON_NONE;
         value = mcp_json_next(value)) {
        if (mcp_json_type(value) != MCP_JSON_STRING) {
            text_add(text, "argument ");
            text_add_quoted(text, mcp_json_key(value));
            text_add(text, " must be a string");
            return false;
        }
    }
    for (size_t i = 0; i < prompt->argument_count; i++) {
        const struct mcp_prompt_argument *argument = &prompt->arguments[i];

        if (argument->required &&
            mcp_json_type(mcp_json_member(arguments, argument->name)) == MCP_JSON_NONE) {
            text_add(text, "argument \"");
            text_add(text, argument->name);
            text_add(text, "\" is missing");
            return false;
        }
    }
    return true;
}

static void run_get(const struct request *request, const struct mcp_prompt *prompt, struct mcp_json arguments)
{
    struct mcp_call *call =
        call_begin(request, CALL_PROMPT, prompt->handler, prompt->cancelled, prompt->context, arguments);

    if (call == NULL)
        return;
    call->description = prompt->description;
    call->name = prompt->name;
    call_run(call, request);
}

static void handle_get(const struct request *request)
{
    struct mcp_json name = mcp_json_member(request->params, "name");
    struct mcp_json arguments = mcp_json_member(request->params, "arguments");
    const struct prompt_entry *entry = prompt_find(request->session->server, name);
    struct text text = {0};

    if (mcp_json_type(name) != MCP_JSON_STRING) {
        text_add(&text, "name must be a string");
    } else if (entry == NULL) {
        text_add(&text, "unknown prompt ");
        text_add_quoted(&text, name);
    } else if (!request_may_use(request, entry->item.needs, entry->prompt.name)) {
        return;
    } else if (check_arguments(&entry->prompt, arguments, &text)) {
        run_get(request, &entry->prompt, arguments);
        return;
    }
    reply_invalid_params(&request->reply, text.bytes);
}

static void handle_list(const struct request *request)
{
    registry_list(request, &request->session->server->prompts, &kind);
}

static void write_prompts_capability(const struct mcp_server *server, const struct mcp_version *version,
                                     struct mcp_json_writer *writer)
{
    (void)version;
    write_list_capability(server, writer, "prompts");
    mcp_json_end_object(writer);
}

static const struct method methods[] = {
    {.name = "prompts/list", .handle = handle_list, .versions = EVERY_VERSION},
    {.name = "prompts/get", .handle = handle_get, .versions = EVERY_VERSION},
};

const struct feature feature_prompts = {.methods = methods,
                                        .method_count = sizeof(methods) / sizeof(methods[0]),
                                        .write_capabilities = write_prompts_capability,
                                        .release = release};
