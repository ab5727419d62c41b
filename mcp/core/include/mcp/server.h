/* SPDX-License-Identifier: MIT
 *
 * An MCP server without an operating system: JSON-RPC 2.0 in, JSON-RPC 2.0 out. It never blocks, owns no
 * thread and calls nothing but its hooks. Nothing global: several servers in one program. One task at a time
 * may call into a server and its sessions.
 */
#ifndef MCP_SERVER_H
#define MCP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mcp/json.h>
#include <mcp/tool.h>

#define MCP_PROTOCOL_LATEST "2025-11-25" /* the newest version that `initialize` negotiates */

/* JSON-RPC 2.0, section 5.1, and ours in the range that it reserves for servers. */
enum mcp_error {
    MCP_ERROR_PARSE = -32700,
    MCP_ERROR_INVALID_REQUEST = -32600,
    MCP_ERROR_METHOD_NOT_FOUND = -32601,
    MCP_ERROR_INVALID_PARAMS = -32602,
    MCP_ERROR_INTERNAL = -32603,
    MCP_ERROR_OVERLOADED =
        -32000, /* out of memory or too many calls: data.retryAfterMs says when to try again */
    MCP_ERROR_TOO_LARGE = -32001 /* a message beyond the limit: data.limit is it, in bytes */
};

#define MCP_BATCH_MAX 256 /* messages in one batch; more are refused as a whole */

struct mcp_server;
struct mcp_session;

struct mcp_server_config {
    const char *name, *title, *version; /* serverInfo; title may be NULL */
    const char *instructions;           /* or NULL */
    struct mcp_memory memory;
    size_t message_max;         /* bytes of one outgoing message; 0: 1 MiB */
    uint32_t calls_per_session; /* unanswered at once; 0: 64 */
    bool methods_are_tools;     /* {"method":"infer"} calls the tool `infer`; protocol names win. The answer's
                                   result is the tool's structured content. */
};

/* Strings of the configuration must outlive the server. Returns 0, -EINVAL or -ENOMEM. */
int mcp_server_create(const struct mcp_server_config *config, struct mcp_server **server);
/* All sessions must be closed and all calls answered. */
void mcp_server_destroy(struct mcp_server *server);

/* Copies *tool (not its strings). Returns 0, -EEXIST, -EINVAL (a bad name, a schema that is not an object),
 * -ENOMEM. tools/list keeps the order of addition. */
int mcp_server_add_tool(struct mcp_server *server, const struct mcp_tool *tool);

/* Sends one whole message to the client; `message` is valid during the call. Returns 0, or a negative errno
 * when the connection cannot take it; the library then drops it (the connection is expected to be closing).
 */
typedef int (*mcp_send)(void *context, const char *message, size_t length);

/* One client on one connection. */
int mcp_session_open(struct mcp_server *server, mcp_send send, void *context, struct mcp_session **session);
/* Unanswered calls are told by their `cancelled`, and their answers go nowhere. Not from within mcp_send. */
void mcp_session_close(struct mcp_session *session);

/* Handles one message of the client; answers go out through mcp_send, now or later. */
void mcp_session_receive(struct mcp_session *session, const char *message, size_t length);

/* For what the transport notices by itself (a message too long, no memory for it): answers with an error
 * whose id is null. `data` is JSON text or NULL. */
void mcp_session_report(struct mcp_session *session, int code, const char *message, const char *data);

/* Calls not answered yet. */
uint32_t mcp_session_pending(const struct mcp_session *session);

struct mcp_server_statistics {
    uint64_t sessions, requests, notifications, errors, calls, pending;
};
void mcp_server_get_statistics(const struct mcp_server *server, struct mcp_server_statistics *statistics);

#endif
