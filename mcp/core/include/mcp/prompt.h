/* SPDX-License-Identifier: MIT
 *
 * Prompts: messages for a model that people choose (MCP 2025-11-25, "Server features / Prompts"), and
 * completion of arguments ("Utilities / Completion").
 *
 * A handler answers with mcp_call_text or mcp_call_content (a message of the user each), or mcp_call_message,
 * and mcp_call_finish. Arguments are strings; those that are required are there when it runs.
 */
#ifndef MCP_PROMPT_H
#define MCP_PROMPT_H

#include <mcp/call.h>

struct mcp_prompt_argument {
    const char *name;
    const char *title;       /* may be NULL */
    const char *description; /* may be NULL */
    bool required;
};

/* All strings, and the arguments, are static or outlive the server. */
struct mcp_prompt {
    const char *name;
    const char *title; /* this and what follows may be NULL */
    const char *description;
    const char *icons; /* JSON text of an array of Icon */
    const char *meta;  /* JSON text of an object: _meta */
    const struct mcp_prompt_argument *arguments;
    size_t argument_count;
    uint32_t needs;             /* see mcp_session_allow; 0: nothing */
    mcp_call_handler handler;   /* needed */
    mcp_call_handler cancelled; /* as that of a tool */
    mcp_call_handler complete;
    void *context;
};

enum mcp_role { MCP_ROLE_USER, MCP_ROLE_ASSISTANT };

/* Appends a message to a prompt. */
void mcp_call_message(struct mcp_call *call, enum mcp_role role, const struct mcp_content *content);

/* ---- completion: what the `complete` of a prompt or of a resource template uses ---- */

/* Which argument (or variable) the client completes, and what it has of it so far; both live as long as the
 * call.
 */
void mcp_call_completing(const struct mcp_call *call, const char **name, const char **value,
                         size_t *value_length);
/* Suggests a value, the best first. The client gets the first MCP_SUGGESTIONS_MAX, and how many there are. */
#define MCP_SUGGESTIONS_MAX 100
void mcp_call_suggest(struct mcp_call *call, const char *value);

#endif
