/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS        250
#define CANCEL_WAIT_MS 1000 /* a server that takes no bytes is left without the word */

static const size_t message_max = (size_t)MCP_MESSAGE_MAX;
static const char latest_version[] = "2025-11-25";
/* The versions that begin with `initialize`; what mcp-cli uses of them is the same in all. */
static const char *const known_versions[] = {"2024-11-05", "2025-03-26", "2025-06-18", latest_version};

static void *resize(void *context, void *memory, size_t old_size, size_t new_size)
{
    (void)context;
    (void)old_size;
    if (new_size == 0) {
        free(memory);
        return NULL;
    }
    return realloc(memory, new_size);
}

void client_close(struct client *client)
{
    if (!client->open)
        return;
    client->open = false;
    connection_close(&client->connection);
    mcp_reader_release(&client->reader);
    json_decref(client->server);
    json_decref(client->response);
    json_decref(client->progress);
    client->server = client->response = client->progress = NULL;
}

/* The connection cannot go on. */
static enum status lost(struct client *client, struct error *error, const char *what)
{
    enum status status = error_set(error, STATUS_CONNECTION, "%s: %s", client->options.endpoint.name, what);
    client_close(client);
    return status;
}

static enum status send_failed(struct client *client, int result, struct error *error)
{
    if (result == -EINTR && interrupt_take()) { /* in the midst of a message: nothing more can be said */
        client_close(client);
        return error_set(error, STATUS_INTERRUPTED, "interrupted");
    }
    if (result == -ETIMEDOUT)
        return lost(client, error,
                    "the server takes no more bytes. Is the VM busy or stopped? --timeout waits longer");
    if (result == -EPIPE || result == -ECONNRESET)
        return lost(client, error, "the server closed the connection. Is the VM ready? Its log says more");
    return lost(client, error, strerror(-result));
}

/* Takes `message` over. */
static enum status send_within(struct client *client, json_t *message, int64_t timeout_ms,
                               struct error *error)
{
    size_t length = message ? json_dumpb(message, NULL, 0, JSON_COMPACT) : 0;
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    size_t size = 0;
    const char *trailer = mcp_frame_encode(client->options.form, length, header, &size);
    char *bytes = length > 0 && length <= message_max ? malloc(size + length + strlen(trailer)) : NULL;
    enum status status = STATUS_OK;
    if (length == 0) {
        status = error_set(error, STATUS_USAGE, "the request cannot be written as JSON (is its text UTF-8?)");
    } else if (length > message_max) {
        status = error_set(error, STATUS_USAGE, "the request would be %zu bytes long; a message holds %zu",
                           length, message_max);
    } else if (!bytes) {
        status = lost(client, error, "out of memory");
    } else {
        memcpy(bytes, header, size);
        size += json_dumpb(message, bytes + size, length, JSON_COMPACT);
        while (*trailer)
            bytes[size++] = *trailer++;
        int result = connection_send(&client->connection, bytes, size, timeout_ms);
        if (result < 0)
            status = send_failed(client, result, error);
    }
    free(bytes);
    json_decref(message);
    return status;
}

static enum status send_message(struct client *client, json_t *message, struct error *error)
{
    return send_within(client, message, client->options.timeout_ms, error);
}

/* A request from the server: `ping` is the only one that a client without capabilities answers. */
static enum status answer(struct client *client, const char *method, json_t *id, struct error *error)
{
    if (strcmp(method, "ping") == 0)
        return send_message(client, json_pack("{s:s, s:O, s:{}}", "jsonrpc", "2.0", "id", id, "result"),
                            error);
    return send_message(client,
                        json_pack("{s:s, s:O, s:{s:i, s:s}}", "jsonrpc", "2.0", "id", id, "error", "code",
                                  -32601, "message", "mcp-cli answers no such request"),
                        error);
}

static void keep(json_t **place, json_t *value)
{
    json_incref(value);
    json_decref(*place);
    *place = value;
}

static enum status handle(struct client *client, json_t *message, struct error *error)
{
    const char *version = json_string_value(json_object_get(message, "jsonrpc"));
    json_t *id = json_object_get(message, "id");
    const char *method = json_string_value(json_object_get(message, "method"));
    if (!version || strcmp(version, "2.0") != 0)
        return lost(client, error,
                    "the server's answer is JSON, but not JSON-RPC 2.0. Is this an MCP server?");
    if (method && id)
        return answer(client, method, id, error);
    if (method) {
        json_t *params = json_object_get(message, "params");
        json_t *token = json_object_get(params, "progressToken");
        if (strcmp(method, "notifications/progress") == 0 && client->awaited != 0 && json_is_integer(token) &&
            json_integer_value(token) == client->awaited)
            keep(&client->progress, params);
        return STATUS_OK; /* other notifications are for others */
    }
    bool ours = json_is_integer(id) && json_integer_value(id) == client->awaited;
    /* id null: the server could not read the request, and one request is in flight */
    bool unread = json_is_null(id) && json_object_get(message, "error");
    if (client->awaited != 0 && !client->response && (ours || unread))
        keep(&client->response, message);
    return STATUS_OK; /* another id: the late answer to a call that was cancelled, or to a ping */
}

