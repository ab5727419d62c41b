/* SPDX-License-Identifier: MIT
 *
 * An MCP server without an operating system: JSON-RPC 2.0 in, JSON-RPC 2.0 out. It never blocks, owns no
 * thread and calls nothing but its hooks. Nothing global: several servers in one program.
 *
 * One task at a time may call into a server and its sessions, but the library is ready for it at each of its
 * hooks (memory aside): mcp_send, handlers and their `cancelled` may call back into it, close the
 * session they work for, or let another task run that does.
 */
#ifndef MCP_SERVER_H
#define MCP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mcp/ask.h>
#include <mcp/json.h>
#include <mcp/prompt.h>
#include <mcp/resource.h>
#include <mcp/tool.h>

#define MCP_PROTOCOL_LATEST "2026-07-28" /* of the versions that the server has */

/* JSON-RPC 2.0, section 5.1, and ours in the range that it reserves for servers. */
enum mcp_error {
    MCP_ERROR_PARSE = -32700,
    MCP_ERROR_INVALID_REQUEST = -32600,
    MCP_ERROR_METHOD_NOT_FOUND = -32601,
    MCP_ERROR_INVALID_PARAMS = -32602,
    MCP_ERROR_INTERNAL = -32603,
    MCP_ERROR_OVERLOADED =
        -32000, /* out of memory or too many calls: data.retryAfterMs says when to try again */
    MCP_ERROR_TOO_LARGE = -32001,          /* a message beyond the limit: data.limit is it, in bytes */
    MCP_ERROR_FORBIDDEN = -32003,          /* this client may not use it: mcp_session_allow */
    MCP_ERROR_RESOURCE_NOT_FOUND = -32002, /* up to 2025-11-25; then MCP_ERROR_INVALID_PARAMS */
    MCP_ERROR_URL_REQUIRED = -32042,       /* 2025-11-25: mcp_call_require_urls */
    MCP_ERROR_HEADER_MISMATCH = -32020,    /* 2026-07-28, of a transport with headers: not used here */
    MCP_ERROR_MISSING_CAPABILITY = -32021, /* of the client; from 2026-07-28 */
    MCP_ERROR_UNSUPPORTED_VERSION = -32022 /* data.supported; from 2026-07-28 */
};

#define MCP_BATCH_MAX 256 /* messages in one batch; more are refused as a whole */

struct mcp_server;
struct mcp_session;

/* Strings must outlive the server. */
struct mcp_server_config {
    const char *name, *title, *version;    /* serverInfo; title may be NULL */
    const char *description, *website_url; /* of it, or NULL */
    const char *icons;                     /* of it: JSON text of an array of Icon, or NULL */
    const char *instructions;              /* or NULL */
    struct mcp_memory memory;
    size_t message_max;         /* bytes of one outgoing message; 0: 1 MiB. What does not fit becomes an error
                                   (MCP_ERROR_TOO_LARGE), or another page, or another array of a batch. */
    uint32_t calls_per_session; /* unanswered at once; 0: 64 */
    size_t memory_per_session;  /* bytes that these calls may hold together (ids and arguments; texts that a
                                   tool decodes come on top, at most as much), so that no session takes all
                                   memory; 0: no limit. A call that is alone is always taken. */
    uint32_t subscriptions_per_session; /* resources that a client may watch at once, and streams of changes;
                                           0: 64 */
    uint32_t list_ttl_ms;   /* how long clients may keep a list without asking again (2026-07-28) */
    bool logging;           /* mcp_call_log and mcp_server_log are called */
    uint32_t logging_needs; /* what a client needs for messages of mcp_server_log: see mcp_session_allow */
    bool methods_are_tools; /* {"id":1,"method":"infer","params":{...}} calls the tool `infer`, before
                               `initialize` too and with or without "jsonrpc"; protocol names win. The
                               answer's result is the tool's structured content. */
    bool check_results;     /* structured content must be as the tool's output schema says; where it is not,
                               the client gets MCP_ERROR_INTERNAL. For tests: it parses every result. */
    /* For mcp_call_wait with a state: random bytes that nobody can guess (0, or a negative errno), and time
     * that does not run backwards. May be NULL. */
    int (*entropy)(void *context, void *bytes, size_t size);
    uint64_t (*clock_ms)(void *context);
    void *hook_context;
    uint32_t state_ttl_ms; /* how long such a state is good; 0: 10 minutes */
    /* Told in one line why a declaration is refused, and what is wrong with a result. May be NULL. */
    void (*report)(void *context, const char *line);
    void *report_context;
};

/* Returns 0, -EINVAL (no name, version or memory hook; message_max below 1024) or -ENOMEM. */
int mcp_server_create(const struct mcp_server_config *config, struct mcp_server **server);
/* All sessions must be closed and all calls answered. */
void mcp_server_destroy(struct mcp_server *server);

