/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elicit.h"
#include "header_arguments.h"
#include "platform.h"
#include "tasks.h"

#define PAGES_MAX 1000 /* of a list: a server whose list has no end is cut off */

static void on_waiting(void *context, int64_t elapsed_ms, const json_t *progress)
{
    struct session *session = context;
    if (!session->quiet && session->streamed.length == 0)
        waiting_show(&session->waiting, elapsed_ms, progress);
}

static void on_progress(void *context, const json_t *params)
{
    struct session *session = context;
    const json_t *message = json_object_get(params, "message");
    if (!session->streams || !json_is_string(message) || json_string_length(message) == 0)
        return;
    waiting_show(&session->waiting, -1, NULL);
    output_text(&session->output, json_string_value(message), json_string_length(message));
    fflush(session->output.file);
    buffer_add(&session->streamed, json_string_value(message), json_string_length(message));
}

/* notifications/message: what the server logs. */
static void show_log(const struct session *session, const json_t *params)
{
    const json_t *data = json_object_get(params, "data");
    const char *level = json_string_value(json_object_get(params, "level"));
    char *text = json_is_string(data) ? NULL : json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
    const char *shown = json_is_string(data) ? json_string_value(data) : text;
    output_coloured(&session->errors, COLOUR_FAINT, level ? level : "log");
    output_coloured(&session->errors, COLOUR_FAINT, ": ");
    output_line(&session->errors, shown ? shown : "", shown ? strlen(shown) : 0);
    free(text);
}

static void on_notification(void *context, const char *method, const json_t *params, bool *stop)
{
    struct session *session = context;
    if (strcmp(method, "notifications/tools/list_changed") == 0) {
        json_decref(session->tools);
        session->tools = NULL;
    }
    if (strcmp(method, "notifications/message") == 0 && !session->quiet) {
        waiting_show(&session->waiting, -1, NULL);
        show_log(session, params);
    } else if (session->notification) {
        session->notification(session, method, params, stop);
    }
}

static void on_remark(void *context, const char *text, size_t length)
{
    struct session *session = context;
    if (session->quiet)
        return;
    waiting_show(&session->waiting, -1, NULL);
    output_coloured(&session->errors, COLOUR_FAINT, session->options.endpoint.name);
    output_coloured(&session->errors, COLOUR_FAINT, ": ");
    output_line(&session->errors, text, length);
    fflush(session->errors.file);
}

static json_t *on_elicit(void *context, const json_t *params)
{
    struct session *session = context;
    waiting_show(&session->waiting, -1, NULL);
    return elicit(&session->errors, params);
}

void session_initialise(struct session *session)
{
    struct client_hooks *hooks = &session->options.hooks;
    *hooks = (struct client_hooks){.context = session,
                                   .waiting = on_waiting,
                                   .progress = on_progress,
                                   .notification = on_notification,
                                   .remark = on_remark};
    if (elicit_possible(&session->errors))
        hooks->elicit = on_elicit;
    session->waiting.output = &session->errors;
    session->waiting.columns = platform_columns(session->errors.file);
}

enum status session_connect(struct session *session, struct error *error)
{
    if (session->client.open)
        return STATUS_OK;
    json_decref(session->tools); /* another server may have other tools */
    session->tools = NULL;
    return client_open(&session->client, &session->options, error);
}

void session_release(struct session *session)
{
    client_close(&session->client);
    json_decref(session->tools);
    session->tools = NULL;
    buffer_release(&session->streamed);
    endpoint_release(&session->options.endpoint);
    json_decref(session->options.roots);
    session->options.roots = NULL;
}

static enum status no_list(const char *member, const char *why, struct error *error)
{
    return error_set(error, STATUS_CONNECTION, "the server's list of %s is %s", member, why);
}

enum status session_list(struct session *session, const char *method, const char *member, json_t **list,
                         struct error *error)
{
    enum status status = session_connect(session, error);
    json_t *cursor = NULL;
    json_t *all = json_array();
    int pages = 0;
    do {
        json_t *result = NULL;
        struct error cause;
        if (status != STATUS_OK)
            break;
        json_t *params = cursor ? json_pack("{s:o}", "cursor", cursor) : json_object();
        cursor = NULL;
        status = client_request(&session->client, method, params, CLIENT_QUICK, &result, &cause);
        const json_t *page = json_object_get(result, member);
        if (status == STATUS_TOOL)
            status =
                error_set(error, STATUS_TOOL, "the server does not list its %s: %.900s", member, cause.text);
        else if (status != STATUS_OK)
            *error = cause;
        else if (!json_is_array(page))
            status = no_list(member, "no list", error);
        else if (++pages > PAGES_MAX)
            status = no_list(member, "endless", error);
        else {
            json_array_extend(all, (json_t *)page);
            cursor = json_incref(json_object_get(result, "nextCursor"));
        }
        json_decref(result);
    } while (status == STATUS_OK && json_is_string(cursor));
    json_decref(cursor);
    if (status != STATUS_OK) {
        json_decref(all);
        all = NULL;
    }
    *list = all;
    return status;
}

