/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: servers, sessions, requests and answers.
 */
#ifndef MCP_SERVER_PRIVATE_H
#define MCP_SERVER_PRIVATE_H

#include "mcp/prompt.h"
#include "mcp/resource.h"
#include "mcp/server.h"
#include "mcp/task.h"
#include "registry.h"
#include "schema.h"
#include "text.h"
#include "version.h"

struct tool_entry {
    struct item item;
    struct mcp_tool tool;
    struct schema *input_schema;
    struct schema *output_schema; /* NULL: it has none */
    bool any_output; /* the output schema is not one of an object: only newer versions have that */
    bool removed;    /* from the list: it is freed when the last call has ended */
    uint32_t calls;
};

struct resource_entry {
    struct item item;
    struct mcp_resource resource;
};

struct prompt_entry {
    struct item item;
    struct mcp_prompt prompt;
};

#define FEATURES_MAX   10u
#define PRINCIPAL_SIZE 32u /* SHA-256 of what mcp_session_identify got; zeros: nothing */

struct task;
struct task_hooks;

struct mcp_server {
    struct mcp_server_config config; /* with the defaults filled in */
    char *info;                      /* the server as an Implementation of the newest version, JSON text */
    size_t info_length, info_size;
    struct registry tools, resources, templates, prompts;
    const struct feature *features[FEATURES_MAX]; /* only what is used is linked into a program */
    uint32_t feature_count;
    bool lists_change, resources_change;
    bool is_logging;                                              /* mcp_server_log is sending */
    void (*tell_lists)(struct mcp_server *server, uint32_t list); /* NULL: they do not change */
    uint64_t last_ask;                                            /* id of the last request to a client */
    uint8_t state_key[32];
    bool has_state_key;
    const struct task_hooks *task_hooks; /* NULL: there are no tasks */
    struct mcp_task_config task_config;  /* with the defaults filled in */
    struct registry tasks;
    void (*tell_task)(struct task *task); /* to those who listen; NULL: nobody can */
    struct mcp_session *sessions;
    struct mcp_server_statistics statistics;
};

struct mcp_session {
    struct mcp_server *server;
    struct mcp_session *previous, *next; /* in server->sessions */
    mcp_send send;
    void *context;
    const struct mcp_version *version;  /* negotiated by `initialize`; NULL before */
    struct mcp_call *calls;             /* unanswered */
    struct subscription *subscriptions; /* in the order of their serials */
    uint64_t last_subscription;
    uint32_t watches; /* that the subscriptions count for */
    uint32_t pending; /* calls */
    size_t held;      /* by calls and subscriptions, in bytes */
    uint32_t busy; /* how many of the library's functions work with it at the moment, one inside the other */
    bool closed;   /* it is freed when `busy` comes back to 0 */
    uint32_t client_can; /* what the client said at `initialize` that it can be asked */
    /* For the answers to requests of ours; NULL before the first. */
    void (*take_response)(struct mcp_session *session, struct mcp_json message);
    int log_level;    /* of logging/setLevel; LEVEL_UNSET before */
    uint32_t allowed; /* mcp_session_allow */
    uint8_t principal[PRINCIPAL_SIZE];
    uint64_t last_task;     /* serial of the last that belongs to it */
    const char *sending_id; /* of the request that what is being sent belongs to, or NULL */
    size_t sending_id_length;
};

struct request;

/* Around everything that can reach a hook, because a hook may close the session. */
void session_enter(struct mcp_session *session);
void session_leave(struct mcp_session *session);
/* id: of the request that the message belongs to, or NULL. */
void session_send(struct mcp_session *session, const char *message, size_t length, const char *id,
                  size_t id_length);
bool session_may_use(const struct mcp_session *session, uint32_t needs);
/* The same; answers where it may not use what is called `name`. */
bool request_may_use(const struct request *request, uint32_t needs, const char *name);
/* Whether it may hold `size` bytes more. */
bool session_has_room(const struct mcp_session *session, size_t size);

