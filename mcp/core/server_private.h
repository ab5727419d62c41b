/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: servers, sessions, requests and answers.
 */
#ifndef MCP_SERVER_PRIVATE_H
#define MCP_SERVER_PRIVATE_H

#include "mcp/server.h"
#include "schema.h"
#include "text.h"

/* What differs between the versions of the protocol that `initialize` negotiates. The one table of it is in
 * era_initialize.c. */
struct mcp_version {
    const char *name;
    bool batches;            /* JSON-RPC batches (only 2025-03-26) */
    bool annotations;        /* Tool.annotations (from 2025-03-26) */
    bool titles;             /* Tool.title, Implementation.title (from 2025-06-18) */
    bool structured_content; /* Tool.outputSchema, CallToolResult.structuredContent (from 2025-06-18) */
    bool argument_errors_as_result; /* wrong arguments are a result with isError, so that the model sees them
                                       and tries again; before, -32602 (SEP-1303, from 2025-11-25) */
};

const struct mcp_version *mcp_version_latest(void);

struct tool_entry {
    struct mcp_tool tool;
    struct schema *input_schema;
    struct schema *output_schema; /* NULL: it has none */
    size_t listed_size;           /* bytes of its entry in tools/list, at most */
    struct tool_entry *next;
};

struct mcp_server {
    struct mcp_server_config config; /* with the defaults filled in */
    struct tool_entry *tools;        /* in the order of addition */
    struct mcp_server_statistics statistics;
};

struct mcp_session {
    struct mcp_server *server;
    mcp_send send;
    void *context;
    const struct mcp_version *version; /* NULL before `initialize` */
    struct mcp_call *calls;            /* unanswered */
    uint32_t pending;
    size_t held;   /* by these calls, in bytes */
    uint32_t busy; /* how many of the library's functions work with it at the moment, one inside the other */
    bool closed;   /* it is freed when `busy` comes back to 0 */
};

/* Around everything that can reach a hook, because a hook may close the session. */
void session_enter(struct mcp_session *session);
void session_leave(struct mcp_session *session);
void session_send(struct mcp_session *session, const char *message, size_t length);

/* ---- answers: jsonrpc.c ---- */

struct batch;

/* Where an answer goes. */
struct reply {
    struct mcp_session *session; /* NULL once it is closed: then there is only reply_nothing */
    struct batch *batch;         /* NULL: a message of its own */
    const char *id;              /* as it stands in the request; "null" when it has none that can be read */
    size_t id_length;
};

/* Each of the three ends the request. `data` is JSON text or NULL. */
void reply_error(const struct reply *reply, int code, const char *message, const char *data);
void reply_overloaded(const struct reply *reply, const char *message);
void reply_nothing(const struct reply *reply);

/* Between these the caller writes one value, the result. The end sends it and returns 0; where it grew too
 * large or memory ran out, it sends an error and returns a negative errno. */
void reply_result_begin(const struct reply *reply, struct mcp_json_writer *writer);
int reply_result_end(const struct reply *reply, struct mcp_json_writer *writer);

/* The error for a writer's -ENOMEM, -EFBIG or -EINVAL. */
void reply_writer_error(const struct reply *reply, int error);

/* ---- batches: batch.c ---- */

/* Answers of one batch are collected until the last request of it has ended, and leave as one array; in
 * several, where they outgrow the limit of a message or the memory. The batch frees itself then. */
struct batch *batch_begin(struct mcp_session *session);
void batch_add_request(struct batch *batch);
void batch_add_answer(struct batch *batch, const char *message, size_t length);
/* A request has ended, with an answer or without; also once by who called batch_begin. */
void batch_end_request(struct batch *batch);
void batch_orphan(struct batch *batch);

/* ---- requests: dispatch.c ---- */

struct request {
    struct mcp_session *session;
    struct reply reply;
    struct mcp_json method;
    struct mcp_json params; /* an object, or NONE */
};

struct method {
    const char *name;
    void (*handle)(const struct request *request);
    bool notification;
    bool before_initialise; /* served at any time */
};

/* A part of the protocol in a file of its own. The list of all is in dispatch.c. */
struct feature {
    const struct method *methods;
    size_t method_count;
    /* Adds members to the capabilities object of `initialize`; NULL: none. */
    void (*write_capabilities)(const struct mcp_server *server, struct mcp_json_writer *writer);
};

extern const struct feature feature_lifecycle, feature_calls, feature_tools;

void dispatch_message(struct mcp_session *session, struct mcp_json message);
/* For a valid message that there is no memory to take apart. */
void dispatch_without_memory(struct mcp_session *session, const char *message, size_t length);
void write_capabilities(const struct mcp_server *server, struct mcp_json_writer *writer);

/* ---- tools: features/tools.c, call.c, arguments.c ---- */

const struct tool_entry *tool_find(const struct mcp_server *server, struct mcp_json name);
/* Whether arguments (an object or NONE) are as the tool's schema demands: 0, or -EINVAL and *why names the
 * member. */
int tool_check_arguments(const struct tool_entry *entry, struct mcp_json arguments, struct text *why);
/* The same for structured content (JSON text, or NULL) where the server checks results; what is wrong is
 * reported, too. Also -ENOMEM. */
int tool_check_result(const struct mcp_server *server, const struct tool_entry *entry, const char *result,
                      size_t length, struct text *why);
void tools_release(struct mcp_server *server);

/* Calls a tool. as_method: the request's method is the tool's name, and its params are the arguments. */
void call_start(const struct request *request, const struct tool_entry *entry, struct mcp_json arguments,
                bool as_method);
/* The unanswered call with this id, or NULL. */
struct mcp_call *call_find(const struct mcp_session *session, const char *id, size_t id_length);
void call_orphan_all(struct mcp_session *session);
/* Text that lives as long as the call: size bytes, or NULL. */
char *call_allocate(struct mcp_call *call, size_t size);
/* Answers with an error about the arguments, in the form of the session's version; returns -EINVAL. */
int call_reject(struct mcp_call *call, const struct text *message);

#endif
