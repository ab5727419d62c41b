/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS        250
#define CANCEL_WAIT_MS 1000 /* a server that takes no bytes is left without the word */
#define ROUNDS_MAX     32   /* of a request that wants input again and again */

void client_close(struct client *client)
{
    if (!client->open)
        return;
    client->open = false;
    client->may_be_older = client->transport->may_be_older;
    client->transport->operations->close(client->transport);
    client->transport = NULL;
    json_decref(client->server);
    json_decref(client->response);
    json_decref(client->progress);
    json_decref(client->headers);
    client->server = client->response = client->progress = client->headers = NULL;
}

enum status client_lost(struct client *client, struct error *error, const char *what)
{
    enum status status = error_set(error, STATUS_CONNECTION, "%s: %s", client->options.endpoint.name, what);
    client_close(client);
    return status;
}

/* What a transport gave: its message gets the name of the endpoint, and what cannot go on is closed. */
static enum status passed(struct client *client, enum status status, const struct error *cause,
                          struct error *error)
{
    if (status == STATUS_CONNECTION)
        return client_lost(client, error, cause->text);
    if (status != STATUS_OK)
        *error = *cause;
    return status;
}

enum status client_send(struct client *client, json_t *message, int64_t timeout_ms, struct error *error)
{
    struct error cause;
    json_t *headers = client->headers;
    client->headers = NULL;
    enum status status =
        client->transport->operations->send(client->transport, message, headers, timeout_ms, &cause);
    json_decref(headers);
    json_decref(message);
    if (status == STATUS_INTERRUPTED) /* perhaps in the midst of a message: nothing more can be said */
        client_close(client);
    return passed(client, status, &cause, error);
}

static void keep(json_t **place, json_t *value)
{
    json_incref(value);
    json_decref(*place);
    *place = value;
}

static void notified(struct client *client, const char *method, json_t *params)
{
    const struct client_hooks *hooks = &client->options.hooks;
    const json_t *token = json_object_get(params, "progressToken");
    if (strcmp(method, "notifications/progress") != 0) {
        if (hooks->notification)
            hooks->notification(hooks->context, method, params, &client->stop);
    } else if (client->awaited != 0 && json_is_integer(token) &&
               json_integer_value(token) == client->awaited) {
        keep(&client->progress, params);
        if (hooks->progress)
            hooks->progress(hooks->context, params);
    }
}

static enum status handle(struct client *client, json_t *message, struct error *error)
{
    const char *version = json_string_value(json_object_get(message, "jsonrpc"));
    json_t *id = json_object_get(message, "id");
    const char *method = json_string_value(json_object_get(message, "method"));
    if (!version || strcmp(version, "2.0") != 0)
        return client_lost(client, error,
                           "the server's answer is JSON, but not JSON-RPC 2.0. Is this an MCP server?");
    if (method && id)
        return client_answer(client, method, id, json_object_get(message, "params"), error);
    if (method) {
        notified(client, method, json_object_get(message, "params"));
        return STATUS_OK;
    }
    bool ours = json_is_integer(id) && json_integer_value(id) == client->awaited;
    /* id null: the server could not read the request, and one request is in flight */
    bool unread = (!id || json_is_null(id)) && json_object_get(message, "error");
    if (client->awaited != 0 && !client->response && (ours || unread))
        keep(&client->response, message);
    return STATUS_OK; /* another id: the late answer to a call that was cancelled, or to a ping */
}

/* Waits for a message, no longer than `wait_ms`, and handles it. */
static enum status pump(struct client *client, int64_t wait_ms, struct error *error)
{
    struct error cause;
    json_t *message = NULL;
    enum status status = client->transport->operations->receive(client->transport, wait_ms, &message, &cause);
    if (status != STATUS_OK)
        return passed(client, status, &cause, error);
    if (json_is_array(message)) { /* a batch, which 2025-03-26 has */
        for (size_t i = 0; i < json_array_size(message) && status == STATUS_OK; i++)
            status = handle(client, json_array_get(message, i), error);
    } else if (message) {
        status = handle(client, message, error);
    }
    json_decref(message);
    return status;
}

