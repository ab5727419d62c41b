/* SPDX-License-Identifier: MIT
 *
 * What the tests of mcp_core share: memory that counts and fails on demand, and a client that checks every
 * message it gets.
 */
#ifndef MCP_TEST_SUPPORT_H
#define MCP_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include <mcp/server.h>

struct test_memory {
    size_t held, most;  /* bytes */
    size_t limit;       /* of held; 0: none */
    size_t allocations; /* asked for since the start */
    size_t fail_at;     /* this allocation fails (1: the first); 0: none */
    bool fail_from;     /* and all after it */
};

struct mcp_memory test_memory_hooks(struct test_memory *memory);

uint32_t test_random(uint32_t *state, uint32_t limit);

/* Parses with jansson; NULL when that says it is not JSON. It does not take numbers beyond a double and NULs
 * in keys, which are JSON all the same: *unsure tells them apart, where it is not NULL. */
json_t *test_load(const char *text, size_t length, bool *unsure);

struct client {
    struct test_memory memory;
    struct mcp_server *server;
    struct mcp_session *session;
    size_t received; /* messages */
    char *last;      /* the last one, NUL-terminated; NULL: none */
    size_t last_length;
    char sent_for[64]; /* the id of the request that it belongs to; "": none */
    /* Called for each message, behind the checks; may be NULL. */
    void (*on_message)(struct client *client);
};

/* A server and an open session. `config` may be NULL; without memory hooks it gets client->memory's. */
void client_start(struct client *client, const struct mcp_server_config *config);
/* Another session, in place of one that was closed. */
void client_open(struct client *client);
/* Closes and destroys; fails when memory is left. */
void client_stop(struct client *client);
void client_forget(struct client *client);

void client_tell(struct client *client, const char *message);
/* Exactly one answer comes, and it is `answer`. */
void client_expect(struct client *client, const char *message, const char *answer);
/* No answer comes. */
void client_expect_nothing(struct client *client, const char *message);
/* The answer is an error with this code; "message" contains `words`. */
void client_expect_error(struct client *client, const char *message, const char *id, int code,
                         const char *words);
void client_initialise(struct client *client, const char *version);

/* A request of the stateless era: `params` are members behind _meta, each with its comma before; `meta` the
 * same within it. The text lives until the next call. */
const char *stateless(const char *id, const char *method, const char *params, const char *meta);
/* What the result of such a request begins and ends with, for a server of test_config. */
#define STATELESS_RESULT(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{\"resultType\":\"complete\""
#define STATELESS_END                                                                                        \
    ",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"test\",\"title\":\"A test\","            \
    "\"version\":\"0.1\"}}}}"

/* The configuration that client_start uses, without memory hooks. */
extern const struct mcp_server_config test_config;

#endif
