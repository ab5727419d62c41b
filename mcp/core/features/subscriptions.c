/* SPDX-License-Identifier: MIT
 *
 * What clients want to be told of (changes.c tells it): that a resource, a list or a task has changed. By
 * resources/subscribe up to 2025-11-25 ("Server features / Resources / Subscriptions"), where changes of
 * lists come by themselves; since 2026-07-28 by subscriptions/listen ("Basic / Patterns / Subscriptions").
 */
#include <errno.h>
#include <string.h>

#include "call_private.h"
#include "subscription.h"
#include "task.h"

/* ---- beginning ---- */

/* Room for `uris` URIs of `text_size` bytes together, linked behind the others; or NULL, and the request is
 * answered. */
static struct subscription *begin(const struct request *request, uint32_t uris, size_t text_size,
                                  size_t id_length)
{
    struct mcp_session *session = request->session;
    const struct mcp_server_config *config = &session->server->config;
    uint32_t count = uris + (id_length > 0 ? 1 : 0);
    size_t size = sizeof(struct subscription) + id_length + text_size;
    struct subscription **link = &session->subscriptions;
    struct subscription *subscription;

    if (count > config->subscriptions_per_session - session->watches || !session_has_room(session, size)) {
        reply_overloaded(&request->reply, "Overloaded: too many subscriptions of this session");
        return NULL;
    }
    subscription = config->memory.allocate(config->memory.context, size);
    if (subscription == NULL) {
        reply_overloaded(&request->reply, "Overloaded: out of memory for this subscription");
        return NULL;
    }
    *subscription = (struct subscription){
        .serial = ++session->last_subscription, .size = size, .uris = uris, .id_length = id_length};
    memcpy(subscription->texts, request->reply.id, id_length);
    while (*link != NULL)
        link = &(*link)->next;
    *link = subscription;
    session->watches += count;
    session->held += size;
    return subscription;
}

/* ---- resources/subscribe, resources/unsubscribe ---- */

static struct subscription **find_plain(struct mcp_session *session, struct mcp_json uri)
{
    struct subscription **link = &session->subscriptions;

    while (*link != NULL && (subscription_is_listening(*link) || !mcp_json_equals(uri, (*link)->texts)))
        link = &(*link)->next;
    return link;
}

/* What the client may not read is not there for it. */
static bool can_watch(const struct mcp_session *session, const char *uri)
{
    const struct resource_entry *entry = resource_find(session->server, uri);

    return entry != NULL && session_may_use(session, entry->item.needs);
}

static void subscribe(const struct request *request, struct mcp_json uri)
{
    struct mcp_session *session = request->session;
    size_t size = mcp_json_string_length(uri) + 1;
    struct subscription *subscription = begin(request, 1, size, 0);
    struct subscription **link;

    if (subscription == NULL)
        return;
    (void)mcp_json_get_string(uri, subscription->texts, size);
    if (strlen(subscription->texts) == size - 1 && can_watch(session, subscription->texts)) {
        reply_empty(&request->reply);
        return;
    }
    /* The text serves the answer, too. */
    for (link = &session->subscriptions; *link != subscription; link = &(*link)->next) {
    }
    *link = subscription->next;
    reply_resource_not_found(&request->reply, subscription->texts);
    subscription_release(session, subscription);
}

static void handle_subscribe(const struct request *request)
{
    struct mcp_json uri = mcp_json_member(request->params, "uri");

    if (mcp_json_type(uri) != MCP_JSON_STRING)
        reply_invalid_params(&request->reply, "uri must be a string");
    else if (*find_plain(request->session, uri) != NULL)
        reply_empty(&request->reply);
    else
        subscribe(request, uri);
}

static void handle_unsubscribe(const struct request *request)
{
    struct mcp_json uri = mcp_json_member(request->params, "uri");
    struct subscription **link;

    if (mcp_json_type(uri) != MCP_JSON_STRING) {
        reply_invalid_params(&request->reply, "uri must be a string");
        return;
    }
    link = find_plain(request->session, uri);
    if (*link != NULL)
        subscription_end(request->session, link);
    reply_empty(&request->reply);
}

/* ---- subscriptions/listen ---- */

