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

#define TOOL_ERROR_FORBIDDEN (-32003) /* JSON-RPC error: the policy does not give the tool to this client */

#endif
