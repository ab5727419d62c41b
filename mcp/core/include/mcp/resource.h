/* SPDX-License-Identifier: MIT
 *
 * Resources: what an MCP server has to read (MCP 2025-11-25, "Server features / Resources").
 *
 * A handler answers a read with mcp_call_text (its URI and type are those of the resource), or with
 * mcp_call_content of the two resource types, as often as needed, and mcp_call_finish.
 */
#ifndef MCP_RESOURCE_H
#define MCP_RESOURCE_H

#include <mcp/call.h>

/* All strings are static or outlive the server. */
struct mcp_resource {
    const char *uri; /* of one resource; or, where it has braces, a template (RFC 6570) for many. Of templates
                        there are {name}, which stands for characters other than '/', and {+name}, for any;
                        each ends where the text behind it first comes. The handler gets the variables,
                        decoded, as arguments. */
    const char *name;
    const char *title; /* this and what follows may be NULL or 0 */
    const char *description;
    const char *mime_type;
    const char *annotations;    /* JSON text of an Annotations object */
    const char *icons;          /* JSON text of an array of Icon */
    const char *meta;           /* JSON text of an object: _meta */
    uint64_t size;              /* in bytes, where it is known */
    uint32_t ttl_ms;            /* how long a client may keep what it read (2026-07-28) */
    bool shared;                /* and whether what it read is the same for every client */
    uint32_t needs;             /* see mcp_session_allow; 0: nothing */
    mcp_call_handler handler;   /* needed */
    mcp_call_handler cancelled; /* as that of a tool */
    mcp_call_handler complete;  /* of a template: completes its variables, see mcp/prompt.h */
    void *context;
};

/* The URI that the client asked for; lives as long as the call. NULL for other calls. */
const char *mcp_call_uri(const struct mcp_call *call);

/* Answers that there is no such resource, in the form of the request's version, and frees the call. */
void mcp_call_not_found(struct mcp_call *call);

#endif
