/* SPDX-License-Identifier: MIT
 *
 * What there is to read: the log and the models, and a prompt for the model.
 */
#ifndef KERNEL_SERVICE_RESOURCES_H
#define KERNEL_SERVICE_RESOURCES_H

#include <mcp/server.h>

#define RESOURCE_LOG    "logs://kernel"
#define RESOURCE_MODELS "models://"

/* Returns 0 or a negative errno. */
int resources_add(struct mcp_server *server);

#endif
