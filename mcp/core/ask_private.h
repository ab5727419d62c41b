/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: what a call asks its client.
 */
#ifndef MCP_ASK_PRIVATE_H
#define MCP_ASK_PRIVATE_H

#include "call_private.h"
#include "mcp/ask.h"

/* Questions and answers of one round. */
struct asks {
    struct mcp_json_writer writer; /* the questions, as an object by key */
    uint32_t count;
    uint64_t ids[MCP_ASKS_MAX];          /* of the requests that ask them */
    struct mcp_json_document *questions; /* the same, parsed; from mcp_call_wait on */
    struct mcp_json_document *answers[MCP_ASKS_MAX];
    uint32_t missing;
    bool refused; /* the client answered with an error, or more than there is room for, while the rest was
                     sent */
    size_t held;  /* by the answers, in bytes */
};

extern const struct ask_hooks ask_hooks;
/* Asks what mcp_call_ask has gathered; the call may be gone when this returns. ask_round.c */
void ask_begin_round(struct mcp_call *call);

/* Writes requestState: the state, sealed for this request. Returns 0 or a negative errno: -ENOSYS without the
 * hooks.
 */
int state_seal(struct mcp_call *call, const void *state, size_t size, struct mcp_json_writer *writer);
/* Opens a sealed state: 0, -EINVAL (not ours, or too old), -ENOSYS, -ENOMEM. */
int state_open(struct mcp_call *call, struct mcp_json sealed, const void **state, size_t *size);

#endif
