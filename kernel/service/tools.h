/* SPDX-License-Identifier: MIT
 *
 * The tools that the machine offers. Each function adds its tools to the server and returns 0 or a negative
 * errno.
 */
#ifndef KERNEL_SERVICE_TOOLS_H
#define KERNEL_SERVICE_TOOLS_H

#include <mcp/server.h>

int tools_model_add(struct mcp_server *server);  /* infer, metadata, load_model */
int tools_system_add(struct mcp_server *server); /* health, logs */

/* Adds `count` tools, which must stay. Their handlers are called only for clients whom the policy gives the
 * tool; others are told so. */
int tools_add(struct mcp_server *server, const struct mcp_tool *tools, size_t count);

/* Whether the policy gives the tool to the client whose request is handled; answers the call if not. */
bool tools_permit(struct mcp_call *call, const char *tool);

/* Queues run(argument) for the model task, on behalf of the client whose request is handled at the moment;
 * refuse(argument) comes instead when it has waited too long. Returns 0 or -EAGAIN: then answer with
 * TOOLS_QUEUE_FULL. */
int tools_queue(void (*run)(void *argument), void (*refuse)(void *argument), void *argument);
#define TOOLS_QUEUE_FULL "too many calls wait for the model"

/* Answers a call that its job is refused for; the argument is the call. */
void tools_refuse(void *argument);
/* Answers that the machine has too much to do. */
void tools_overloaded(struct mcp_call *call, const char *message);

#define TOOL_ERROR_FORBIDDEN (-32003) /* JSON-RPC error: the policy does not give the tool to this client */

#endif
