/* SPDX-License-Identifier: MIT
 *
 * The program mcp-cli, run by a test that plays the server, one message after the other. Whatever waits,
 * waits 30 seconds at most and then fails the test.
 */
#ifndef MCP_CLI_HARNESS_H
#define MCP_CLI_HARNESS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

struct harness {
    char folder[64];       /* of this test: the socket and the history live in it */
    char socket_path[100]; /* listening */
    char tcp[32];          /* "127.0.0.1:PORT", after harness_listen_tcp */
    bool lines;            /* newline-delimited messages instead of frames */
    const char *era;       /* --protocol-era; "initialize" if it is NULL */
    char *out, *err;       /* what the program wrote, after run_finish */
    char screen[65536];    /* what it wrote to its terminal so far */
};

extern struct harness harness;

/* For cmocka's setup and teardown of one test. */
int harness_setup(void **state);
int harness_teardown(void **state);
void harness_listen_tcp(void);

/* Starts mcp-cli with the words, the last of them NULL. `input` is its standard input (NULL: empty). */
void run_start(const char *input, const char *const *words);
/* The same on a terminal, with the words after --socket PATH. */
void run_on_terminal(const char *const *words);
#define WORDS(...)      ((const char *const[]){__VA_ARGS__, NULL})
#define RUN(...)        run_start(NULL, WORDS("--socket", harness.socket_path, __VA_ARGS__))
#define RUN_INPUT(text) run_start(text, WORDS("--socket", harness.socket_path))

/* Waits for the end and returns the exit status. */
int run_finish(void);
/* run_finish gives `status`; nothing was printed but an error that has `message` in it. */
void assert_fails(int status, const char *message);
void run_interrupt(void);

/* The terminal's keyboard and screen. */
void terminal_type(const char *keys);
void terminal_wait_for(const char *text);
void terminal_forget(void);

/* The server. */
void server_accept(void);
void server_hang_up(void);
void server_send_bytes(const void *bytes, size_t length);
void server_send(const char *json);
/* The next message; the caller frees it. */
json_t *server_read(void);
/* The end of the stream is what comes next. */
void server_expect_end(void);
/* Expects a request of the stateless era; its params without _meta are `params` (NULL: any). Returns the
 * _meta, the caller's. */
json_t *server_expect_stateless(const char *method, const char *params);
/* Accepts and answers server/discover as a server of 2026-07-28. */
void server_discovered(void);
/* Accepts, reads initialize, answers, reads notifications/initialized. */
void server_handshake(void);
/* The next message is this request; its id is what server_reply answers. `params` NULL: none. */
void server_expect(const char *method, const char *params);
/* The next message is tools/call of this tool with these arguments, and asks for progress. */
void server_expect_call(const char *tool, const char *arguments);
json_int_t server_id(void);
void server_reply(const char *result);
void server_reply_error(int code, const char *message);
/* {"content": [the text], "structuredContent": ...} */
void server_reply_structured(const char *structured);

#endif
