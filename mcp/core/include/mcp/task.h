/* SPDX-License-Identifier: MIT
 *
 * Tasks: calls of tools whose client does not wait for the answer, but asks for it later (MCP 2025-11-25,
 * "Basic / Utilities / Tasks"; in 2026-07-28 the extension io.modelcontextprotocol/tasks).
 *
 * A tool says in its declaration whether its calls may be tasks. Its handler need not know: what it answers
 * is kept for the client, what it asks by mcp_call_wait reaches the client through the task, and when the
 * client cancels the task the tool's `cancelled` is called.
 *
 * - In 2025-11-25 the client says which calls are tasks. They belong to its session and end with it.
 * - In 2026-07-28 the server does, where the client can have tasks: a call that its handler has not answered
 *   when it returns becomes one. One that is answered at once is an ordinary call, and so is one that asks
 *   its client in the handler's first run. These tasks outlive the connection. They belong to the principal
 *   of the session (mcp_session_identify): whoever is the same one may ask for them on any connection. All
 *   sessions that nobody identified are one principal.
 * - In older versions, and for clients that cannot have tasks, calls are ordinary calls.
 */
#ifndef MCP_TASK_H
#define MCP_TASK_H

#include <mcp/server.h>

/* 0 or NULL stands for the default. */
struct mcp_task_config {
    uint32_t tasks_per_client; /* kept at once for one session or one principal; 64. In 2026-07-28 further
                                  calls of tools that can do without are ordinary ones; else they are refused
                                  with MCP_ERROR_OVERLOADED. */
    uint32_t tasks_in_all;     /* of all clients together; 1024 */
    uint32_t ttl_ms;  /* how long a task is kept, from its creation; 10 minutes. A client of 2025-11-25
                         may ask for less, down to a second. A task that still works then is
                         cancelled. */
    uint32_t poll_ms; /* how often clients should ask; 1000 */
    /* Milliseconds since 1970 UTC, for people: createdAt and lastUpdatedAt. Gets the server's hook_context.
     * NULL: those count from 1970 by clock_ms. */
    uint64_t (*unix_time_ms)(void *context);
};

/* Lets the tools that are added from then on have tasks; before any is added. What the tasks of a client hold
 * counts against memory_per_session: in 2026-07-28 for its principal, in 2025-11-25 for the session. `config`
 * may be NULL. Returns 0, -ENOSYS (the server has no hook `entropy` or `clock_ms`: ids must not be guessed),
 * or -EINVAL (there are tools already). */
int mcp_server_enable_tasks(struct mcp_server *server, const struct mcp_task_config *config);

/* Ends the tasks whose time is over. The library does so whenever a client does something about tasks; an
 * embedder that wants the memory back in time calls it now and then. */
void mcp_server_expire_tasks(struct mcp_server *server);

/* Cancels all tasks and forgets them: before a planned end. */
void mcp_server_end_tasks(struct mcp_server *server);

/* The call takes long from here on: where it can be a task it becomes one now, and what it asks from here on
 * it asks through the task. A handler that returns without an answer need not say so. Elsewhere it does
 * nothing. */
void mcp_call_continue_as_task(struct mcp_call *call);

#endif
