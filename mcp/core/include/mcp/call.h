/* SPDX-License-Identifier: MIT
 *
 * A request of a client that is not answered yet: a call of a tool, a read of a resource, a prompt that is
 * asked for, an argument to complete. All are the same object, which a handler answers, at once or later.
 */
#ifndef MCP_CALL_H
#define MCP_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mcp/content.h>
#include <mcp/json.h>

struct mcp_call;

/* Handles a request. Either answer before returning (mcp_call_finish or one of the failures) or keep `call`
 * and answer later, from any task that may call the server; until then the call counts against its session's
 * limit. Exactly one answer per call. The arguments are valid until it is answered. */
typedef void (*mcp_call_handler)(struct mcp_call *call, void *context);

/* ---- what the client sent ---- */

/* The arguments object of a tool or prompt; of a resource by template, its variables; of a completion, the
 * arguments that the client knows already. NONE when there are none. */
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
 * ("must be a prime"), in the form of the request's version, and frees the call. Returns -EINVAL. */
int mcp_call_reject(struct mcp_call *call, const char *name, const char *why);

/* The request's _meta, or NONE. Only until the handler returns: a pending call does not hold it. */
struct mcp_json mcp_call_meta(const struct mcp_call *call);

/* The version of the protocol that the request follows: "2025-11-25". NULL for methods_are_tools. */
const char *mcp_call_version(const struct mcp_call *call);

/* Whether the client cancelled, or is gone: stop early. */
bool mcp_call_is_cancelled(const struct mcp_call *call);

/* ---- while it runs ---- */

/* Tells the client how far the call is, where it asked to be told (params._meta.progressToken) and `progress`
 * is more than last time. total: 0 where it is not known. message: NULL, or a line for people. How often is
 * the handler's to choose. */
void mcp_call_progress(struct mcp_call *call, double progress, double total, const char *message);

/* RFC 5424, section 6.2.1, from the least severe. */
enum mcp_log_level {
    MCP_LOG_DEBUG,
    MCP_LOG_INFO,
    MCP_LOG_NOTICE,
    MCP_LOG_WARNING,
    MCP_LOG_ERROR,
    MCP_LOG_CRITICAL,
    MCP_LOG_ALERT,
    MCP_LOG_EMERGENCY
};

/* Sends a log message that belongs to the call, where the client wants this level: that of logging/setLevel
 * (info before it), in 2026-07-28 that of the request itself (none where it names none). Only where the
 * server's configuration has `logging`. logger: a name, or NULL. */
void mcp_call_log(struct mcp_call *call, enum mcp_log_level level, const char *logger, const char *text);

/* A pointer of the handler's own, which the library does not look at; NULL at first. */
void mcp_call_set_context(struct mcp_call *call, void *context);
void *mcp_call_get_context(const struct mcp_call *call);

/* ---- the answer ---- */

/* Appends content: to the result of a tool or a resource; for a prompt, a message of the user. What memory
 * has no room for, and what is not valid (JSON that is none, a resource without URI), becomes an error when
 * the call finishes. */
void mcp_call_content(struct mcp_call *call, const struct mcp_content *content);
/* The usual case: one block of text (UTF-8, repaired where it is not). */
void mcp_call_text(struct mcp_call *call, const char *text, size_t length);

/* The writer of a member of the result's _meta: write a key and its value. The call owns it. */
struct mcp_json_writer *mcp_call_result_meta(struct mcp_call *call);

/* Sends the result and frees the call. A result that grew beyond the message limit, or for which there is no
 * memory, becomes an error. */
void mcp_call_finish(struct mcp_call *call);

/* Answers that it failed, and frees the call: a tool with isError and a message for the model, others (and a
 * tool that was called by methods_are_tools) with MCP_ERROR_INTERNAL and that message. */
void mcp_call_fail(struct mcp_call *call, const char *message);
/* Answers with a JSON-RPC error, and frees the call. With MCP_ERROR_OVERLOADED its data says when to retry.
 */
void mcp_call_error(struct mcp_call *call, int code, const char *message);

#endif