/* Each copies what it is given (not its strings). Returns 0; -EEXIST (the name, or for resources the URI, is
 * taken); -EINVAL (a name that is not 1 to 128 of A-Z a-z 0-9 _ - . (of a resource: none), an input schema
 * whose "type" is not "object", a schema that the library cannot check, JSON that is not of the kind that the
 * header asks for, a template that is none, no handler, or more text than message_max can list; config.report
 * is told which, and where); -ENOMEM. Lists keep the order of addition.
 *
 * A server has a capability from the first addition on; a client asks for capabilities when it begins, so add
 * one of each kind before sessions are opened. */
int mcp_server_add_tool(struct mcp_server *server, const struct mcp_tool *tool);
int mcp_server_add_resource(struct mcp_server *server, const struct mcp_resource *resource);
int mcp_server_add_prompt(struct mcp_server *server, const struct mcp_prompt *prompt);

/* Each returns 0, or -ENOENT. Calls that are not answered yet go on; their handlers may still get
 * `cancelled`. */
int mcp_server_remove_tool(struct mcp_server *server, const char *name);
int mcp_server_remove_resource(struct mcp_server *server, const char *uri); /* or template */
int mcp_server_remove_prompt(struct mcp_server *server, const char *name);

/* Promises clients that they are told when tools, resources or prompts come and go (`of_lists`), and when a
 * resource has changed that they subscribed to (`of_resources`: then mcp_server_resource_updated is called).
 * Before sessions are opened. */
void mcp_server_enable_changes(struct mcp_server *server, bool of_lists, bool of_resources);

/* Tells the clients that subscribed to this URI that what it names has changed. */
void mcp_server_resource_updated(struct mcp_server *server, const char *uri);

/* Sends a log message that belongs to no request, to the clients that asked for this level by
 * logging/setLevel. What is logged while one is sent (by mcp_send, say) goes to nobody and counts as lost:
 * else it would be the cause of the next. */
void mcp_server_log(struct mcp_server *server, enum mcp_log_level level, const char *logger,
                    const char *text);

/* Sends one whole message to the client; `message` is valid during the call. Returns 0, or a negative errno
 * when the connection cannot take it; the library then drops it (the connection is expected to be closing).
 */
typedef int (*mcp_send)(void *context, const char *message, size_t length);

/* Inside mcp_send: to which request of the client the message belongs, its id as JSON text (`7`, `"a"`), or
 * NULL: to none, or to several. Answers belong to their requests; so do progress, the log messages of a call,
 * and what comes by subscriptions/listen. For a transport that has a stream for each request; ask before
 * anything else. */
const char *mcp_session_sending_for(const struct mcp_session *session, size_t *length);

/* One client on one connection. Returns 0 or -ENOMEM. */
int mcp_session_open(struct mcp_server *server, mcp_send send, void *context, struct mcp_session **session);
/* What the client may use: tools, resources and prompts whose `needs` are all among the bits of `allowed`,
 * which mean what the embedder likes. The others are not listed, and their use is answered with
 * MCP_ERROR_FORBIDDEN. At first everything is allowed. */
void mcp_session_allow(struct mcp_session *session, uint32_t allowed);

/* Who the client is: any bytes that are the same whenever it is the same one (a user id, an address, a hash
 * of a token). Of one principal are the tasks of 2026-07-28, and the states that mcp_call_wait gives to a
 * client. Before the first message; all whom nobody has identified are one. */
void mcp_session_identify(struct mcp_session *session, const void *principal, size_t length);

/* Nothing is sent any more. Unanswered calls are told by their `cancelled`; they stay with their tools, and
 * their answers go nowhere. May be called from within the hooks: the session's memory is freed when the last
 * function that works with it returns. NULL is ignored. */
void mcp_session_close(struct mcp_session *session);

/* Handles one message of the client; answers go out through mcp_send, now or later. The message is not needed
 * any more when it returns: a call keeps a copy of its arguments. Where memory runs out the client gets
 * MCP_ERROR_OVERLOADED with the id of its request; that answer needs no memory (an id longer than 256 bytes
 * does: without memory it becomes null). */
void mcp_session_receive(struct mcp_session *session, const char *message, size_t length);

/* For what the transport notices by itself (a message too long, no memory for it): answers with an error
 * whose id is null. `data` is JSON text or NULL. */
void mcp_session_report(struct mcp_session *session, int code, const char *message, const char *data);

/* Ends the streams of subscriptions/listen, with the answer that says so: before a planned end. */
void mcp_session_end_subscriptions(struct mcp_session *session);

/* Calls that are not answered yet, but for those that wait for the client's answer to a question: a client
 * that will send nothing more is waited for in vain. */
uint32_t mcp_session_pending(const struct mcp_session *session);

struct mcp_server_statistics {
    uint64_t sessions;                               /* open */
    uint64_t requests, notifications, errors, calls; /* since the start; errors: JSON-RPC errors sent */
    uint64_t pending;                                /* calls not answered, those of closed sessions too */
    uint64_t tasks;                                  /* kept */
    uint64_t lost_notifications;                     /* for want of memory */
};
void mcp_server_get_statistics(const struct mcp_server *server, struct mcp_server_statistics *statistics);

#endif
