/* SPDX-License-Identifier: MIT
 *
 * What the tests of asking the client share: a server whose handlers ask.
 */
#ifndef MCP_TEST_ASK_SUPPORT_H
#define MCP_TEST_ASK_SUPPORT_H

#include "support.h"

extern struct client client;
extern uint64_t now; /* what the server's clock says */
extern bool entropy_fails;
extern size_t runs, cancelled_count;
extern struct mcp_call *kept; /* by the tool `visit` */
extern size_t most_insisting; /* runs of the tool `insist` within each other */

struct mcp_server_config ask_config(void);
void ask_start(const struct mcp_server_config *config);
int ask_set_up(void **state);
int ask_tear_down(void **state);
/* A session of a client with these capabilities. */
void initialise_able(const char *version, const char *capabilities);

#define ALL "\"roots\":{},\"sampling\":{},\"elicitation\":{\"form\":{},\"url\":{}}"
#define CALL(name)                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"tools/call\",\"params\":{\"name\":\"" name "\"}}"
#define ANSWER(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"
#define ASKS(id, method, params)                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":{" params "}}"
#define NAME "{\"action\":\"accept\",\"content\":{\"name\":\"Bo\"}}"

#endif
