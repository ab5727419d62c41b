/* SPDX-License-Identifier: MIT
 *
 * mcp-cli http: the session's server, for clients that speak Streamable HTTP.
 */
#ifndef MCP_HTTP_HTTP_H
#define MCP_HTTP_HTTP_H

#include "../error.h"
#include "../session.h"

/* What follows the word `http`. */
enum status http_run(struct session *session, int count, char **argv, struct error *error);

#endif
