/* SPDX-License-Identifier: MIT */
#include "tasks.h"

#include <string.h>

#define POLL_MS     1000 /* where the server does not say how often */
#define POLL_MIN_MS 50
#define POLL_MAX_MS 60000

bool task_is_required(const struct client *client, const json_t *tool)
{
    const json_t *tasks = json_object_get(json_object_get(client->server, "capabilities"), "tasks");
    const json_t *calls =
        json_object_get(json_object_get(json_object_get(tasks, "requests"), "tools"), "call");
    const char *support =
        json_string_value(json_object_get(json_object_get(tool, "execution"), "taskSupport"));
    return !client->stateless && calls && support && strcmp(support, "required") == 0;
}

/* The task in a result, or NULL: of 2026-07-28 it is the result, of 2025-11-25 a member of it. */
static json_t *task_of(const struct client *client, json_t *result)
{
    const char *type = json_string_value(json_object_get(result, "resultType"));
    if (!client->stateless)
        return json_object_get(result, "task");
    return type && strcmp(type, "task") == 0 ? result : NULL;
}

static int64_t pause_of(const struct client *client, const json_t *task)
{
    const json_t *value = json_object_get(task, client->stateless ? "pollIntervalMs" : "pollInterval");
    json_int_t pause = json_is_integer(value) ? json_integer_value(value) : POLL_MS;
    return pause < POLL_MIN_MS ? POLL_MIN_MS : pause > POLL_MAX_MS ? POLL_MAX_MS : pause;
}

static enum status ask(struct client *client, const char *method, const json_t *id, json_t **result,
                       struct error *error)
{
    return client_request(client, method, json_pack("{s:O}", "taskId", id), CLIENT_QUICK, result, error);
}

/* Answers what a task of 2026-07-28 wants to know, each question once. */
static enum status update(struct client *client, const json_t *id, const json_t *task, json_t *answered,
                          struct error *error)
{
    const char *key;
    json_t *request;
    json_t *open = json_object();
    json_t *responses = NULL;
    json_t *ignored = NULL;
    enum status status = STATUS_OK;
    json_object_foreach(json_object_get(task, "inputRequests"), key, request)
    {
        if (!json_object_get(answered, key))
            json_object_set(open, key, request);
    }
    if (json_object_size(open) > 0)
        status = client_inputs(client, open, &responses, error);
    if (status == STATUS_OK && responses)
        status = client_request(client, "tasks/update",
                                json_pack("{s:O, s:O}", "taskId", id, "inputResponses", responses),
                                CLIENT_QUICK, &ignored, error);
    json_object_update(answered, open);
    json_decref(ignored);
    json_decref(responses);
    json_decref(open);
    return status;
}

/* The end of a task: its result, or why there is none. */
static enum status finish(struct client *client, const json_t *id, const json_t *task, const char *state,
                          json_t **result, struct error *error)
{
    const char *why = json_string_value(json_object_get(task, "statusMessage"));
    const json_t *failure = json_object_get(task, "error");
    if (strcmp(state, "cancelled") == 0)
        return error_set(error, STATUS_TOOL, "the task was cancelled%s%s", why ? ": " : "", why ? why : "");
    if (!client->stateless) /* tasks/result has what the call would have had, and may wait for it */
        return client_request(client, "tasks/result", json_pack("{s:O}", "taskId", id), CLIENT_WORK, result,
                              error);
    if (failure)
        return client_refused(failure, error);
    *result = json_incref(json_object_get(task, "result"));
    if (json_is_object(*result))
        return STATUS_OK;
    json_decref(*result);
    *result = NULL;
    return error_set(error, STATUS_TOOL, "the task %s without a result%s%s", state, why ? ": " : "",
                     why ? why : "");
}

enum status task_follow(struct client *client, json_t **result, struct error *error)
{
    json_t *task = json_incref(task_of(client, *result));
    if (!task)
        return STATUS_OK;
    json_t *id = json_incref(json_object_get(task, "taskId"));
    json_t *answered = json_object();
    json_decref(*result);
    *result = NULL;
    enum status status = STATUS_OK;
    for (bool ended = false; status == STATUS_OK && !ended;) {
        const char *state = json_string_value(json_object_get(task, "status"));
        if (!state || !json_is_string(id)) {
            status = error_set(error, STATUS_TOOL, "the server's task has no status, or no id");
            break;
        }
        ended = strcmp(state, "completed") == 0 || strcmp(state, "failed") == 0 ||
                strcmp(state, "cancelled") == 0 ||
                (!client->stateless && strcmp(state, "input_required") == 0); /* tasks/result waits for it */
        if (ended) {
            status = finish(client, id, task, state, result, error);
            break;
        }
        if (strcmp(state, "input_required") == 0)
            status = update(client, id, task, answered, error);
        if (status == STATUS_OK)
            status = client_idle(client, pause_of(client, task), error);
        json_t *next = NULL;
        if (status == STATUS_OK)
            status = ask(client, "tasks/get", id, &next, error);
        if (next) {
            json_decref(task);
            task = next;
        }
    }
    if (status == STATUS_INTERRUPTED && client->open) { /* the server may do as it likes */
        json_t *ignored = NULL;
        struct error unread;
        ask(client, "tasks/cancel", id, &ignored, &unread);
        json_decref(ignored);
    }
    json_decref(answered);
    json_decref(id);
    json_decref(task);
    return status;
}
