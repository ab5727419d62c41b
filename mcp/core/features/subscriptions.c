/* SPDX-License-Identifier: MIT
 *
 * What clients are told without having asked at that moment: that a resource or a list has changed. By
 * resources/subscribe up to 2025-11-25 ("Server features / Resources / Subscriptions"), where changes of
 * lists come by themselves; since 2026-07-28 by subscriptions/listen ("Basic / Patterns / Subscriptions").
 */
#include <string.h>

#include "call_private.h"
#include "subscription.h"

static const struct {
    uint32_t list;
    const char *filter, *method;
} lists[] = {
    {LIST_TOOLS, "toolsListChanged", "notifications/tools/list_changed"},
    {LIST_RESOURCES, "resourcesListChanged", "notifications/resources/list_changed"},
    {LIST_PROMPTS, "promptsListChanged", "notifications/prompts/list_changed"},
};

#define LIST_COUNT (sizeof(lists) / sizeof(lists[0]))

static bool watches(const struct subscription *subscription, const char *uri)
{
    const char *text = subscription->texts + subscription->id_length;

    for (uint32_t i = 0; i < subscription->uris; i++, text += strlen(text) + 1)
        if (strcmp(text, uri) == 0)
            return true;
    return false;
}

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

static void write_id(struct message *message, const char *id, size_t id_length)
{
    mcp_json_key_write(&message->writer, "_meta");
    mcp_json_begin_object(&message->writer);
    mcp_json_key_write(&message->writer, "io.modelcontextprotocol/subscriptionId");
    mcp_json_raw_value(&message->writer, id, id_length);
    mcp_json_end_object(&message->writer);
}

static int acknowledge(struct mcp_session *session, const struct subscription *subscription)
{
    const char *text = subscription->texts + subscription->id_length;
    struct message message;

    notification_begin(session, &message, "notifications/subscriptions/acknowledged");
    write_id(&message, subscription->texts, subscription->id_length);
    mcp_json_key_write(&message.writer, "notifications");
    mcp_json_begin_object(&message.writer);
    for (size_t i = 0; i < LIST_COUNT; i++)
        if ((subscription->lists & lists[i].list) != 0)
            mcp_json_member_bool(&message.writer, lists[i].filter, true);
    if (subscription->uris > 0) {
        mcp_json_key_write(&message.writer, "resourceSubscriptions");
        mcp_json_begin_array(&message.writer);
        for (uint32_t i = 0; i < subscription->uris; i++, text += strlen(text) + 1)
            mcp_json_string(&message.writer, text);
        mcp_json_end_array(&message.writer);
    }
    mcp_json_end_object(&message.writer);
    return notification_end(session, &message, subscription->texts, subscription->id_length);
}

