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
    size_t id_length; /* of the listening request; 0: made by resources/subscribe */
    char texts[];     /* the id, and the URIs, each with a NUL */
};

bool subscription_is_listening(const struct subscription *subscription);
/* Frees one that is in no list. */
void subscription_release(struct mcp_session *session, struct subscription *subscription);
/* Takes *link out of the session's list and frees it. */
void subscription_end(struct mcp_session *session, struct subscription **link);

#endif
