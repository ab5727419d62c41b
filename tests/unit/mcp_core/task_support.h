/* SPDX-License-Identifier: MIT
 *
 * What the tests of tasks share: a server whose tools may be tasks.
 */
#ifndef MCP_TEST_TASK_SUPPORT_H
#define MCP_TEST_TASK_SUPPORT_H

#include <mcp/task.h>

#include "support.h"

extern struct client client;
extern uint64_t now; /* what the server's clock says */
extern bool entropy_fails;
extern struct mcp_call *kept; /* by the tools that answer later */
extern size_t runs, cancelled_count;
extern size_t rounds; /* how often the tool `ask` asks */

struct mcp_server_config task_config(void);
/* The tools: `now` answers at once; `later` keeps its call; `must` too, and is a task or nothing; `never` is
 * none; `ask` asks for a name as a task, `two` for two, `first` before it is one. */
void task_start(const struct mcp_server_config *config, const struct mcp_task_config *limits);
int task_set_up(void **state);
int task_tear_down(void **state);
/* The id of the task in the last message; the text lives until the next call. */
const char *task_id(void);
/* A request with the id of a task in place of %s. */
const char *about(const char *format, const char *id);
/* What the ids of the first tasks are. */
#define TASK_1 "01010101010101010101010101010101"
#define TASK_2 "02020202020202020202020202020202"
#define TASK_3 "03030303030303030303030303030303"

#define REQUEST(id, method, params)                                                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":{" params "}}"
#define RESULT(id, members)  "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{" members "}}"
#define NOTE(method, params) "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":{" params "}}"

#endif