/* ---- messages: jsonrpc.c ---- */

/* A message that is being written. What is short needs no memory. */
struct message {
    struct mcp_json_writer writer;
    char buffer[512];
};

/* Begins a message that is none of the forms below. */
void message_begin(const struct mcp_server *server, struct message *message);

struct batch;

/* Where an answer goes. */
struct reply {
    struct mcp_server *server;
    struct mcp_session *session;       /* NULL once it is closed: then there is only reply_nothing */
    struct task *task;                 /* that keeps the answer in place of the session; NULL: none */
    const struct mcp_version *version; /* of the request; NULL: none (before `initialize`) */
    struct batch *batch;               /* NULL: a message of its own */
    const char *id; /* as it stands in the request; "null" when it has none that can be read */
    size_t id_length;
};

/* Each of these ends the request. `data` is JSON text or NULL. */
void reply_error(const struct reply *reply, int code, const char *message, const char *data);
void reply_error_data(const struct reply *reply, int code, const char *message, const char *data,
                      size_t data_length);
void reply_overloaded(const struct reply *reply, const char *message);
void reply_nothing(const struct reply *reply);
/* -32602 with "Invalid params: " before `why`. */
void reply_invalid_params(const struct reply *reply, const char *why);

/* That there is no such resource, in the form of the version. */
void reply_resource_not_found(const struct reply *reply, const char *uri);

/* Between these the caller writes the members of the result; what every result of a version has comes by
 * itself. The end sends it and returns 0; where it grew too large or memory ran out, it sends an error and
 * returns a negative errno. `meta`, JSON text of an object or NULL, goes into _meta. */
void reply_result_begin(const struct reply *reply, struct message *message);
/* The same with a resultType of its own, where the version has that. */
void reply_result_begin_as(const struct reply *reply, struct message *message, const char *type);
int reply_result_end(const struct reply *reply, struct message *message, const char *meta,
                     size_t meta_length);
/* The same for a result that is written as a whole, as one value. */
void reply_value_begin(const struct reply *reply, struct message *message);
int reply_value_end(const struct reply *reply, struct message *message);
/* The member of _meta that says to which task of 2025-11-25 a message belongs. */
void write_related_task(struct mcp_json_writer *writer, const struct task *task);
/* How long the result may be kept by the client, in versions that say so. */
void reply_cacheable(const struct reply *reply, struct message *message, uint32_t ttl_ms, bool shared);
/* What a task kept: a result or an error, as JSON text. */
void reply_kept(const struct reply *reply, bool is_error, const char *text, size_t length);
/* A result without members. */
void reply_empty(const struct reply *reply);

/* The error for a writer's -ENOMEM, -EFBIG or -EINVAL. */
void reply_writer_error(const struct reply *reply, int error);

/* Between these the caller writes the members of the params. The end returns 0 once it is sent; or a negative
 * errno, and nobody was told. */
void notification_begin(const struct mcp_session *session, struct message *message, const char *method);
int notification_end(struct mcp_session *session, struct message *message, const char *id, size_t id_length);

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
    struct mcp_json meta;   /* its _meta */
};

struct method {
    const char *name;
    void (*handle)(const struct request *request);
    uint32_t versions; /* that have it */
    bool notification;
    bool before_initialise; /* served at any time */
};

/* A part of the protocol in a file of its own. */
struct feature {
    const struct method *methods;
    size_t method_count;
    /* Adds members to the object of the server's capabilities; NULL: none. */
    void (*write_capabilities)(const struct mcp_server *server, const struct mcp_version *version,
                               struct mcp_json_writer *writer);
    /* Frees what was declared, at the server's end; NULL: nothing. */
    void (*release)(struct mcp_server *server);
};

/* Serves its methods from now on; dispatch.c. */
void server_use(struct mcp_server *server, const struct feature *feature);

