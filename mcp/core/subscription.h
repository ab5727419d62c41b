/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: what a session has subscribed to.
 */
#ifndef MCP_SUBSCRIPTION_H
#define MCP_SUBSCRIPTION_H

#include "server_private.h"

struct subscription {
    struct subscription *next;
    uint64_t serial;
    size_t size;
    uint32_t lists;   /* whose change it wants */
    uint32_t uris;    /* how many */
    uint32_t tasks;   /* the same */
    size_t id_length; /* of the listening request; 0: made by resources/subscribe */
    char texts[];     /* the id, the URIs and the ids of tasks, each of these with a NUL */
};

/* Lists whose change is told: how a filter calls it, and the notification. */
struct list_change {
    uint32_t list;
    const char *filter, *method;
};

#define LIST_KINDS 3u
extern const struct list_change list_kinds[LIST_KINDS];

/* Where its URIs and its ids of tasks begin, one behind the other. */
const char *subscription_uris(const struct subscription *subscription);
const char *subscription_tasks(const struct subscription *subscription);
/* The member _meta of what it is told. */
void subscription_write_id(struct message *message, const char *id, size_t id_length);
void changes_tell_lists(struct mcp_server *server, uint32_t list);
void changes_tell_task(struct task *task);

bool subscription_is_listening(const struct subscription *subscription);
/* Frees one that is in no list. */
void subscription_release(struct mcp_session *session, struct subscription *subscription);
/* Takes *link out of the session's list and frees it. */
void subscription_end(struct mcp_session *session, struct subscription **link);

#endif