/* What is wrong with the filter, or NULL; the lists that it wants, and the size of its URIs. */
static const char *read_filter(struct mcp_json filter, uint32_t *wanted, struct mcp_json *uris, size_t *size)
{
    *wanted = 0;
    *size = 0;
    *uris = mcp_json_member(filter, "resourceSubscriptions");
    if (mcp_json_type(filter) != MCP_JSON_OBJECT)
        return "notifications must be an object";
    for (size_t i = 0; i < LIST_COUNT; i++) {
        struct mcp_json value = mcp_json_member(filter, lists[i].filter);
        bool wants = false;

        if (mcp_json_type(value) != MCP_JSON_NONE && mcp_json_get_bool(value, &wants) != 0)
            return "notifications: what is about a list must be true or false";
        *wanted |= wants ? lists[i].list : 0;
    }
    if (mcp_json_type(*uris) != MCP_JSON_NONE && mcp_json_type(*uris) != MCP_JSON_ARRAY)
        return "notifications: resourceSubscriptions must be an array of strings";
    for (struct mcp_json uri = mcp_json_first(*uris); mcp_json_type(uri) != MCP_JSON_NONE;
         uri = mcp_json_next(uri)) {
        if (mcp_json_type(uri) != MCP_JSON_STRING)
            return "notifications: resourceSubscriptions must be an array of strings";
        *size += mcp_json_string_length(uri) + 1;
    }
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

/* Keeps the URIs that name something; the acknowledgement says which. */
static void keep_uris(const struct mcp_session *session, struct subscription *subscription,
                      struct mcp_json uris)
{
    char *text = subscription->texts + subscription->id_length;
    uint32_t kept = 0;

    if (session->server->resources_change) {
        for (struct mcp_json uri = mcp_json_first(uris); mcp_json_type(uri) != MCP_JSON_NONE;
             uri = mcp_json_next(uri)) {
            size_t length = mcp_json_string_length(uri);

            (void)mcp_json_get_string(uri, text, length + 1);
            if (strlen(text) == length && can_watch(session, text)) {
                text += length + 1;
                kept++;
            }
        }
    }
    subscription->uris = kept;
}

static void handle_listen(const struct request *request)
{
    struct mcp_session *session = request->session;
    struct subscription *subscription;
    struct mcp_json uris;
    uint32_t wanted;
    size_t size;
    const char *wrong = read_filter(mcp_json_member(request->params, "notifications"), &wanted, &uris, &size);

    if (wrong != NULL) {
        reply_invalid_params(&request->reply, wrong);
        return;
    }
    subscription = begin(request, (uint32_t)mcp_json_count(uris), size, request->reply.id_length);
    if (subscription == NULL)
        return;
    subscription->lists = wanted & offered_lists(session->server);
    session->watches -= subscription->uris;
    keep_uris(session, subscription, uris);
    session->watches += subscription->uris;
    if (acknowledge(session, subscription) == 0) { /* the subscription may be gone */
        reply_nothing(&request->reply);
        return;
    }
    (void)subscription_cancel(session, request->reply.id, request->reply.id_length);
    reply_overloaded(&request->reply, "Overloaded: out of memory for this subscription");
}

void mcp_session_end_subscriptions(struct mcp_session *session)
{
    struct subscription **link = &session->subscriptions;

    session_enter(session);
    while (!session->closed && *link != NULL) {
        struct subscription *subscription = *link;
        struct reply reply = {.session = session,
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

/* ---- changes ---- */

/* The first subscription behind `serial` that wants to know; the hook of the one before may have changed the
 * list. */
static struct subscription *next_wanting(const struct mcp_session *session, uint64_t serial, uint32_t list,
                                         const char *uri)
{
    struct subscription *each = session->subscriptions;

    while (each != NULL &&
           (each->serial <= serial || (uri != NULL ? !watches(each, uri) : (each->lists & list) == 0)))
        each = each->next;
    return each;
}

static void tell(struct mcp_session *session, const struct subscription *subscription, const char *method,
                 const char *uri)
{
    const char *id =
        subscription != NULL && subscription_is_listening(subscription) ? subscription->texts : NULL;
    size_t id_length = id != NULL ? subscription->id_length : 0;
    struct message message;

    notification_begin(session, &message, method);
    if (id != NULL)
        write_id(&message, id, id_length);
    if (uri != NULL)
        mcp_json_member_string(&message.writer, "uri", uri);
    (void)notification_end(session, &message, id, id_length);
}

static void tell_subscriptions(struct mcp_session *session, uint32_t list, const char *method,
                               const char *uri)
{
    uint64_t serial = 0;
    struct subscription *subscription;

    while (!session->closed && (subscription = next_wanting(session, serial, list, uri)) != NULL) {
        serial = subscription->serial;
        tell(session, subscription, method, uri);
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
    struct mcp_session *next;

    for (struct mcp_session *session = server->sessions; session != NULL; session = next) {
        session_enter(session);
        if (may_hear(session, uri))
            tell_subscriptions(session, 0, "notifications/resources/updated", uri);
        next = session->next;
        session_leave(session);
    }
}

static void tell_lists(struct mcp_server *server, uint32_t list)
{
    struct mcp_session *next;
    size_t i = 0;

    while (lists[i].list != list)
        i++;
    for (struct mcp_session *session = server->sessions; session != NULL; session = next) {
        session_enter(session);
        if (session->version != NULL && !session->closed)
            tell(session, NULL, lists[i].method, NULL);
        tell_subscriptions(session, list, lists[i].method, NULL);
        next = session->next;
        session_leave(session);
    }
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
    server->tell_lists = of_lists ? tell_lists : NULL;
    server_use(server, &feature_subscriptions);
}
