/* SPDX-License-Identifier: MIT
 *
 * Messages of the client: what kind each is (JSON-RPC 2.0, sections 4 and 6), and who handles it.
 */
#include <string.h>

#include "call_private.h"
#include "json_private.h"
#include "server_private.h"

void server_use(struct mcp_server *server, const struct feature *feature)
{
    for (uint32_t i = 0; i < server->feature_count; i++)
        if (server->features[i] == feature)
            return;
    server->features[server->feature_count++] = feature; /* there are FEATURES_MAX in all */
}

void write_capabilities(const struct mcp_server *server, const struct mcp_version *version,
                        struct mcp_json_writer *writer)
{
    mcp_json_begin_object(writer);
    for (uint32_t i = 0; i < server->feature_count; i++)
        if (server->features[i]->write_capabilities != NULL)
            server->features[i]->write_capabilities(server, version, writer);
    mcp_json_end_object(writer);
}

static const struct method *method_find(const struct mcp_server *server, struct mcp_json name,
                                        bool notification)
{
    for (uint32_t i = 0; i < server->feature_count; i++) {
        const struct feature *feature = server->features[i];

        for (size_t k = 0; k < feature->method_count; k++)
            if (feature->methods[k].notification == notification &&
                mcp_json_equals(name, feature->methods[k].name))
                return &feature->methods[k];
    }
    return NULL;
}

bool id_is_valid(const char *raw, size_t length)
{
    if (raw[0] == '"')
        return true;
    if (raw[0] != '-' && (raw[0] < '0' || raw[0] > '9'))
        return false;
    return memchr(raw, '.', length) == NULL && memchr(raw, 'e', length) == NULL &&
           memchr(raw, 'E', length) == NULL;
}

bool ids_equal(const char *a, size_t a_length, const char *b, size_t b_length)
{
    if (a[0] == '"' && b[0] == '"')
        return json_raw_strings_equal(a + 1, a_length - 2, b + 1, b_length - 2);
    return a_length == b_length && memcmp(a, b, a_length) == 0;
}

/* Two bytes of a batch can ask for an answer of a hundred. */
_Static_assert(MCP_BATCH_MAX == 256, "the message in dispatch_batch says 256");

static void invalid(const struct reply *reply, const char *why)
{
    struct text text = {0};

    text_add(&text, "Invalid Request: ");
    text_add(&text, why);
    reply_error(reply, MCP_ERROR_INVALID_REQUEST, text.bytes, NULL);
}

static void not_found(const struct request *request)
{
    struct text text = {0};

    text_add(&text, "Method not found: ");
    text_add_quoted(&text, request->method);
    reply_error(&request->reply, MCP_ERROR_METHOD_NOT_FOUND, text.bytes, NULL);
}

static void dispatch_method(struct request *request, const struct method *method)
{
    const struct mcp_session *session = request->session;
    uint32_t versions = method != NULL ? method->versions : 0;
    bool stateless = request_is_stateless(request) ||
                     (session->version == NULL && (versions & INITIALIZE_ERA) == 0 && versions != 0);

    if (stateless) {
        request->reply.version = stateless_version(request);
        if (request->reply.version == NULL)
            return;
    } else {
        request->reply.version = session->version;
    }
    if (method == NULL || (request->reply.version != NULL && (versions & request->reply.version->bit) == 0))
        not_found(request);
    else if (mcp_json_type(request->params) != MCP_JSON_NONE &&
             mcp_json_type(request->params) != MCP_JSON_OBJECT)
        reply_invalid_params(&request->reply, "params must be an object");
    else if (request->reply.version == NULL && !method->before_initialise)
        /* The stateless era wants -32602 for a request without its _meta; the older ones leave the code open.
         */
        reply_invalid_params(&request->reply,
                             "the session is not initialised, and params._meta names no version of the "
                             "protocol: send initialize first");
    else
        method->handle(request);
}

static void dispatch_request(struct request *request)
{
    struct mcp_session *session = request->session;
    const struct method *method = method_find(session->server, request->method, false);
    struct tool_entry *tool = NULL;

    session->server->statistics.requests++;
    if (call_find(session, request->reply.id, request->reply.id_length) != NULL ||
        subscription_has_id(session, request->reply.id, request->reply.id_length)) {
        invalid(&request->reply, "a request with this id is not answered yet");
        return;
    }
    if (method == NULL && session->server->config.methods_are_tools)
        tool = tool_find(session->server, request->method);
    if (tool == NULL)
        dispatch_method(request, method);
    else if (mcp_json_type(request->params) != MCP_JSON_NONE &&
             mcp_json_type(request->params) != MCP_JSON_OBJECT)
        reply_invalid_params(&request->reply, "params must be an object");
    else
        call_tool(request, tool, request->params, true);
}