enum status session_tools(struct session *session, json_t **tools, struct error *error)
{
    enum status status = session_connect(session, error);
    if (status == STATUS_OK && !session->tools) {
        status = session_list(session, "tools/list", "tools", &session->tools, error);
        if (status == STATUS_TOOL)
            status = STATUS_CONNECTION; /* no server of tools */
    }
    *tools = session->tools;
    return status;
}

const json_t *session_find_tool(const json_t *tools, const char *name)
{
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *tool = json_array_get(tools, i);
        const char *each = json_string_value(json_object_get(tool, "name"));
        if (each && strcmp(each, name) == 0)
            return tool;
    }
    return NULL;
}

enum status session_request(struct session *session, const char *method, const char *what, json_t *params,
                            json_t **result, struct error *error)
{
    *result = NULL;
    enum status status = session_connect(session, error);
    if (status != STATUS_OK) {
        json_decref(params);
        return status;
    }
    struct error cause;
    status = client_request(&session->client, method, params, CLIENT_WORK, result, &cause);
    if (status == STATUS_TOOL)
        return error_set(error, STATUS_TOOL, "%.100s: %.900s", what, cause.text);
    if (status != STATUS_OK)
        *error = cause;
    return status;
}

/* The text of a result, for an error message. */
static enum status tool_failed(const char *tool, const json_t *result, struct error *error)
{
    const json_t *content = json_object_get(result, "content");
    const char *text = NULL;
    for (size_t i = 0; i < json_array_size(content) && !text; i++)
        text = json_string_value(json_object_get(json_array_get(content, i), "text"));
    return error_set(error, STATUS_TOOL, "%s: %s", tool, text ? text : "the tool failed and gives no reason");
}

/* MCP 2026-07-28, "Custom Headers from Tool Parameters": what the schema marks goes into headers of HTTP,
 * too. */
static enum status set_headers(struct session *session, const char *tool, const json_t *arguments,
                               struct error *error)
{
    json_t *tools = NULL;
    if (session->options.endpoint.kind != ENDPOINT_HTTP || !session->client.stateless)
        return STATUS_OK;
    enum status status = session_tools(session, &tools, error);
    if (status != STATUS_OK)
        return status;
    const json_t *schema = json_object_get(session_find_tool(tools, tool), "inputSchema");
    return header_arguments(schema, arguments, &session->client.headers, error);
}

enum status session_call(struct session *session, const char *tool, json_t *arguments, json_t **result,
                         struct error *error)
{
    *result = NULL;
    enum status status = session_connect(session, error);
    if (status == STATUS_OK)
        status = set_headers(session, tool, arguments, error);
    if (status != STATUS_OK) {
        json_decref(arguments);
        return status;
    }
    json_t *params = json_pack("{s:s, s:o}", "name", tool, "arguments", arguments);
    if (!params)
        return error_set(error, STATUS_USAGE, "the name of the tool is not UTF-8");
    if (json_object_get(json_object_get(session->client.server, "capabilities"), "tasks")) {
        json_t *tools = NULL;
        struct error ignored; /* without a list the call is a plain one */
        session_tools(session, &tools, &ignored);
        if (task_is_required(&session->client, session_find_tool(tools, tool)))
            json_object_set_new(params, "task", json_object());
    }
    status = session_request(session, "tools/call", tool, params, result, error);
    if (status == STATUS_OK) {
        struct error cause;
        status = task_follow(&session->client, result, &cause);
        if (status == STATUS_TOOL)
            error_set(error, status, "%.100s: %.900s", tool, cause.text);
        else if (status != STATUS_OK)
            *error = cause;
    }
    if (status == STATUS_OK && json_is_true(json_object_get(*result, "isError")))
        return tool_failed(tool, *result, error);
    return status;
}

void session_report(const struct session *session, const struct error *error)
{
    fflush(session->output.file);
    output_coloured(&session->errors, COLOUR_ERROR, "mcp-cli: ");
    output_line(&session->errors, error->text, strlen(error->text));
}
