/* SPDX-License-Identifier: MIT
 *
 * The subscriptions of a session: found and ended. features/subscriptions.c begins and serves them.
 */
#include "subscription.h"

#include <string.h>

const char *subscription_uris(const struct subscription *subscription)
{
    return subscription->texts + subscription->id_length;
}

const char *subscription_tasks(const struct subscription *subscription)
{
    const char *text = subscription_uris(subscription);

    for (uint32_t i = 0; i < subscription->uris; i++)
        text += strlen(text) + 1;
    return text;
}

bool subscription_is_listening(const struct subscription *subscription)
{
    return subscription->id_length > 0;
}

void subscription_release(struct mcp_session *session, struct subscription *subscription)
{
    const struct mcp_memory *memory = &session->server->config.memory;

    session->watches -=
        subscription->uris + subscription->tasks + (subscription_is_listening(subscription) ? 1 : 0);
    session->held -= subscription->size;
    memory->release(memory->context, subscription, subscription->size);
}

void subscription_end(struct mcp_session *session, struct subscription **link)
{
    struct subscription *subscription = *link;

    *link = subscription->next;
    subscription_release(session, subscription);
}

void subscriptions_release(struct mcp_session *session)
{
    while (session->subscriptions != NULL)
        subscription_end(session, &session->subscriptions);
}

bool subscription_has_id(const struct mcp_session *session, const char *id, size_t id_length)
{
    for (const struct subscription *each = session->subscriptions; each != NULL; each = each->next)
        if (subscription_is_listening(each) && ids_equal(id, id_length, each->texts, each->id_length))
            return true;
    return false;
}

bool subscription_cancel(struct mcp_session *session, const char *id, size_t id_length)
{
    for (struct subscription **link = &session->subscriptions; *link != NULL; link = &(*link)->next) {
        if (subscription_is_listening(*link) &&
            ids_equal(id, id_length, (*link)->texts, (*link)->id_length)) {
            subscription_end(session, link);
            return true;
        }
    }
    return false;
}