/* Tells the server that nobody waits for the request in flight. */
static void cancel(struct client *client, const char *method, const char *reason)
{
    struct error ignored; /* the call has failed already */
    const struct transport_operations *operations = client->transport->operations;
    if (operations->abandon && operations->abandon(client->transport, client->awaited))
        return;
    if (strcmp(method, "initialize") == 0 || strcmp(method, "server/discover") == 0)
        return; /* the one the standard lets nobody cancel; the other an older server does not know */
    json_t *params = json_pack("{s:I, s:s}", "requestId", client->awaited, "reason", reason);
    int64_t timeout = client->options.timeout_ms;
    client_send(
        client,
        json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", "notifications/cancelled", "params", params),
        timeout < CANCEL_WAIT_MS ? timeout : CANCEL_WAIT_MS, &ignored);
}

static enum status no_answer(struct client *client, const char *method, int64_t timeout_ms,
                             struct error *error)
{
    char what[250];
    /* QEMU accepts one connection; a second one's requests wait until the first has gone. */
    bool may_wait = client->options.endpoint.kind == ENDPOINT_TCP && client->server == NULL;
    cancel(client, method, "no answer in time");
    if (!client->open)
        return error_set(error, STATUS_CONNECTION, "%s: no answer to %s", client->options.endpoint.name,
                         method);
    snprintf(what, sizeof what, "no answer to %s within %g s. --timeout SECONDS waits longer%s", method,
             (double)timeout_ms / 1000,
             may_wait ? ". A VM's console port serves one client at a time: end the other one, or try again"
                      : "");
    if (strcmp(method, "server/discover") != 0)
        return client_lost(client, error, what);
    return error_set(error, STATUS_CONNECTION, "%s: %s", client->options.endpoint.name,
                     what); /* and goes on */
}

/* Asks a silent server whether it lives. */
static enum status probe(struct client *client, struct error *error)
{
    json_t *message = json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id", ++client->last_id, "method",
                                client->stateless ? "server/discover" : "ping");
    if (client->stateless)
        json_object_set_new(message, "params", json_pack("{s:o}", "_meta", client_meta(client)));
    return client_send(client, message, client->options.timeout_ms, error);
}

