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

#endif
