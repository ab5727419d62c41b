/* SPDX-License-Identifier: MIT
 *
 * mcp-cli stdio: an MCP server on standard input and output for a host program, which is the VM's.
 */
#ifndef MCP_CLI_STDIO_H
#define MCP_CLI_STDIO_H

#include "error.h"
#include "session.h"

/* What follows the word `stdio`; without --server or --boot the server is the session's. */
enum status stdio_run(struct session *session, int count, char **argv, struct error *error);

#endif
