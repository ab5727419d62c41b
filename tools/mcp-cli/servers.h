/* SPDX-License-Identifier: MIT
 *
 * Servers by name, from mcpServers files as MCP hosts have them.
 */
#ifndef MCP_CLI_SERVERS_H
#define MCP_CLI_SERVERS_H

#include <jansson.h>

#include "connection.h"
#include "error.h"

/* An array of {"name", "file", "project", "entry"}, the caller's: of `file`, or where that is NULL of
 * $XDG_CONFIG_HOME/mcp-cli/servers.json and ./.mcp.json ("project"), as far as they are there. Of entries
 * with the same name the first counts. STATUS_USAGE for a file that cannot be read or has another shape. */
enum status servers_read(const char *file, json_t **servers, struct error *error);

/* The endpoint of the server with this name; the caller releases it. */
enum status servers_find(const json_t *servers, const char *name, struct endpoint *endpoint,
                         struct error *error);

#endif
