/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: calls, the requests that a handler answers.
 */
#ifndef MCP_CALL_PRIVATE_H
#define MCP_CALL_PRIVATE_H

#include "server_private.h"

enum call_kind {
    CALL_TOOL,
    CALL_METHOD, /* of a tool, by methods_are_tools: the result is the structured content */
    CALL_READ,
    CALL_PROMPT,
    CALL_COMPLETION,
    CALL_TASK_RESULT /* tasks/result that waits; nobody handles it */
};

/* Text that lives as long as the call. */
struct call_block {
    struct call_block *next;
    size_t size;
    char bytes[];
};

/* While a handler runs: the call that it runs for, NULL once that is answered. */
struct call_frame {
    struct mcp_call *call;
};

/* What a call that has asked its client needs of ask.c. */
struct ask_hooks {
    /* The answers of the last run go when its handler has returned; all goes with the call. */
    void (*release)(struct mcp_call *call, bool all);
    /* Makes the answers those of the next run. False: there is none, the call is gone. */
    bool (*next_round)(struct mcp_call *call);
    /* For a task of 2026-07-28: writes the questions that are not answered as an object; keeps answers from
     * an object (0, -EINVAL where one is none, or -ENOMEM); goes on where none is missing any more. */
    void (*write_open)(const struct mcp_call *call, struct mcp_json_writer *writer);
    int (*take_answers)(struct mcp_call *call, struct mcp_json answers);
    void (*go_on)(struct mcp_call *call);
};

struct mcp_call {
    struct mcp_server *server;
    struct reply reply; /* .session is NULL once the session is closed */
    enum call_kind kind;
    mcp_call_handler handler, cancelled_hook; /* copies: the tool may be removed before the answer */
    void *handler_context;
    void *context;
    struct tool_entry *tool;             /* NULL: another kind */
    struct mcp_json_document *arguments; /* NULL: none were sent */
    struct mcp_json meta, params;        /* of the request; while the handler runs */
    struct call_frame *frame;
    struct mcp_json_writer result;      /* structured content */
    struct mcp_json_writer content;     /* the array of content blocks, resources, messages or suggestions */
    struct mcp_json_writer result_meta; /* members of _meta */
    bool has_result, has_content, has_meta;
    bool any_result; /* the structured content need not be an object */
    bool cancelled;
    bool has_progress;
    double progress; /* the last one told */
    int log_level;   /* stateless: that of the request, or LEVEL_UNSET */
    struct call_block *blocks;
    struct call_block *request_blocks; /* of these, what came with the request; a run's own stand before it */
    struct mcp_call *previous, *next;  /* in session->calls */

    /* what it asks its client: ask.c */
    uint32_t client_can;               /* a bit for each enum mcp_ask */
    struct asks *asks, *inputs;        /* the questions of this run, the answers to those of the last */
    const struct ask_hooks *ask_hooks; /* NULL: it never asked */
    uint32_t round;                    /* of questions; 0: it has not asked yet */
    bool waiting, sending;             /* no handler runs, or is to; the questions are being sent */
    bool run_again;                    /* the answers came while the handler that asked was still there */
    size_t asks_held;
    const void *state;
    size_t state_size;
    const char *name; /* of the tool or prompt */

    /* of a tool: a task that it is, or may become; of tasks/result: the one it waits for */
    struct task *task;
    bool answered; /* the request, with a task: its id is free again */

    /* of a read */
    const char *uri, *mime_type;
    uint32_t ttl_ms;
    bool shared;
    /* of a prompt */
    const char *description;
    /* of a completion */
    const char *argument_name, *argument_value;
    size_t argument_value_length;
    uint32_t suggestions;

    size_t size; /* of this block */
    size_t token_length, trace_length;
    const char *token; /* progressToken as JSON text, or NULL */
    const char *trace; /* traceparent as JSON text, or NULL */
    char texts[];      /* id, token, traceparent */
};

/* The memory that it holds, in bytes. */
size_t call_held(const struct mcp_call *call);
/* Who its client is. */
const uint8_t *call_principal(const struct mcp_call *call);
/* To which request a message of the call belongs, as mcp_session_sending_for says it. */
const char *call_stream(const struct mcp_call *call, size_t *length);
/* Tells its handler that nobody waits for the answer; the call may be gone when this returns. */
void call_cancel(struct mcp_call *call);
/* A call with these hooks that is linked into its session; or NULL, and the request is answered. `arguments`
 * are copied. */
struct mcp_call *call_begin(const struct request *request, enum call_kind kind, mcp_call_handler handler,
                            mcp_call_handler cancelled, void *context, struct mcp_json arguments);
/* Runs its handler; the call may be gone when this returns. */
void call_run(struct mcp_call *call, const struct request *request);
/* The unanswered call with this id, or NULL. */
struct mcp_call *call_find(const struct mcp_session *session, const char *id, size_t id_length);
void call_orphan_all(struct mcp_session *session);
/* Takes a call out of its session and answers it, in call_answer.c; frees what it holds. */
void call_unlink(struct mcp_session *session, struct mcp_call *call);
void call_free(struct mcp_call *call);

/* size bytes, or NULL. They last until the run of the handler ends, or the call. */
char *call_allocate(struct mcp_call *call, size_t size);
/* The same, of nobody yet. */
struct call_block *block_allocate(const struct mcp_server *server, size_t size);
/* Frees what the run of the handler has allocated: the next begins anew. */
void call_release_run(struct mcp_call *call);
/* A string decoded, NUL-terminated, for a call that is yet to begin; NULL without memory. Then either of
 * these. */
struct call_block *block_decode(const struct mcp_server *server, struct mcp_json string);
void call_adopt(struct mcp_call *call, struct call_block *block);
void block_release(const struct mcp_server *server, struct call_block *block);

/* Begins an answer: false where nobody waits for it, and the call is gone. Then one answer, then the end. */
bool call_begin_answer(struct mcp_call *call);
void call_end_answer(struct mcp_call *call);
/* Answers with an error; `data` is JSON text or NULL. */
void call_error(struct mcp_call *call, int code, const char *message, const char *data);
/* The error for a writer's -ENOMEM, -EFBIG or -EINVAL. */
void call_writer_error(struct mcp_call *call, int error);
/* What a handler wrote so far is dropped. */
void call_forget_answer(struct mcp_call *call);
/* A member _meta with the request's traceparent and its task, if it has them. */
void call_write_meta(struct message *message, const struct mcp_call *call);

/* The version whose form the answer has. */
const struct mcp_version *call_format(const struct mcp_call *call);
/* Answers with an error about the arguments, in the form of the request's version; returns -EINVAL. */
int call_reject(struct mcp_call *call, const struct text *message);
/* The array that the call's content goes to. */
struct mcp_json_writer *call_content_writer(struct mcp_call *call);

/* Calls a tool. as_method: the request's method is the tool's name, and its params are the arguments. */
void call_tool(const struct request *request, struct tool_entry *entry, struct mcp_json arguments,
               bool as_method);

#endif
