/* SPDX-License-Identifier: MIT
 *
 * Tools: what an MCP server can be asked to do (MCP 2025-11-25, "Server features / Tools").
 *
 * Before a handler runs, the arguments are checked against its input schema (JSON Schema 2020-12; the README
 * lists the keywords). What no schema can say is the handler's, which has the typed accessors below. Wrong
 * arguments are answered in the form of the session's version: a result with isError since 2025-11-25, so
 * that the model can try again, -32602 before.
 */
#ifndef MCP_TOOL_H
#define MCP_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mcp/json.h>

struct mcp_call;

/* Runs a tool. Either answer before returning (mcp_call_finish or one of the failures) or keep `call` and
 * answer later, from any task that may call the server; until then the call counts against its session's
 * limit. Exactly one answer per call. The arguments are valid until it is answered. */
typedef void (*mcp_tool_handler)(struct mcp_call *call, void *context);

/* All strings are static or outlive the server. */
struct mcp_tool {
    const char *name;
    const char *title;         /* may be NULL */
    const char *description;   /* may be NULL */
    const char *input_schema;  /* JSON text of a schema of type "object" */
    const char *output_schema; /* or NULL */
    const char *annotations;   /* JSON text of a ToolAnnotations object, or NULL */
    mcp_tool_handler handler;
    /* Called when the client cancels, or its session ends, while the call is unanswered: finish it soon (the
     * answer goes nowhere). May be NULL. */
    void (*cancelled)(struct mcp_call *call, void *context);
    void *context;
};

/* The arguments object; NONE when the client sent none. */
struct mcp_json mcp_call_arguments(const struct mcp_call *call);

/* Typed access with the errors a client can act on. Each returns 0 and sets *out (to `fallback` where the
 * argument is absent); or it answers the call with an error that names the field, and returns a negative
 * errno: the handler then just returns. The text lives as long as the call. */
int mcp_call_string(struct mcp_call *call, const char *name, const char **text,
                    size_t *length); /* required */
int mcp_call_string_or(struct mcp_call *call, const char *name, const char *fallback, const char **text,
                       size_t *length);
int mcp_call_int_or(struct mcp_call *call, const char *name, int64_t fallback, int64_t minimum,
                    int64_t maximum, int64_t *out);
int mcp_call_double_or(struct mcp_call *call, const char *name, double fallback, double minimum,
                       double maximum, double *out);
int mcp_call_bool_or(struct mcp_call *call, const char *name, bool fallback, bool *out);

/* The same error for what the handler finds by itself: answers that the argument `name` is wrong and `why`
 * ("must be a prime"), in the form of the session's version, and frees the call. Returns -EINVAL. */
int mcp_call_reject(struct mcp_call *call, const char *name, const char *why);

/* The writer of structuredContent: begin an object, fill it, end it, then mcp_call_finish. Its JSON also
 * becomes the text content, unless mcp_call_text is used. The call owns it. */
struct mcp_json_writer *mcp_call_result(struct mcp_call *call);
/* Appends one text content block (UTF-8, repaired where it is not). Where memory runs out, mcp_call_finish
 * answers with an error. */
void mcp_call_text(struct mcp_call *call, const char *text, size_t length);

/* Sends the result and frees the call. A result that grew beyond the message limit, or for which there is no
 * memory, becomes an error. */
void mcp_call_finish(struct mcp_call *call);

/* Answers with isError and a message for the model (where the call came by methods_are_tools: with
 * MCP_ERROR_INTERNAL and that message), and frees the call. */
void mcp_call_fail(struct mcp_call *call, const char *message);
/* Answers with a JSON-RPC error, and frees the call. With MCP_ERROR_OVERLOADED its data says when to retry.
 */
void mcp_call_error(struct mcp_call *call, int code, const char *message);

/* Whether the client cancelled, or is gone: stop early. */
bool mcp_call_is_cancelled(const struct mcp_call *call);

/* A pointer of the tool's own, which the library does not look at; NULL at first. */
void mcp_call_set_context(struct mcp_call *call, void *context);
void *mcp_call_get_context(const struct mcp_call *call);

#endif
