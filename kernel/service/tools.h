/* SPDX-License-Identifier: MIT
 *
 * The tools that the machine offers. Each function adds its tools to the server and returns 0 or a negative
 * errno.
 */
#ifndef KERNEL_SERVICE_TOOLS_H
#define KERNEL_SERVICE_TOOLS_H

#include <mcp/server.h>

int tools_model_add(struct mcp_server *server);  /* all about the model: */
int tools_infer_add(struct mcp_server *server);  /* infer */
int tools_tokens_add(struct mcp_server *server); /* tokenize, embed */
int tools_system_add(struct mcp_server *server); /* health, logs */

/* Adds `count` tools, which must stay. Clients whom the policy does not give a tool do not see it. */
int tools_add(struct mcp_server *server, const struct mcp_tool *tools, size_t count);

/* Whether the client whose request is handled may have the call done: neither its unanswered calls nor its
 * unread answers are too many. Answers the call if not. */
bool tools_admit(struct mcp_call *call);

/* Queues run(call) for the worker that may wait for the share, or for those that infer, on behalf of the
 * client whose request is handled at the moment; refuse(call) comes instead, at once or later, when too many
 * wait, when it has waited too long, or when the call was cancelled meanwhile. */
void tools_queue(void (*run)(void *call), void (*refuse)(void *call), struct mcp_call *call);
void tools_queue_inference(void (*run)(void *call), void (*refuse)(void *call), struct mcp_call *call);

/* Answers a call that is refused so. */
void tools_refuse(void *call);
/* Answers that the machine has too much to do. */
void tools_overloaded(struct mcp_call *call, const char *message);

#endif
