/* SPDX-License-Identifier: MIT
 *
 * The era of sessions that begin with `initialize`, 2024-11-05 to 2025-11-25 (MCP 2025-11-25, "Basic /
 * Lifecycle").
 */
#include "mcp/ask.h"
#include "server_private.h"

/* The version that the client asks for; where we do not have it, our latest of this era (the client then goes
 * on or leaves). */
static const struct mcp_version *negotiate(struct mcp_json requested)
{
    const struct mcp_version *version = version_find(requested, INITIALIZE_ERA);

    return version != NULL ? version : version_newest(INITIALIZE_ERA);
}

static bool is_object_or_absent(struct mcp_json value)
{
    return mcp_json_type(value) == MCP_JSON_NONE || mcp_json_type(value) == MCP_JSON_OBJECT;
}

uint32_t client_capabilities_read(struct mcp_json capabilities, const struct mcp_version *version)
{
    struct mcp_json elicitation = mcp_json_member(capabilities, "elicitation");
    bool form = mcp_json_type(mcp_json_member(elicitation, "form")) == MCP_JSON_OBJECT;
    bool url = mcp_json_type(mcp_json_member(elicitation, "url")) == MCP_JSON_OBJECT;
    uint32_t can = 0;

    if (mcp_json_type(mcp_json_member(capabilities, "roots")) == MCP_JSON_OBJECT)
        can |= 1u << MCP_ASK_ROOTS;
    if (mcp_json_type(mcp_json_member(capabilities, "sampling")) == MCP_JSON_OBJECT)
        can |= 1u << MCP_ASK_SAMPLING;
    if (mcp_json_type(elicitation) != MCP_JSON_OBJECT || !version->elicitation)
        return can;
    if (form || !url || !version->elicitation_modes) /* without a mode it means the form, the older one */
        can |= 1u << MCP_ASK_FORM;
    if (url && version->elicitation_modes)
        can |= 1u << MCP_ASK_URL;
    return can;
}

void write_server_info(struct mcp_json_writer *writer, const struct mcp_server_config *config,
                       const struct mcp_version *version)
{
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "name", config->name);
    if (config->title != NULL && version->titles)
        mcp_json_member_string(writer, "title", config->title);
    mcp_json_member_string(writer, "version", config->version);
    if (version->icons) {
        if (config->description != NULL)
            mcp_json_member_string(writer, "description", config->description);
        if (config->website_url != NULL)
            mcp_json_member_string(writer, "websiteUrl", config->website_url);
        if (config->icons != NULL)
            write_json_member(writer, "icons", config->icons);
    }
    mcp_json_end_object(writer);
}

/* `capabilities` and `clientInfo` are not looked at, so a client that types by hand may leave them out. */
static void handle_initialize(const struct request *request)
{
    struct mcp_session *session = request->session;
    struct mcp_json requested = mcp_json_member(request->params, "protocolVersion");
    const struct mcp_version *version = negotiate(requested);
    const struct mcp_server *server = session->server;
    struct message message;
    const char *wrong = NULL;

    if (session->version != NULL) {
        reply_error(&request->reply, MCP_ERROR_INVALID_REQUEST,
                    "Invalid Request: the session is initialised already", NULL);
        return;
    }
    if (mcp_json_type(requested) != MCP_JSON_STRING)
        wrong = "protocolVersion must be a string";
    else if (!is_object_or_absent(mcp_json_member(request->params, "capabilities")))
        wrong = "capabilities must be an object";
    else if (!is_object_or_absent(mcp_json_member(request->params, "clientInfo")))
        wrong = "clientInfo must be an object";
    if (wrong != NULL) {
        reply_invalid_params(&request->reply, wrong);
        return;
    }
    reply_result_begin(&request->reply, &message);
    mcp_json_member_string(&message.writer, "protocolVersion", version->name);
    mcp_json_key_write(&message.writer, "capabilities");
    write_capabilities(server, version, &message.writer);
    mcp_json_key_write(&message.writer, "serverInfo");
    write_server_info(&message.writer, &server->config, version);
    if (server->config.instructions != NULL)
        mcp_json_member_string(&message.writer, "instructions", server->config.instructions);
    session->version = version;
    session->client_can = client_capabilities_read(mcp_json_member(request->params, "capabilities"), version);
    if (reply_result_end(&request->reply, &message, NULL, 0) != 0)
        session->version = NULL; /* the client got an error, and may try again */
}

static void handle_ping(const struct request *request)
{
    reply_empty(&request->reply);
}

/* Nothing waits for it: requests are served from the answer to `initialize` on, which is what the client
 * waits for. */
static void handle_initialized(const struct request *request)
{
    (void)request;
}

static const struct method methods[] = {
    {.name = "initialize",
     .handle = handle_initialize,
     .versions = INITIALIZE_ERA,
     .before_initialise = true},
    {.name = "ping", .handle = handle_ping, .versions = INITIALIZE_ERA, .before_initialise = true},
    {.name = "notifications/initialized",
     .handle = handle_initialized,
     .versions = INITIALIZE_ERA,
     .notification = true},
};

const struct feature feature_initialize = {.methods = methods,
                                           .method_count = sizeof(methods) / sizeof(methods[0])};
