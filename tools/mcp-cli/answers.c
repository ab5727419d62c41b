/* SPDX-License-Identifier: MIT
 *
 * What servers ask of their client: a ping, its roots, something that the person knows (elicitation), an
 * answer of a model (sampling, which is declined). In the older era by requests of their own, in 2026-07-28
 * by an InputRequiredResult.
 */
#include <string.h>

#include "client.h"

#define REJECTED (-1) /* MCP 2025-11-25, "Sampling / Error Handling" */

/* The result for a request, or NULL: mcp-cli does not answer it. */
static json_t *result_of(const struct client *client, const char *method, const json_t *params)
{
    const struct client_hooks *hooks = &client->options.hooks;
    if (strcmp(method, "ping") == 0)
        return json_object();
    if (strcmp(method, "roots/list") == 0)
        return client->options.roots ? json_pack("{s:O}", "roots", client->options.roots) : NULL;
    if (strcmp(method, "elicitation/create") == 0) {
        json_t *result = hooks->elicit ? hooks->elicit(hooks->context, params) : NULL;
        return result ? result : json_pack("{s:s}", "action", hooks->elicit ? "cancel" : "decline");
    }
    return NULL;
}

enum status client_answer(struct client *client, const char *method, json_t *id, const json_t *params,
                          struct error *error)
{
    json_t *result = result_of(client, method, params);
    bool is_sampling = strcmp(method, "sampling/createMessage") == 0;
    json_t *message = result ? json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "result", result)
                             : json_pack("{s:s, s:O, s:{s:i, s:s}}", "jsonrpc", "2.0", "id", id, "error",
                                         "code", is_sampling ? REJECTED : -32601, "message",
                                         is_sampling ? "mcp-cli has no model to sample"
                                                     : "mcp-cli answers no such request");
    enum status status = client_send(client, message, client->options.timeout_ms, error);
    if (client->open)
        client->transport->heard = clock_ms(); /* the time that a person took is not the server's */
    return status;
}

enum status client_inputs(struct client *client, const json_t *requests, json_t **responses,
                          struct error *error)
{
    const char *key;
    json_t *request;
    *responses = json_object();
    json_object_foreach((json_t *)requests, key, request)
    {
        const char *method = json_string_value(json_object_get(request, "method"));
        json_t *result = method ? result_of(client, method, json_object_get(request, "params")) : NULL;
        if (!result) {
            json_decref(*responses);
            *responses = NULL;
            return error_set(error, STATUS_TOOL,
                             "the server asks for %.60s first, which mcp-cli does not answer",
                             method ? method : "something without a method");
        }
        json_object_set_new(*responses, key, result);
    }
    return STATUS_OK;
}
