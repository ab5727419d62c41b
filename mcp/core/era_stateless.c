/* SPDX-License-Identifier: MIT
 *
 * The era without sessions, 2026-07-28: each request says which version it follows and what its client can do
 * (MCP 2026-07-28, "Basic / General fields / _meta" and "Basic / Versioning").
 */
#include "json_private.h"
#include "server_private.h"

#define META(name) "io.modelcontextprotocol/" name

bool request_is_stateless(const struct request *request)
{
    return mcp_json_type(mcp_json_member(request->meta, META("protocolVersion"))) != MCP_JSON_NONE ||
           mcp_json_type(mcp_json_member(request->meta, META("clientCapabilities"))) != MCP_JSON_NONE;
}

static void write_versions(struct mcp_json_writer *writer, uint32_t set)
{
    const struct mcp_version *version;

    mcp_json_begin_array(writer);
    for (uint32_t i = 0; (version = version_at(i)) != NULL; i++)
        if ((version->bit & set) != 0)
            mcp_json_string(writer, version->name);
    mcp_json_end_array(writer);
}

/* data.supported holds what the client may write in place of what it wrote: not the versions that want
 * `initialize`. What it wrote comes back, the first 32 bytes of it. */
static void reply_unsupported(const struct reply *reply, struct mcp_json requested)
{
    struct mcp_json_writer data;
    char buffer[256], name[32];
    const char *text = NULL;
    size_t length;

    mcp_json_writer_initialise_fixed(&data, buffer, sizeof(buffer) - 1);
    mcp_json_begin_object(&data);
    mcp_json_key_write(&data, "supported");
    write_versions(&data, STATELESS_ERA);
    mcp_json_key_write(&data, "requested");
    mcp_json_string_n(&data, name, json_string_start(requested, name, sizeof(name)));
    mcp_json_end_object(&data);
    if (mcp_json_finish(&data, &text, &length) == 0)
        buffer[length] = '\0';
    reply_error(reply, MCP_ERROR_UNSUPPORTED_VERSION, "Unsupported protocol version", text);
}

/* What is wrong with the _meta, or NULL. */
static const char *wrong_meta(const struct request *request)
{
    struct mcp_json info = mcp_json_member(request->meta, META("clientInfo"));
    struct mcp_json level = mcp_json_member(request->meta, META("logLevel"));

    if (mcp_json_type(mcp_json_member(request->meta, META("protocolVersion"))) != MCP_JSON_STRING)
        return "params._meta needs " META("protocolVersion") ", a string";
    if (mcp_json_type(mcp_json_member(request->meta, META("clientCapabilities"))) != MCP_JSON_OBJECT)
        return "params._meta needs " META("clientCapabilities") ", an object";
    if (mcp_json_type(info) != MCP_JSON_NONE &&
        (mcp_json_type(mcp_json_member(info, "name")) != MCP_JSON_STRING ||
         mcp_json_type(mcp_json_member(info, "version")) != MCP_JSON_STRING))
        return "params._meta: " META("clientInfo") " must have a name and a version";
    if (mcp_json_type(level) != MCP_JSON_NONE && level_find(level) == LEVEL_UNSET)
        return "params._meta: " META("logLevel") " must be a log level: debug, info, ... emergency";
    return NULL;
}

const struct mcp_version *stateless_version(const struct request *request)
{
    struct mcp_json name = mcp_json_member(request->meta, META("protocolVersion"));
    const struct mcp_version *version = version_find(name, STATELESS_ERA);
    const char *wrong;

    if (mcp_json_type(name) == MCP_JSON_STRING && version == NULL) {
        reply_unsupported(&request->reply, name);
        return NULL;
    }
    wrong = wrong_meta(request);
    if (wrong != NULL) {
        reply_invalid_params(&request->reply, wrong);
        return NULL;
    }
    return version;
}

uint32_t client_capabilities(const struct request *request)
{
    if (request->reply.version == NULL)
        return 0;
    if (!request->reply.version->stateless)
        return request->session->client_can;
    return client_capabilities_read(mcp_json_member(request->meta, META("clientCapabilities")),
                                    request->reply.version);
}

/* All versions: those of the other era are reached by `initialize`. */
static void handle_discover(const struct request *request)
{
    const struct mcp_server *server = request->session->server;
    struct message message;

    reply_result_begin(&request->reply, &message);
    mcp_json_key_write(&message.writer, "supportedVersions");
    write_versions(&message.writer, EVERY_VERSION);
    mcp_json_key_write(&message.writer, "capabilities");
    write_capabilities(server, request->reply.version, &message.writer);
    if (server->config.instructions != NULL)
        mcp_json_member_string(&message.writer, "instructions", server->config.instructions);
    reply_cacheable(&request->reply, &message, server->config.list_ttl_ms, true);
    (void)reply_result_end(&request->reply, &message, NULL, 0);
}

static const struct method methods[] = {
    {.name = "server/discover", .handle = handle_discover, .versions = STATELESS_ERA},
};

const struct feature feature_stateless = {.methods = methods,
                                          .method_count = sizeof(methods) / sizeof(methods[0])};