static enum status handle_text(struct client *client, struct error *error)
{
    json_error_t json_error;
    json_t *message =
        json_loadb(client->reader.message, client->reader.message_length, JSON_ALLOW_NUL, &json_error);
    if (!message) {
        char what[400];
        snprintf(what, sizeof what, "the server's answer is not JSON: %s (byte %d)", json_error.text,
                 json_error.position);
        return lost(client, error, what);
    }
    enum status status = STATUS_OK;
    if (json_is_array(message)) { /* a batch, which 2025-03-26 has */
        for (size_t i = 0; i < json_array_size(message) && status == STATUS_OK; i++)
            status = handle(client, json_array_get(message, i), error);
    } else {
        status = handle(client, message, error);
    }
    json_decref(message);
    return status;
}

/* Handles what has been received so far. */
static enum status drain_input(struct client *client, struct error *error)
{
    while (client->input_next < client->input_end) {
        size_t consumed = 0;
        enum mcp_reader_event event = mcp_reader_feed(&client->reader, client->input + client->input_next,
                                                      client->input_end - client->input_next, &consumed);
        client->input_next += consumed;
        enum status status = STATUS_OK;
        char what[160];
        switch (event) {
        case MCP_READER_MORE:
            break;
        case MCP_READER_MESSAGE:
            status = handle_text(client, error);
            break;
        case MCP_READER_TOO_LONG:
        case MCP_READER_CLOSE:
            snprintf(what, sizeof what,
                     "the server sends a message of more than %u bytes. Is this an MCP server?",
                     MCP_MESSAGE_MAX);
            status = lost(client, error, what);
            break;
        case MCP_READER_NO_MEMORY:
            status = lost(client, error, "out of memory for the server's answer");
            break;
        case MCP_READER_REFUSED:
            status = lost(client, error, "what answers there does not speak MCP");
            break;
        }
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Waits for bytes, no longer than `wait_ms`, and handles them. *quiet tells that none came. */
static enum status pump(struct client *client, int64_t wait_ms, bool *quiet, struct error *error)
{
    ssize_t count = connection_receive(&client->connection, client->input, sizeof client->input, wait_ms);
    *quiet = count == -ETIMEDOUT;
    if (*quiet)
        return STATUS_OK;
    if (count == -EINTR && interrupt_take())
        return error_set(error, STATUS_INTERRUPTED, "interrupted");
    if (count == 0 && mcp_reader_end(&client->reader) == MCP_READER_MESSAGE) {
        /* a last line without its newline; the end itself is seen by the next call */
        return handle_text(client, error);
    }
    if (count == 0 || count == -ECONNRESET)
        return lost(client, error, "the server closed the connection. Is the VM ready? Its log says more");
    if (count < 0)
        return lost(client, error, strerror((int)-count));
    client->heard = clock_ms();
    client->input_next = 0;
    client->input_end = (size_t)count;
    return drain_input(client, error);
}

/* Tells the server that nobody waits for the request in flight. */
static void cancel(struct client *client, const char *method, const char *reason)
{
    struct error ignored; /* the call has failed already */
    if (strcmp(method, "initialize") == 0)
        return; /* which the standard lets nobody cancel */
    send_within(client,
                json_pack("{s:s, s:s, s:{s:I, s:s}}", "jsonrpc", "2.0", "method", "notifications/cancelled",
                          "params", "requestId", client->awaited, "reason", reason),
                client->options.timeout_ms < CANCEL_WAIT_MS ? client->options.timeout_ms : CANCEL_WAIT_MS,
                &ignored);
}

static enum status no_answer(struct client *client, const char *method, struct error *error)
{
    char what[250];
    /* QEMU accepts one connection; a second one's requests wait until the first has gone. */
    bool may_wait = client->options.endpoint.kind == ENDPOINT_TCP && client->server == NULL;
    cancel(client, method, "no answer in time");
    snprintf(what, sizeof what, "no answer to %s within %g s. --timeout SECONDS waits longer%s", method,
             (double)client->options.timeout_ms / 1000,
             may_wait ? ". A VM's console port serves one client at a time: end the other one, or try again"
                      : "");
    return lost(client, error, what);
}

static enum status wait_for_response(struct client *client, const char *method, enum client_effort effort,
                                     struct error *error)
{
    int64_t begin = clock_ms();
    int64_t timeout = client->options.timeout_ms;
    bool asked = false; /* whether this silence has had its ping */
    client->heard = begin;
    while (!client->response) {
        int64_t now = clock_ms();
        int64_t silent = now - client->heard;
        if (silent >= timeout)
            return no_answer(client, method, error);
        int64_t wait = timeout - silent;
        if (effort == CLIENT_WORK && !asked) {
            if (silent >= timeout / 2) {
                asked = true;
                enum status sent = send_message(
                    client,
                    json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id", ++client->last_id, "method", "ping"),
                    error);
                if (sent != STATUS_OK)
                    return sent;
                continue;
            }
            wait = timeout / 2 - silent;
        }
        if (client->options.waiting) {
            client->options.waiting(client->options.waiting_context, now - begin, client->progress);
            wait = wait < TICK_MS ? wait : TICK_MS;
        }
        bool quiet;
        enum status status = pump(client, wait, &quiet, error);
        if (status != STATUS_OK)
            return status;
        asked = asked && quiet;
    }
    return STATUS_OK;
}

/* The response is an error: says so with the server's words. */
static enum status refused(const json_t *failure, struct error *error)
{
    const json_t *message = json_object_get(failure, "message");
    const json_t *code = json_object_get(failure, "code");
    const json_t *data = json_object_get(failure, "data");
    char *more = data ? json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    enum status status =
        error_set(error, STATUS_TOOL, "%s (error %lld%s%s)",
                  json_is_string(message) ? json_string_value(message) : "the server gives no reason",
                  (long long)json_integer_value(code), more ? ", " : "", more ? more : "");
    free(more);
    return status;
}

enum status client_request(struct client *client, const char *method, json_t *params,
                           enum client_effort effort, json_t **result, struct error *error)
{
    *result = NULL;
    json_int_t id = ++client->last_id;
    if (effort == CLIENT_WORK)
        json_object_set_new(params, "_meta", json_pack("{s:I}", "progressToken", id));
    json_t *request = json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id", id, "method", method);
    if (params)
        json_object_set_new(request, "params", params);

    client->awaited = id;
    enum status status = send_message(client, request, error);
    if (status == STATUS_OK)
        status = wait_for_response(client, method, effort, error);
    if (client->options.waiting)
        client->options.waiting(client->options.waiting_context, -1, NULL);
    if (status == STATUS_INTERRUPTED && client->open)
        cancel(client, method, "the user pressed Ctrl-C");
    client->awaited = 0;
    if (!client->open)
        return status;

    json_t *response = client->response;
    client->response = NULL;
    json_decref(client->progress);
    client->progress = NULL;
    if (status == STATUS_OK) {
        json_t *failure = json_object_get(response, "error");
        json_t *success = json_object_get(response, "result");
        if (failure)
            status = refused(failure, error);
        else if (json_is_object(success))
            *result = json_incref(success);
        else
            status = lost(client, error, "the server's answer has neither a result nor an error");
    }
    json_decref(response);
    return status;
}

enum status client_idle(struct client *client, int64_t duration_ms, struct error *error)
{
    int64_t end = clock_ms() + duration_ms;
    for (int64_t now = clock_ms(); now < end; now = clock_ms()) {
        bool quiet;
        enum status status = pump(client, end - now, &quiet, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status initialise(struct client *client, struct error *error)
{
    json_t *params = json_pack("{s:s, s:{}, s:{s:s, s:s}}", "protocolVersion", latest_version, "capabilities",
                               "clientInfo", "name", "mcp-cli", "version", MK_VERSION);
    struct error cause;
    enum status status = client_request(client, "initialize", params, CLIENT_QUICK, &client->server, &cause);
    if (status == STATUS_TOOL)
        return error_set(error, STATUS_CONNECTION, "%s: the server refuses to initialise: %.800s",
                         client->options.endpoint.name, cause.text);
    if (status != STATUS_OK) {
        *error = cause;
        return status;
    }
    const char *version = json_string_value(json_object_get(client->server, "protocolVersion"));
    bool known = false;
    for (size_t i = 0; version && i < sizeof known_versions / sizeof *known_versions; i++)
        known = known || strcmp(version, known_versions[i]) == 0;
    if (!known)
        return error_set(
            error, STATUS_CONNECTION, "%s: the server speaks MCP version '%.40s'; mcp-cli knows %s to %s",
            client->options.endpoint.name, version ? version : "", known_versions[0], latest_version);
    return send_message(
        client, json_pack("{s:s, s:s}", "jsonrpc", "2.0", "method", "notifications/initialized"), error);
}

enum status client_open(struct client *client, const struct client_options *options, struct error *error)
{
    client_close(client);
    client->options = *options;
    enum status status = connection_open(&client->connection, &options->endpoint, options->timeout_ms, error);
    if (status != STATUS_OK)
        return status;
    struct mcp_transport_memory memory = {.resize = resize};
    mcp_reader_initialise(&client->reader, &memory);
    client->open = true;
    client->input_next = client->input_end = 0;
    status = initialise(client, error);
    if (status != STATUS_OK)
        client_close(client);
    return status;
}