static enum status wait_for_response(struct client *client, const char *method, enum client_effort effort,
                                     int64_t timeout_ms, struct error *error)
{
    const struct client_hooks *hooks = &client->options.hooks;
    int64_t begin = clock_ms();
    int64_t asked = -1; /* `heard` when the server was asked last: of each silence once */
    client->transport->heard = begin;
    while (!client->response && !client->stop) {
        int64_t now = clock_ms();
        int64_t silent = now - client->transport->heard;
        int64_t wait = effort == CLIENT_LISTEN ? INT32_MAX : timeout_ms - silent;
        if (wait <= 0)
            return no_answer(client, method, timeout_ms, error);
        if (effort == CLIENT_WORK && asked != client->transport->heard) {
            if (silent >= timeout_ms / 2) {
                asked = client->transport->heard;
                enum status sent = probe(client, error);
                if (sent != STATUS_OK)
                    return sent;
                continue;
            }
            wait = timeout_ms / 2 - silent;
        }
        if (hooks->waiting && effort != CLIENT_LISTEN) {
            hooks->waiting(hooks->context, now - begin, client->progress);
            wait = wait < TICK_MS ? wait : TICK_MS;
        }
        enum status status = pump(client, wait, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status client_refused(const json_t *failure, struct error *error)
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

enum status client_exchange(struct client *client, const char *method, json_t *params,
                            enum client_effort effort, int64_t timeout_ms, json_t **response,
                            struct error *error)
{
    const struct client_hooks *hooks = &client->options.hooks;
    json_int_t id = ++client->last_id;
    *response = NULL;
    json_t *meta = client->stateless ? client_meta(client) : NULL;
    if (effort == CLIENT_WORK) {
        meta = meta ? meta : json_object();
        json_object_set_new(meta, "progressToken", json_integer(id));
    }
    if (meta && !params)
        params = json_object();
    if (meta)
        json_object_set_new(params, "_meta", meta);
    json_t *request = json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id", id, "method", method);
    if (params)
        json_object_set_new(request, "params", params);

    client->awaited = id;
    client->stop = false;
    enum status status = client_send(client, request, client->options.timeout_ms, error);
    if (status == STATUS_OK)
        status = wait_for_response(client, method, effort, timeout_ms, error);
    if (hooks->waiting)
        hooks->waiting(hooks->context, -1, NULL);
    if (status == STATUS_INTERRUPTED && client->open)
        cancel(client, method, "the user pressed Ctrl-C");
    if (client->stop && client->open)
        cancel(client, method, "seen enough");
    client->awaited = 0;
    if (!client->open)
        return status;
    *response = client->response;
    client->response = NULL;
    json_decref(client->progress);
    client->progress = NULL;
    return status;
}

/* Whether the server wants to know something first: then the params of the next round, else NULL. */
static enum status next_round(struct client *client, const json_t *result, const json_t *params,
                              json_t **next, struct error *error)
{
    const char *type = json_string_value(json_object_get(result, "resultType"));
    json_t *state = json_object_get(result, "requestState");
    json_t *requests = json_object_get(result, "inputRequests");
    *next = NULL;
    if (!type || strcmp(type, "input_required") != 0)
        return STATUS_OK;
    json_t *responses = NULL;
    enum status status = client_inputs(client, requests, &responses, error);
    if (status != STATUS_OK)
        return status;
    *next = params ? json_copy((json_t *)params) : json_object();
    json_object_del(*next, "_meta");
    json_object_del(*next, "requestState");
    json_object_set_new(*next, "inputResponses", responses);
    if (state)
        json_object_set(*next, "requestState", state);
    return STATUS_OK;
}

enum status client_request(struct client *client, const char *method, json_t *params,
                           enum client_effort effort, json_t **result, struct error *error)
{
    json_t *headers = json_incref(client->headers);
    enum status status = STATUS_OK;
    *result = NULL;
    for (int round = 0; status == STATUS_OK && !*result; round++) {
        json_t *response = NULL;
        json_t *next = NULL;
        if (round > 0)
            keep(&client->headers, headers);
        status = client_exchange(client, method, json_incref(params), effort, client->options.timeout_ms,
                                 &response, error);
        json_t *failure = json_object_get(response, "error");
        json_t *success = json_object_get(response, "result");
        if (status != STATUS_OK || (effort == CLIENT_LISTEN && !response)) {
            json_decref(response);
            break;
        }
        if (failure)
            status = client_refused(failure, error);
        else if (!json_is_object(success))
            status = client_lost(client, error, "the server's answer has neither a result nor an error");
        else if (round == ROUNDS_MAX)
            status = error_set(error, STATUS_TOOL, "the server wanted input %d times: that is enough", round);
        else
            status = next_round(client, success, params, &next, error);
        if (status == STATUS_OK && !next)
            *result = json_incref(success);
        if (next) {
            json_decref(params);
            params = next;
        }
        json_decref(response);
    }
    json_decref(headers);
    json_decref(params);
    return status;
}

enum status client_idle(struct client *client, int64_t duration_ms, struct error *error)
{
    int64_t end = clock_ms() + duration_ms;
    client->stop = false;
    for (int64_t now = clock_ms(); now < end && !client->stop; now = clock_ms()) {
        enum status status = pump(client, end - now, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static void remark(void *context, const char *text, size_t length)
{
    const struct client *client = context;
    const struct client_hooks *hooks = &client->options.hooks;
    if (hooks->remark)
        hooks->remark(hooks->context, text, length);
}

enum status client_connect(struct client *client, struct error *error)
{
    client_close(client);
    struct transport_options options = {.endpoint = &client->options.endpoint,
                                        .form = client->options.form,
                                        .timeout_ms = client->options.timeout_ms,
                                        .remark = remark,
                                        .remark_context = client};
    enum status status = transport_open(&client->transport, &options, error);
    client->open = status == STATUS_OK;
    return status;
}

enum status client_open(struct client *client, const struct client_options *options, struct error *error)
{
    client_close(client);
    client->options = *options;
    client->stateless = false;
    client->version = NULL;
    enum status status = client_connect(client, error);
    if (status == STATUS_OK)
        status = client_handshake(client, error);
    if (status != STATUS_OK)
        client_close(client);
    return status;
}
