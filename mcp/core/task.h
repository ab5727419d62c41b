/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: tasks. What the rest of the library does with them goes through task_hooks, so that a
 * program without tasks links none of it.
 */
#ifndef MCP_TASK_PRIVATE_H
#define MCP_TASK_PRIVATE_H

#include "call_private.h"
#include "mcp/task.h"

#define TASK_ID_LENGTH  32u /* 128 random bits in hexadecimal */
#define TASKS_EXTENSION "io.modelcontextprotocol/tasks"

enum task_status {
    TASK_WORKING,
    TASK_INPUT_REQUIRED,
    TASK_COMPLETED, /* this and what follows is the end */
    TASK_FAILED,
    TASK_CANCELLED
};

struct task {
    struct item item; /* in server->tasks; the serial is that within the session, for tasks/list */
    struct mcp_server *server;
    struct mcp_session *session; /* that it belongs to (2025-11-25); NULL: to the principal */
    uint8_t principal[PRINCIPAL_SIZE];
    struct mcp_call *call; /* until that has ended, which may be after the task's own end */
    enum task_status status;
    bool announced;   /* the client knows it */
    bool tool_failed; /* the result has isError */
    bool removed;     /* nobody finds it any more; it is freed when its call has ended */
    uint32_t busy;    /* functions that work with it: it is freed behind the last */
    uint32_t ttl_ms;
    uint64_t created;                /* by the server's clock */
    uint64_t created_at, updated_at; /* for people: milliseconds since 1970 */
    struct text message;             /* statusMessage; "": none */
    const char *outcome;             /* the result or the error, JSON text; NULL: none */
    size_t outcome_length;
    char *block;         /* that it stands in; NULL: it is static */
    size_t outcome_size; /* of the block */
    bool outcome_is_error;
    char id[TASK_ID_LENGTH + 1];
};

enum task_choice { TASK_NO, TASK_YES, TASK_REFUSED };

struct task_hooks {
    /* Whether this call of a tool is to be a task. TASK_REFUSED: the request has been answered. */
    enum task_choice (*choose)(const struct request *request, const struct tool_entry *entry);
    /* Gives the call a task. False: it must not run, and is gone. */
    bool (*begin)(struct mcp_call *call, const struct request *request);
    /* Answers the call's request with its task. The call may be gone when this returns. */
    void (*announce)(struct mcp_call *call);
    /* Keeps what would have been the answer. failure: the error's message, or NULL. */
    void (*keep)(struct task *task, const char *text, size_t length, const char *failure);
    /* The tool failed: the result that follows has isError. */
    void (*fail)(struct task *task, const char *message);
    void (*set_waiting)(struct task *task, bool waiting);
    void (*describe)(struct task *task, double progress, double total, const char *message);
    bool (*has_room)(const struct task *task, size_t size);
    void (*end_call)(struct mcp_call *call);
    void (*end_session)(struct mcp_session *session);
    /* Of a message that belongs to the call's task: the request that its client waits with, or NULL. */
    const char *(*stream)(const struct mcp_call *call, size_t *length);
    /* For subscriptions/listen: the task of the request's client with this id, or NULL; whether the client
     * can have tasks, or has been answered that it cannot; a task with its outcome. */
    bool (*is_of)(const struct task *task, const struct mcp_session *session, bool stateless);
    struct task *(*find)(const struct mcp_session *session, bool stateless, struct mcp_json id);
    bool (*may_use)(const struct request *request);
    void (*write)(struct mcp_json_writer *writer, const struct task *task);
};

extern const struct task_hooks task_hooks;

/* ---- task.c ---- */

uint64_t task_clock(const struct mcp_server *server);
uint64_t task_date(const struct mcp_server *server);
struct task *task_first(const struct mcp_server *server);
struct task *task_next(const struct task *task);
bool task_is_over(const struct task *task);
/* Whether a client of this session may know it. */
bool task_is_of(const struct task *task, const struct mcp_session *session, bool stateless);
bool task_has_owner_of(const struct task *a, const struct task *b);
/* Around everything that can reach a hook, because a hook may remove the task. */
void task_enter(struct task *task);
void task_leave(struct task *task);
/* Frees one that nothing works with. */
void task_free(struct task *task);
void task_cancel(struct task *task);
/* Nobody finds it from here on. */
void task_remove(struct task *task);
void tasks_expire(struct mcp_server *server);
void tasks_remove_all(struct mcp_server *server);

/* As task_hooks has them. */
bool task_has_room(const struct task *task, size_t size);
const char *task_stream(const struct mcp_call *call, size_t *length);
void task_keep(struct task *task, const char *text, size_t length, const char *failure);
void task_fail(struct task *task, const char *message);
void task_set_waiting(struct task *task, bool waiting);
void task_describe(struct task *task, double progress, double total, const char *message);

/* ---- task_write.c ---- */

/* The members of a Task, in the form of its version; without the message, which may be long, it takes less
 * than TASK_BRIEF_MAX bytes. */
#define TASK_BRIEF_MAX 320u
void task_write_brief(struct mcp_json_writer *writer, const struct task *task);
void task_write(struct mcp_json_writer *writer, const struct task *task);
/* The same with what has come of it, as tasks/get of 2026-07-28 tells it. */
void task_write_detailed(struct mcp_json_writer *writer, const struct task *task);
const char *task_status_name(const struct task *task);

/* ---- features/tasks.c ---- */

extern const struct feature feature_tasks;
enum task_choice task_choose(const struct request *request, const struct tool_entry *entry);
bool task_may_use(const struct request *request);

#endif
