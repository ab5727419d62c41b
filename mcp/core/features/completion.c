/* SPDX-License-Identifier: MIT
 *
 * completion/complete (MCP 2025-11-25, "Server features / Utilities / Completion").
 */
#include <string.h>

#include "call_private.h"
#include "uri_template.h"

/* Who completes what. */
struct target {
    mcp_call_handler complete; /* NULL: nobody; the answer is empty */
    void *context;
    uint32_t needs;
    const char *name;
};

static bool prompt_has_argument(const struct mcp_prompt *prompt, struct mcp_json name)
{
    for (size_t i = 0; i < prompt->argument_count; i++)
        if (mcp_json_equals(name, prompt->arguments[i].name))
            return true;
    return false;
}

/* Returns what is wrong with the reference, or NULL. */
static const char *find_target(const struct mcp_server *server, struct mcp_json ref,
                               struct mcp_json argument_name, struct target *target)
{
    struct mcp_json type = mcp_json_member(ref, "type");

    if (mcp_json_equals(type, "ref/prompt")) {
        const struct prompt_entry *entry = prompt_find(server, mcp_json_member(ref, "name"));

        if (entry == NULL)
            return "ref names no prompt";
        if (!prompt_has_argument(&entry->prompt, argument_name))
            return "argument names none of the prompt's";
        *target = (struct target){entry->prompt.complete, entry->prompt.context, entry->item.needs,
                                  entry->prompt.name};
        return NULL;
    }
    if (mcp_json_equals(type, "ref/resource")) {
        const struct resource_entry *entry = template_find(server, mcp_json_member(ref, "uri"));

        if (entry == NULL)
            return "ref names no resource template";
        if (!uri_template_has_variable(entry->resource.uri, argument_name))
            return "argument names no variable of the template";
        *target = (struct target){entry->resource.complete, entry->resource.context, entry->item.needs,
                                  entry->resource.uri};
        return NULL;
    }
    return "ref must be of type ref/prompt or ref/resource";
}

static void complete_nothing(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_finish(call);
}

static void run(const struct request *request, const struct target *target, struct mcp_json argument)
{
    const struct mcp_server *server = request->session->server;
    struct mcp_json known = mcp_json_member(mcp_json_member(request->params, "context"), "arguments");
    struct mcp_json value = mcp_json_member(argument, "value");
    struct call_block *name_text = block_decode(server, mcp_json_member(argument, "name"));
    struct call_block *value_text = name_text != NULL ? block_decode(server, value) : NULL;
    struct mcp_call *call;

    if (value_text == NULL) {
        block_release(server, name_text);
        reply_overloaded(&request->reply, "Overloaded: out of memory for this call");
        return;
    }
    call =
        call_begin(request, CALL_COMPLETION, target->complete != NULL ? target->complete : complete_nothing,
                   NULL, target->context, known);
    if (call == NULL) {
        block_release(server, name_text);
        block_release(server, value_text);
        return;
    }
    call_adopt(call, name_text);
    call_adopt(call, value_text);
    call->argument_name = name_text->bytes;
    call->argument_value = value_text->bytes;
    call->argument_value_length = mcp_json_string_length(value);
    call_run(call, request);
}

static void handle_complete(const struct request *request)
{
    struct mcp_json argument = mcp_json_member(request->params, "argument");
    struct mcp_json name = mcp_json_member(argument, "name");
    struct target target;
    const char *wrong;

    if (mcp_json_type(name) != MCP_JSON_STRING ||
        mcp_json_type(mcp_json_member(argument, "value")) != MCP_JSON_STRING)
        wrong = "argument must have a name and a value, both strings";
    else
        wrong = find_target(request->session->server, mcp_json_member(request->params, "ref"), name, &target);
    if (wrong != NULL)
        reply_invalid_params(&request->reply, wrong);
    else if (request_may_use(request, target.needs, target.name))
        run(request, &target, argument);
}

void mcp_call_completing(const struct mcp_call *call, const char **name, const char **value,
                         size_t *value_length)
{
    *name = call->argument_name;
    *value = call->argument_value;
    *value_length = call->argument_value_length;
}

static void write_completion_capability(const struct mcp_server *server, const struct mcp_version *version,
                                        struct mcp_json_writer *writer)
{
    (void)server;
    if (!version->completions)
        return;
    mcp_json_key_write(writer, "completions");
    mcp_json_begin_object(writer);
    mcp_json_end_object(writer);
}

static const struct method methods[] = {
    {.name = "completion/complete", .handle = handle_complete, .versions = EVERY_VERSION},
};

const struct feature feature_completion = {.methods = methods,
                                           .method_count = sizeof(methods) / sizeof(methods[0]),
                                           .write_capabilities = write_completion_capability};