static void dispatch_notification(const struct request *request)
{
    const struct method *method = method_find(request->session->server, request->method, true);

    request->session->server->statistics.notifications++;
    if (method != NULL && (request->session->version != NULL || method->before_initialise))
        method->handle(request);
    reply_nothing(&request->reply);
}

/* The original's form leaves "jsonrpc" out: {"id":1,"method":"infer","params":{...}}. */
static bool version_may_lack(const struct request *request, struct mcp_json jsonrpc)
{
    const struct mcp_server *server = request->session->server;

    return mcp_json_type(jsonrpc) == MCP_JSON_NONE && server->config.methods_are_tools &&
           tool_find(server, request->method) != NULL;
}

static void dispatch_one(struct mcp_session *session, struct mcp_json message, struct batch *batch)
{
    struct request request = {
        .session = session,
        .reply = {
            .server = session->server, .session = session, .batch = batch, .id = "null", .id_length = 4}};
    struct mcp_json id, jsonrpc;
    const char *raw_id;
    size_t raw_length;
    bool valid_id;

    if (batch != NULL)
        batch_add_request(batch);
    if (mcp_json_type(message) != MCP_JSON_OBJECT) {
        invalid(&request.reply, "a message must be an object");
        return;
    }
    id = mcp_json_member(message, "id");
    jsonrpc = mcp_json_member(message, "jsonrpc");
    request.method = mcp_json_member(message, "method");
    request.params = mcp_json_member(message, "params");
    request.meta = mcp_json_member(request.params, "_meta");
    if (mcp_json_type(request.method) == MCP_JSON_NONE &&
        (mcp_json_type(mcp_json_member(message, "result")) != MCP_JSON_NONE ||
         mcp_json_type(mcp_json_member(message, "error")) != MCP_JSON_NONE)) {
        /* A response: never answered, or two peers would never end. */
        if (session->take_response != NULL)
            session->take_response(session, message);
        reply_nothing(&request.reply);
        return;
    }
    raw_id = mcp_json_raw(id, &raw_length);
    valid_id = raw_id != NULL && id_is_valid(raw_id, raw_length);
    if (valid_id) {
        request.reply.id = raw_id;
        request.reply.id_length = raw_length;
    }
    if (raw_id != NULL && !valid_id)
        invalid(&request.reply, "id must be a string or an integer");
    else if (mcp_json_type(request.method) != MCP_JSON_STRING)
        invalid(&request.reply, "method must be a string");
    else if (!mcp_json_equals(jsonrpc, "2.0") && !version_may_lack(&request, jsonrpc))
        invalid(&request.reply, "jsonrpc must be \"2.0\"");
    else if (raw_id == NULL)
        dispatch_notification(&request);
    else
        dispatch_request(&request);
}

static void dispatch_batch(struct mcp_session *session, struct mcp_json messages)
{
    struct reply reply = {.server = session->server, .session = session, .id = "null", .id_length = 4};
    struct batch *batch;

    if (session->version == NULL || !session->version->batches) {
        invalid(&reply, "only protocol version 2025-03-26, once initialised, has batches");
        return;
    }
    if (mcp_json_count(messages) == 0) {
        invalid(&reply, "a batch must not be empty");
        return;
    }
    if (mcp_json_count(messages) > MCP_BATCH_MAX) {
        invalid(&reply, "a batch holds at most 256 messages");
        return;
    }
    batch = batch_begin(session); /* NULL: no memory; the answers go out one by one */
    for (struct mcp_json message = mcp_json_first(messages);
         mcp_json_type(message) != MCP_JSON_NONE && !session->closed; message = mcp_json_next(message))
        dispatch_one(session, message, batch);
    if (batch != NULL)
        batch_end_request(batch);
}

void dispatch_message(struct mcp_session *session, struct mcp_json message)
{
    if (mcp_json_type(message) == MCP_JSON_ARRAY)
        dispatch_batch(session, message);
    else
        dispatch_one(session, message, NULL);
}
