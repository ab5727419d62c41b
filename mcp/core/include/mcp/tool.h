/* SPDX-License-Identifier: MIT
 *
 * Tools: what an MCP server can be asked to do (MCP 2025-11-25, "Server features / Tools").
 *
 * Before a handler runs, the arguments are checked against its input schema (JSON Schema 2020-12; the README
 * lists the keywords). What no schema can say is the handler's, which has the typed accessors of mcp/call.h.
 * Wrong arguments are answered in the form of the request's version: a result with isError since 2025-11-25,
 * so that the model can try again, -32602 before.
 */
#ifndef MCP_TOOL_H
#define MCP_TOOL_H

#include <mcp/call.h>
#include <mcp/json.h>

typedef mcp_call_handler mcp_tool_handler;

/* Whether a call may be a task, see mcp/task.h. */
enum mcp_tool_tasks {
    MCP_TASKS_FORBIDDEN,
    MCP_TASKS_OPTIONAL,
    MCP_TASKS_REQUIRED /* clients of a version with tasks cannot call it otherwise */
};

/* All strings are static or outlive the server. */
struct mcp_tool {
    const char *name;
    const char *title;         /* may be NULL */
    const char *description;   /* may be NULL */
    const char *input_schema;  /* JSON text of a schema of type "object" */
    const char *output_schema; /* or NULL */
    const char *annotations;   /* JSON text of a ToolAnnotations object, or NULL */
    const char *icons;         /* JSON text of an array of Icon, or NULL */
    const char *meta;          /* JSON text of an object: _meta; or NULL */
    enum mcp_tool_tasks tasks; /* counts after mcp_server_enable_tasks */
    uint32_t needs;            /* see mcp_session_allow; 0: nothing */
    mcp_call_handler handler;
    /* Called when the client cancels, or its session ends, while the call is unanswered: finish it soon (the
     * answer goes nowhere). May be NULL. */
    mcp_call_handler cancelled;
    void *context;
};

/* The writer of structuredContent: begin an object, fill it, end it, then mcp_call_finish. (Any other JSON
 * value only where the tool has an output schema that says so; versions before 2026-07-28 get it as text
 * alone.) Its JSON also becomes the text content, unless there is other content. The call owns it. */
struct mcp_json_writer *mcp_call_result(struct mcp_call *call);

#endif
