/* SPDX-License-Identifier: MIT
 *
 * The life of a session that begins with `initialize` (MCP 2025-11-25, "Basic / Lifecycle"), and the table of
 * what differs between its versions.
 */
#include <string.h>

#include "json_private.h"
#include "server_private.h"

/* Newest first. */
static const struct mcp_version versions[] = {
    {.name = MCP_PROTOCOL_LATEST,
     .annotations = true,
     .titles = true,
     .structured_content = true,
     .argument_errors_as_result = true},
    {.name = "2025-06-18", .annotations = true, .titles = true, .structured_content = true},
    {.name = "2025-03-26", .batches = true, .annotations = true},
    {.name = "2024-11-05"},
};

const struct mcp_version *mcp_version_latest(void)
{
    return &versions[0];
}

/* The version that the client asks for; where we do not have it, our latest (the client then goes on or
 * leaves). */
static const struct mcp_version *negotiate(struct mcp_json requested)
{
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        if (mcp_json_equals(requested, versions[i].name))
            return &versions[i];
    return mcp_version_latest();
}

static bool is_object_or_absent(struct mcp_json value)
{
    return mcp_json_type(value) == MCP_JSON_NONE || mcp_json_type(value) == MCP_JSON_OBJECT;
}

static void write_initialize_result(struct mcp_json_writer *writer, const struct mcp_server *server,
                                    const struct mcp_version *version)
{
    const struct mcp_server_config *config = &server->config;

    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "protocolVersion", version->name);
    mcp_json_key_write(writer, "capabilities");
    write_capabilities(server, writer);
    mcp_json_key_write(writer, "serverInfo");
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "name", config->name);
    if (config->title != NULL && version->titles)
        mcp_json_member_string(writer, "title", config->title);
    mcp_json_member_string(writer, "version", config->version);
    mcp_json_end_object(writer);
    if (config->instructions != NULL)
        mcp_json_member_string(writer, "instructions", config->instructions);
    mcp_json_end_object(writer);
}

/* `capabilities` and `clientInfo` are not looked at, so a client that types by hand may leave them out. */
static void handle_initialize(const struct request *request)
{
    struct mcp_session *session = request->session;
    struct mcp_json requested = mcp_json_member(request->params, "protocolVersion");
    struct mcp_json_writer writer;
    const char *wrong = NULL;

    if (session->version != NULL) {
        reply_error(&request->reply, MCP_ERROR_INVALID_REQUEST,
                    "Invalid Request: the session is initialised already", NULL);
        return;
    }
    if (mcp_json_type(requested) != MCP_JSON_STRING)
        wrong = "Invalid params: protocolVersion must be a string";
    else if (!is_object_or_absent(mcp_json_member(request->params, "capabilities")))
        wrong = "Invalid params: capabilities must be an object";
    else if (!is_object_or_absent(mcp_json_member(request->params, "clientInfo")))
        wrong = "Invalid params: clientInfo must be an object";
    if (wrong != NULL) {
        reply_error(&request->reply, MCP_ERROR_INVALID_PARAMS, wrong, NULL);
        return;
    }
    reply_result_begin(&request->reply, &writer);
    write_initialize_result(&writer, session->server, negotiate(requested));
    session->version = negotiate(requested);
    if (reply_result_end(&request->reply, &writer) != 0)
        session->version = NULL; /* the client got an error, and may try again */
}

static void handle_ping(const struct request *request)
{
    struct mcp_json_writer writer;

    reply_result_begin(&request->reply, &writer);
    mcp_json_begin_object(&writer);
    mcp_json_end_object(&writer);
    (void)reply_result_end(&request->reply, &writer);
}

/* Nothing waits for it: requests are served from the answer to `initialize` on, which is what the client
 * waits for. */
static void handle_initialized(const struct request *request)
{
    (void)request;
}

static const struct method methods[] = {
    {.name = "initialize", .handle = handle_initialize, .before_initialise = true},
    {.name = "ping", .handle = handle_ping, .before_initialise = true},
    {.name = "notifications/initialized", .handle = handle_initialized, .notification = true},
};

const struct feature feature_lifecycle = {.methods = methods,
                                          .method_count = sizeof(methods) / sizeof(methods[0])};
