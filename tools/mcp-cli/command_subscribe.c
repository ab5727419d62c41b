/* SPDX-License-Identifier: MIT
 *
 * The changes that a server tells: up to 2025-11-25 after resources/subscribe, in 2026-07-28 as long as
 * subscriptions/listen has no answer.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

#define LOOK_MS 1000 /* how often a wait looks whether the server can still speak */

static void on_change(struct session *session, const char *method, const json_t *params, bool *stop)
{
    static const char prefix[] = "notifications/";
    const struct output *output = &session->output;
    const char *uri = json_string_value(json_object_get(params, "uri"));
    size_t skipped = strncmp(method, prefix, sizeof prefix - 1) == 0 ? sizeof prefix - 1 : 0;
    if (strcmp(method, "notifications/subscriptions/acknowledged") == 0 ||
        strcmp(method, "notifications/cancelled") == 0)
        return;
    if (session->json) {
        json_t *event = json_pack("{s:s, s:O?}", "method", method, "params", params);
        output_json(output, event, JSON_COMPACT);
        json_decref(event);
    } else {
        output_text(output, method + skipped, strlen(method + skipped));
        fputs(uri ? "  " : "", output->file);
        output_line(output, uri ? uri : "", uri ? strlen(uri) : 0);
    }
    fflush(output->file);
    *stop = --session->events_left <= 0;
}

/* 2026-07-28: one request that lasts. */
static enum status listen_stateless(struct session *session, const json_t *uris, struct error *error)
{
    json_t *filter = json_pack("{s:b, s:b, s:b}", "toolsListChanged", 1, "promptsListChanged", 1,
                               "resourcesListChanged", 1);
    if (json_array_size(uris) > 0) {
        json_object_clear(filter);
        json_object_set(filter, "resourceSubscriptions", (json_t *)uris);
    }
    json_t *result = NULL;
    struct error cause;
    enum status status =
        client_request(&session->client, "subscriptions/listen", json_pack("{s:o}", "notifications", filter),
                       CLIENT_LISTEN, &result, &cause);
    if (status == STATUS_OK && session->events_left > 0)
        status = error_set(&cause, STATUS_TOOL, "the server has ended the subscription");
    json_decref(result);
    if (status != STATUS_OK)
        *error = cause;
    return status;
}

static enum status listen_initialised(struct session *session, const json_t *uris, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < json_array_size(uris) && status == STATUS_OK; i++) {
        json_t *uri = json_array_get(uris, i);
        json_t *result = NULL;
        status = session_request(session, "resources/subscribe", json_string_value(uri),
                                 json_pack("{s:O}", "uri", uri), &result, error);
        json_decref(result);
    }
    while (status == STATUS_OK && session->events_left > 0) {
        if (session->client.transport->is_deaf)
            return error_set(error, STATUS_TOOL, "the server has no stream for changes");
        status = client_idle(&session->client, LOOK_MS, error);
    }
    for (size_t i = 0; i < json_array_size(uris) && status == STATUS_OK; i++) {
        json_t *result = NULL;
        status = session_request(session, "resources/unsubscribe", "unsubscribe",
                                 json_pack("{s:O}", "uri", json_array_get(uris, i)), &result, error);
        json_decref(result);
    }
    return status;
}

enum status command_subscribe(struct session *session, int count, char **argv, struct error *error)
{
    struct option_integer events = {0};
    const struct option options[] = {{"count", 'n', OPTION_INTEGER, &events}, {NULL, 0, OPTION_FLAG, NULL}};
    enum status status = command_options(session, options, &count, argv, error);
    if (status == STATUS_OK && events.given && events.value < 1)
        status = error_set(error, STATUS_USAGE, "--count takes a number from 1 on");
    json_t *uris = json_array();
    for (int i = 0; i < count && status == STATUS_OK; i++) {
        if (json_array_append_new(uris, json_string(argv[i])) < 0)
            status = error_set(error, STATUS_USAGE, "the URI is not UTF-8");
    }
    if (status == STATUS_OK)
        status = session_connect(session, error);
    if (status == STATUS_OK) {
        session->events_left = events.given ? events.value : LLONG_MAX;
        session->notification = on_change;
        status = session->client.stateless ? listen_stateless(session, uris, error)
                                           : listen_initialised(session, uris, error);
        session->notification = NULL;
    }
    json_decref(uris);
    return status;
}
