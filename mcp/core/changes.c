/* SPDX-License-Identifier: MIT
 *
 * What clients are told without having asked at that moment: that a resource, a list or a task has changed.
 */
#include <string.h>

#include "subscription.h"
#include "task.h"

const struct list_change list_kinds[LIST_KINDS] = {
    {LIST_TOOLS, "toolsListChanged", "notifications/tools/list_changed"},
    {LIST_RESOURCES, "resourcesListChanged", "notifications/resources/list_changed"},
    {LIST_PROMPTS, "promptsListChanged", "notifications/prompts/list_changed"},
};

/* Whether `wanted` is among `count` texts. */
static bool is_among(const char *text, uint32_t count, const char *wanted)
{
    for (uint32_t i = 0; i < count; i++, text = text + strlen(text) + 1)
        if (strcmp(text, wanted) == 0)
            return true;
    return false;
}

void subscription_write_id(struct message *message, const char *id, size_t id_length)
{
    mcp_json_key_write(&message->writer, "_meta");
    mcp_json_begin_object(&message->writer);
    mcp_json_key_write(&message->writer, "io.modelcontextprotocol/subscriptionId");
    mcp_json_raw_value(&message->writer, id, id_length);
    mcp_json_end_object(&message->writer);
}

/* What has changed: one of the three. */
struct change {
    const char *method;
    uint32_t list;
    const char *uri;
    const struct task *task;
};

static bool wants(const struct subscription *subscription, const struct change *change)
{
    if (change->task != NULL)
        return is_among(subscription_tasks(subscription), subscription->tasks, change->task->id);
    if (change->uri != NULL)
        return is_among(subscription_uris(subscription), subscription->uris, change->uri);
    return (subscription->lists & change->list) != 0;
}

/* The first subscription behind `serial` that wants to know; the hook of the one before may have changed the
 * list. */
static struct subscription *next_wanting(const struct mcp_session *session, uint64_t serial,
                                         const struct change *change)
{
    struct subscription *each = session->subscriptions;

    while (each != NULL && (each->serial <= serial || !wants(each, change)))
        each = each->next;
    return each;
}

static void tell(struct mcp_session *session, const struct subscription *subscription,
                 const struct change *change)
{
    const char *id =
        subscription != NULL && subscription_is_listening(subscription) ? subscription->texts : NULL;
    size_t id_length = id != NULL ? subscription->id_length : 0;
    struct message message;

    notification_begin(session, &message, change->method);
    if (id != NULL)
        subscription_write_id(&message, id, id_length);
    if (change->uri != NULL)
        mcp_json_member_string(&message.writer, "uri", change->uri);
    if (change->task != NULL)
        session->server->task_hooks->write(&message.writer, change->task);
    (void)notification_end(session, &message, id, id_length);
}

static void tell_subscriptions(struct mcp_session *session, const struct change *change)
{
    uint64_t serial = 0;
    struct subscription *subscription;

    while (!session->closed && (subscription = next_wanting(session, serial, change)) != NULL) {
        serial = subscription->serial;
        tell(session, subscription, change);
    }
}

/* What is gone is told to all that watched it. */
static bool may_hear(const struct mcp_session *session, const char *uri)
{
    const struct resource_entry *entry = resource_find(session->server, uri);

    return entry == NULL || session_may_use(session, entry->item.needs);
}

void mcp_server_resource_updated(struct mcp_server *server, const char *uri)
{
    const struct change change = {.method = "notifications/resources/updated", .uri = uri};
    struct mcp_session *next;

    for (struct mcp_session *session = server->sessions; session != NULL; session = next) {
        session_enter(session);
        if (may_hear(session, uri))
            tell_subscriptions(session, &change);
        next = session->next;
        session_leave(session);
    }
}

/* The ids are known to those whose tasks they are. */
void changes_tell_task(struct task *task)
{
    const struct change change = {.method = "notifications/tasks", .task = task};
    struct mcp_session *next;

    for (struct mcp_session *session = task->server->sessions; session != NULL; session = next) {
        session_enter(session);
        if (task->server->task_hooks->is_of(task, session, true))
            tell_subscriptions(session, &change);
        next = session->next;
        session_leave(session);
    }
}

void changes_tell_lists(struct mcp_server *server, uint32_t list)
{
    struct change change = {.list = list};
    struct mcp_session *next;
    size_t i = 0;

    while (list_kinds[i].list != list)
        i++;
    change.method = list_kinds[i].method;
    for (struct mcp_session *session = server->sessions; session != NULL; session = next) {
        session_enter(session);
        if (session->version != NULL && !session->closed)
            tell(session, NULL, &change);
        tell_subscriptions(session, &change);
        next = session->next;
        session_leave(session);
    }
}