static void write_texts(struct mcp_json_writer *writer, const char *name, const char *text, uint32_t count)
{
    if (count == 0)
        return;
    mcp_json_key_write(writer, name);
    mcp_json_begin_array(writer);
    for (; count > 0; count--, text = text + strlen(text) + 1)
        mcp_json_string(writer, text);
    mcp_json_end_array(writer);
}

static int acknowledge(struct mcp_session *session, const struct subscription *subscription)
{
    struct message message;

    notification_begin(session, &message, "notifications/subscriptions/acknowledged");
    subscription_write_id(&message, subscription->texts, subscription->id_length);
    mcp_json_key_write(&message.writer, "notifications");
    mcp_json_begin_object(&message.writer);
    for (size_t i = 0; i < LIST_KINDS; i++)
        if ((subscription->lists & list_kinds[i].list) != 0)
            mcp_json_member_bool(&message.writer, list_kinds[i].filter, true);
    write_texts(&message.writer, "resourceSubscriptions", subscription_uris(subscription),
                subscription->uris);
    write_texts(&message.writer, "taskIds", subscription_tasks(subscription), subscription->tasks);
    mcp_json_end_object(&message.writer);
    return notification_end(session, &message, subscription->texts, subscription->id_length);
}

/* What a client wants to hear of. */
struct filter {
    uint32_t lists;
    struct mcp_json uris, tasks; /* arrays, or NONE */
    size_t size;                 /* of the texts in them, with a NUL each */
};

/* Whether it is NONE or an array of strings, whose size is added. */
static bool read_texts(struct mcp_json texts, size_t *size)
{
    if (mcp_json_type(texts) != MCP_JSON_NONE && mcp_json_type(texts) != MCP_JSON_ARRAY)
        return false;
    for (struct mcp_json text = mcp_json_first(texts); mcp_json_type(text) != MCP_JSON_NONE;
         text = mcp_json_next(text)) {
        if (mcp_json_type(text) != MCP_JSON_STRING)
            return false;
        *size += mcp_json_string_length(text) + 1;
    }
    return true;
}

/* Returns what is wrong with it, or NULL. */
static const char *read_filter(struct mcp_json notifications, bool with_tasks, struct filter *filter)
{
    *filter = (struct filter){.uris = mcp_json_member(notifications, "resourceSubscriptions")};
    if (mcp_json_type(notifications) != MCP_JSON_OBJECT)
        return "notifications must be an object";
    for (size_t i = 0; i < LIST_KINDS; i++) {
        struct mcp_json value = mcp_json_member(notifications, list_kinds[i].filter);
        bool wants = false;

        if (mcp_json_type(value) != MCP_JSON_NONE && mcp_json_get_bool(value, &wants) != 0)
            return "notifications: what is about a list must be true or false";
        filter->lists |= wants ? list_kinds[i].list : 0;
    }
    if (with_tasks)
        filter->tasks = mcp_json_member(notifications, "taskIds");
    if (!read_texts(filter->uris, &filter->size))
        return "notifications: resourceSubscriptions must be an array of strings";
    if (!read_texts(filter->tasks, &filter->size))
        return "notifications: taskIds must be an array of strings";
    return NULL;
}

static uint32_t offered_lists(const struct mcp_server *server)
{
    uint32_t offered = 0;

    if (!server->lists_change)
        return 0;
    if (server->tools.last_serial > 0)
        offered |= LIST_TOOLS;
    if (server->resources.last_serial > 0 || server->templates.last_serial > 0)
        offered |= LIST_RESOURCES;
    if (server->prompts.last_serial > 0)
        offered |= LIST_PROMPTS;
    return offered;
}

/* Keeps the texts that name something; the acknowledgement says which. */
static void keep_uris(const struct mcp_session *session, struct subscription *subscription,
                      struct mcp_json uris)
{
    char *text = subscription->texts + subscription->id_length;

    if (!session->server->resources_change)
        return;
    for (struct mcp_json uri = mcp_json_first(uris); mcp_json_type(uri) != MCP_JSON_NONE;
         uri = mcp_json_next(uri)) {
        size_t length = mcp_json_string_length(uri);

        (void)mcp_json_get_string(uri, text, length + 1);
        if (strlen(text) == length && can_watch(session, text)) {
            text += length + 1;
            subscription->uris++;
        }
    }
}

static void keep_tasks(const struct mcp_session *session, struct subscription *subscription,
                       struct mcp_json ids)
{
    char *text = subscription->texts + (subscription_tasks(subscription) - subscription->texts);

