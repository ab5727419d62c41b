/* SPDX-License-Identifier: MIT
 *
 * Calls that a server answers with a task: the result is asked for until it is there (MCP 2025-11-25,
 * "Tasks", and the extension io.modelcontextprotocol/tasks of 2026-07-28).
 */
#ifndef MCP_CLI_TASKS_H
#define MCP_CLI_TASKS_H

#include <stdbool.h>

#include <jansson.h>

#include "client.h"
#include "error.h"

/* Whether the server (of 2025-11-25) wants this tool, one of tools/list, to be called as a task: then the
 * params of tools/call have an empty object `task`. */
bool task_is_required(const struct client *client, const json_t *tool);

/* Replaces a result that is a task by that of its call; leaves any other one as it is. The status and the
 * result are those of client_request. Ctrl-C cancels the task. */
enum status task_follow(struct client *client, json_t **result, struct error *error);

#endif