extern const struct feature feature_initialize, feature_stateless, feature_calls, feature_tools,
    feature_resources, feature_prompts, feature_completion, feature_logging, feature_subscriptions;

void dispatch_message(struct mcp_session *session, struct mcp_json message);
/* For a valid message that there is no memory to take apart; no_memory.c. */
void dispatch_without_memory(struct mcp_session *session, const char *message, size_t length);
/* MCP takes strings and integers; null and fractions are not ids (MCP 2025-11-25, "Basic / Messages"). `raw`
 * is a value as it stands in a valid text. Progress tokens are of the same kind. */
bool id_is_valid(const char *raw, size_t length);
/* Whether two such ids mean the same. */
bool ids_equal(const char *a, size_t a_length, const char *b, size_t b_length);
void write_capabilities(const struct mcp_server *server, const struct mcp_version *version,
                        struct mcp_json_writer *writer);

/* ---- eras ---- */

/* The server as an Implementation of this version; era_initialize.c. */
void write_server_info(struct mcp_json_writer *writer, const struct mcp_server_config *config,
                       const struct mcp_version *version);
/* What a client can be asked that has these capabilities: a bit for each enum mcp_ask. */
uint32_t client_capabilities_read(struct mcp_json capabilities, const struct mcp_version *version);
/* The same for the client of a request. */
uint32_t client_capabilities(const struct request *request);
/* Whether a request says by itself that it belongs to the stateless era; era_stateless.c. */
bool request_is_stateless(const struct request *request);
/* Checks what every request of that era must say. Returns its version; or answers with an error, and NULL. */
const struct mcp_version *stateless_version(const struct request *request);

/* ---- features ---- */

void write_json_member(struct mcp_json_writer *writer, const char *name, const char *text);
bool is_object_text(const char *text);
bool is_array_text(const char *text);
/* What tools, resources and prompts have in common. Tells the embedder's hook what is wrong, and returns
 * -EINVAL. */
int declaration_refuse(const struct mcp_server *server, const char *kind, const char *name, const char *what,
                       const char *why);
/* 0 or -EINVAL. */
int declaration_check_name(const struct mcp_server *server, const char *kind, const char *name);
int declaration_check_json(const struct mcp_server *server, const char *kind, const char *name,
                           const char *annotations, const char *icons, const char *meta);
/* Begins a capability whose list may change; the caller ends it. */
void write_list_capability(const struct mcp_server *server, struct mcp_json_writer *writer, const char *name);

/* Whether structured content (JSON text, or NULL) is as the tool's schema demands, where the server checks
 * results: 0, -EINVAL and *why, or -ENOMEM. What is wrong is reported, too. */
int tool_check_result(const struct mcp_server *server, const struct tool_entry *entry, const char *result,
                      size_t length, struct text *why);
void tool_end_call(const struct mcp_server *server, struct tool_entry *entry);
struct tool_entry *tool_find(const struct mcp_server *server, struct mcp_json name);
const struct prompt_entry *prompt_find(const struct mcp_server *server, struct mcp_json name);
/* The resource with this URI, or the template that it fits; NULL: none. */
const struct resource_entry *resource_find(const struct mcp_server *server, const char *uri);
const struct resource_entry *template_find(const struct mcp_server *server, struct mcp_json uri_template);

/* The place of a level among the eight, or LEVEL_UNSET. */
#define LEVEL_UNSET (-1)
int level_find(struct mcp_json name);
/* The params of notifications/message. */
void write_log_message(struct message *message, enum mcp_log_level level, const char *logger,
                       const char *text);

/* Lists whose change clients are told. */
enum { LIST_TOOLS = 1, LIST_RESOURCES = 2, LIST_PROMPTS = 4 };
void list_changed(struct mcp_server *server, uint32_t list);
void subscriptions_release(struct mcp_session *session);
bool subscription_has_id(const struct mcp_session *session, const char *id, size_t id_length);
bool subscription_cancel(struct mcp_session *session, const char *id, size_t id_length);

#endif