    for (struct mcp_json id = mcp_json_first(ids); mcp_json_type(id) != MCP_JSON_NONE;
         id = mcp_json_next(id)) {
        const struct task *task = session->server->task_hooks->find(session, true, id);

        if (task == NULL)
            continue;
        memcpy(text, task->id, sizeof(task->id));
        text += sizeof(task->id);
        subscription->tasks++;
    }
}

static void handle_listen(const struct request *request)
{
    struct mcp_session *session = request->session;
    struct mcp_json notifications = mcp_json_member(request->params, "notifications");
    const struct task_hooks *tasks = session->server->task_hooks;
    struct subscription *subscription;
    struct filter filter;
    const char *wrong = read_filter(notifications, tasks != NULL, &filter);
    uint32_t count;
    int result;

    if (wrong != NULL) {
        reply_invalid_params(&request->reply, wrong);
        return;
    }
    if (tasks != NULL && mcp_json_type(filter.tasks) != MCP_JSON_NONE && !tasks->may_use(request))
        return;
    count = (uint32_t)(mcp_json_count(filter.uris) + mcp_json_count(filter.tasks));
    subscription = begin(request, count, filter.size, request->reply.id_length);
    if (subscription == NULL)
        return;
    subscription->lists = filter.lists & offered_lists(session->server);
    subscription->uris = 0;
    keep_uris(session, subscription, filter.uris);
    if (tasks != NULL)
        keep_tasks(session, subscription, filter.tasks);
    session->watches -= count - subscription->uris - subscription->tasks;
    result = acknowledge(session, subscription); /* the subscription may be gone */
    if (result == 0) {
        reply_nothing(&request->reply);
        return;
    }
    (void)subscription_cancel(session, request->reply.id, request->reply.id_length);
    if (result == -ENOMEM)
        reply_overloaded(&request->reply, "Overloaded: out of memory for this subscription");
    else
        reply_writer_error(&request->reply, result);
}

void mcp_session_end_subscriptions(struct mcp_session *session)
{
    struct subscription **link = &session->subscriptions;

    session_enter(session);
    while (!session->closed && *link != NULL) {
        struct subscription *subscription = *link;
        struct reply reply = {.server = session->server,
                              .session = session,
                              .version = version_newest(STATELESS_ERA),
                              .id = subscription->texts,
                              .id_length = subscription->id_length};
        struct mcp_json_writer meta;
        struct message message;
        const char *text = NULL;
        size_t length = 0;

        if (!subscription_is_listening(subscription)) {
            link = &subscription->next;
            continue;
        }
        *link = subscription->next; /* the hook may change the list: begin again */
        link = &session->subscriptions;
        mcp_json_writer_initialise(&meta, &session->server->config.memory,
                                   session->server->config.message_max);
        mcp_json_begin_object(&meta);
        mcp_json_key_write(&meta, "io.modelcontextprotocol/subscriptionId");
        mcp_json_raw_value(&meta, subscription->texts, subscription->id_length);
        mcp_json_end_object(&meta);
        if (mcp_json_finish(&meta, &text, &length) == 0) {
            reply_result_begin(&reply, &message);
            (void)reply_result_end(&reply, &message, text, length);
        } else {
            reply_overloaded(&reply, "Overloaded: out of memory for the end of this subscription");
        }
        mcp_json_writer_release(&meta);
        subscription_release(session, subscription);
    }
    session_leave(session);
}

static const struct method methods[] = {
    {.name = "resources/subscribe", .handle = handle_subscribe, .versions = INITIALIZE_ERA},
    {.name = "resources/unsubscribe", .handle = handle_unsubscribe, .versions = INITIALIZE_ERA},
    {.name = "subscriptions/listen", .handle = handle_listen, .versions = STATELESS_ERA},
};

const struct feature feature_subscriptions = {.methods = methods,
                                              .method_count = sizeof(methods) / sizeof(methods[0])};

void mcp_server_enable_changes(struct mcp_server *server, bool of_lists, bool of_resources)
{
    server->lists_change = of_lists;
    server->resources_change = of_resources;
    server->tell_lists = of_lists ? changes_tell_lists : NULL;
    server->tell_task = changes_tell_task;
    server_use(server, &feature_subscriptions);
}
