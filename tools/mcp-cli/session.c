/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <stdio.h>
#include <string.h>

#define PAGES_MAX 1000 /* of tools/list: a server whose list has no end is cut off */

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
}

enum status session_tools(struct session *session, json_t **tools, struct error *error)
{
    enum status status = session_connect(session, error);
    json_t *list = json_array();
    json_t *cursor = NULL;
    int pages = 0;
    while (status == STATUS_OK && !session->tools) {
        json_t *result = NULL;
        struct error cause;
        json_t *params = cursor ? json_pack("{s:o}", "cursor", cursor) : json_object();
        cursor = NULL;
        status = client_request(&session->client, "tools/list", params, CLIENT_QUICK, &result, &cause);
        if (status == STATUS_TOOL)
            status =
                error_set(error, STATUS_CONNECTION, "the server does not list its tools: %.900s", cause.text);
        else if (status != STATUS_OK)
            *error = cause;
        else if (!json_is_array(json_object_get(result, "tools")) || ++pages > PAGES_MAX)
            status = error_set(error, STATUS_CONNECTION, "the server's list of tools is %s",
                               pages > PAGES_MAX ? "endless" : "no list");
        else {
            json_array_extend(list, json_object_get(result, "tools"));
            cursor = json_object_get(result, "nextCursor");
            cursor = json_is_string(cursor) ? json_incref(cursor) : NULL;
            if (!cursor)
                session->tools = json_incref(list);
        }
        json_decref(result);
    }
    json_decref(cursor);
    json_decref(list);
    *tools = session->tools;
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

enum status session_call(struct session *session, const char *tool, json_t *arguments, json_t **result,
                         struct error *error)
{
    *result = NULL;
    enum status status = session_connect(session, error);
    if (status != STATUS_OK) {
        json_decref(arguments);
        return status;
    }
    json_t *params = json_pack("{s:s, s:o}", "name", tool, "arguments", arguments);
    if (!params)
        return error_set(error, STATUS_USAGE, "the name of the tool is not UTF-8");
    struct error cause;
    status = client_request(&session->client, "tools/call", params, CLIENT_WORK, result, &cause);
    if (status == STATUS_TOOL)
        return error_set(error, STATUS_TOOL, "%s: %.900s", tool, cause.text);
    if (status != STATUS_OK) {
        *error = cause;
        return status;
    }
    if (json_is_true(json_object_get(*result, "isError")))
        return tool_failed(tool, *result, error);
    return STATUS_OK;
}

void session_report(const struct session *session, const struct error *error)
{
    fflush(session->output.file);
    output_coloured(&session->errors, COLOUR_ERROR, "mcp-cli: ");
    output_line(&session->errors, error->text, strlen(error->text));
}
