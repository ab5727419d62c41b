/* SPDX-License-Identifier: MIT
 *
 * Asking the client in the midst of a call (of a tool, a read, a prompt): for its roots, for what its model
 * says, or for what its user says (MCP 2025-11-25, "Client features"; MCP 2026-07-28, "Patterns / Multi
 * Round-Trip Requests").
 *
 * A handler that needs something asks for it and ends with mcp_call_wait. When the answers are there it is
 * run again, from its beginning:
 *
 *     struct mcp_json answer = mcp_call_input(call, "who");
 *
 *     if (mcp_json_type(answer) == MCP_JSON_NONE) {
 *         struct mcp_json_writer *form = mcp_call_ask(call, "who", MCP_ASK_FORM);
 *
 *         if (form == NULL)
 *             return;
 *         mcp_json_member_string(form, "message", "Who are you?");
 *         mcp_json_key_write(form, "requestedSchema");
 *         mcp_json_raw_value(form, schema, strlen(schema));
 *         mcp_call_wait(call, NULL, 0);
 *         return;
 *     }
 *
 * Up to 2025-11-25 the library sends requests, and waits for the responses. In 2026-07-28 the call ends with
 * what is asked (InputRequiredResult), and the client sends it again with the answers. For the handler both
 * are the same: from one run to the next only its state is kept, no content and no context of the call.
 */
#ifndef MCP_ASK_H
#define MCP_ASK_H

#include <mcp/call.h>

enum mcp_ask {
    MCP_ASK_ROOTS,    /* roots/list */
    MCP_ASK_SAMPLING, /* sampling/createMessage: write messages, maxTokens... */
    MCP_ASK_FORM,     /* elicitation/create: write message, requestedSchema */
    MCP_ASK_URL       /* the same with a page to visit: write message, url */
};

#define MCP_ASKS_MAX 4 /* at once */

/* Whether the client said that it can be asked that. */
bool mcp_call_can_ask(const struct mcp_call *call, enum mcp_ask what);

/* Begins a question; `key` (static, or kept until mcp_call_wait) tells the answers apart. Returns the writer
 * of the params' members, which is good until the next question. Where the client cannot be asked that, or
 * there is no memory, or a question too many, the call is answered with an error that says so, and NULL comes
 * back: the handler then just returns. */
struct mcp_json_writer *mcp_call_ask(struct mcp_call *call, const char *key, enum mcp_ask what);

/* Asks, and ends this run of the handler. `state` (size bytes, copied) comes back in the next run; a client
 * of 2026-07-28 has it meanwhile, protected against changes, not against reading, for state_ttl_ms: until
 * then the same principal (mcp_session_identify) may send it again with the same request, any number of
 * times. That needs the server's hooks `entropy` and `clock_ms`: without them a state is an error. A client
 * that answers a question with an error ends the call; one that the client cancels meanwhile ends by itself.
 */
void mcp_call_wait(struct mcp_call *call, const void *state, size_t size);

/* Ends the call instead, where nothing can be done before the pages that mcp_call_ask named (MCP_ASK_URL,
 * each) have been visited. In 2025-11-25 the client gets MCP_ERROR_URL_REQUIRED with them, and calls again
 * when it likes; in 2026-07-28 it is mcp_call_wait without a state. */
void mcp_call_require_urls(struct mcp_call *call);

/* The result that the client gave to the last run's question, or NONE. As the client wrote it: not checked.
 * Valid until the handler returns. */
struct mcp_json mcp_call_input(const struct mcp_call *call, const char *key);

/* The last run's state: returns 0, and NULL in the first run. A state that the server did not make for this
 * request, or that is too old, is answered with an error; then a negative errno comes back, and the handler
 * just returns. It lives as long as the call. */
int mcp_call_state(struct mcp_call *call, const void **state, size_t *size);

#endif
