/* SPDX-License-Identifier: MIT
 *
 * Which arguments of which tools a client must repeat in headers (MCP 2026-07-28, "Custom Headers from Tool
 * Parameters"): what the schemas in a server's tools/list say by "x-mcp-header".
 */
#ifndef MCP_HTTP_TOOL_HEADERS_H
#define MCP_HTTP_TOOL_HEADERS_H

#include "head.h"

struct tool_header;

/* The zero value is empty. */
struct tool_headers {
    struct tool_header *first;
    size_t count;
};

/* Adds those of one page of tools/list. An annotation that the protocol forbids is passed over: clients must
 * not use such a tool. 0, -ENOMEM, or -E2BIG (more than 1,000 annotations). */
int tool_headers_add(struct tool_headers *headers, struct mcp_json result);
void tool_headers_release(struct tool_headers *headers);

/* Compares the Mcp-Param-... headers with the arguments of a tools/call. 0, or -EPROTO and in `problem` what
 * is wrong. */
int tool_headers_check(const struct tool_headers *headers, const struct http_head *head,
                       const struct message *message, char *problem, size_t size);

#endif
