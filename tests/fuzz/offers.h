/* SPDX-License-Identifier: MIT
 *
 * What the server of the dispatch target offers: one of everything, some of it slow.
 */
#ifndef OFFERS_H
#define OFFERS_H

#include <mcp/task.h>

#define OFFERS_URI "test://a"

void offers_add(struct mcp_server *server);
bool offers_has_tool(const char *name);

/* Answers the request that waits longest: 'e' it fails, 'c' with a JSON-RPC error, 'n' not found, 'g' goes
 * on: progress and a log message, no answer yet; else it finishes. Returns false when none waits. */
bool offers_end_oldest(char how);
/* Takes a tool, a resource or a prompt away, or adds it again. */
void offers_change(struct mcp_server *server, char which);

#endif
