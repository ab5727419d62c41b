/* SPDX-License-Identifier: MIT
 *
 * A gateway whose clients, server and clock the test plays.
 */
#ifndef MCP_HTTP_SUPPORT_H
#define MCP_HTTP_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gateway_private.h>

#define LINKS_MAX 64

/* One connection to the server: what it got, and how it is. */
struct fake_link {
    struct vm_link *link; /* NULL: closed */
    uint8_t *bytes;       /* that have come and were not looked at */
    size_t length;
    size_t window; /* how many more it takes */
    bool paused;
};

/* An HTTP client. */
struct client {
    struct exchange *exchange;
    struct http_head head;
    struct http_header headers[HEAD_HEADERS_MAX + 2];
    size_t wakes;
};

extern struct fake_link links[LINKS_MAX];
extern size_t link_count; /* opened so far */
extern bool unreachable;  /* the next one cannot be opened */
extern uint64_t now;
extern struct gateway *gateway;
extern struct gateway_config config; /* for the next start */

/* Setup and teardown: the latter checks that everything came back. */
int start(void **state);
int end(void **state);

/* Sends a request: headers are "Name: value" texts up to NULL, beside Host, Content-Type and Accept. */
void ask(struct client *client, const char *method, const char *const *headers, const char *body);
/* One in a session, or for `session` NULL one without; the version is 2025-11-25. */
void post(struct client *client, const char *session, const char *body);
void get(struct client *client, const char *session, const char *last_event);
/* In 2026-07-28, with the headers that belong to it. `params` are members, or "". */
void call(struct client *client, const char *method, const char *name, const char *params);
void leave(struct client *client);

/* The status of the answer; 0 while there is none, 200 for a stream. */
unsigned status_of(const struct client *client);
/* What of the stream is there, as text that stays until the next call; sets *ended where it is not NULL. */
const char *read_all(struct client *client, bool *ended);
/* The whole JSON answer as text. */
const char *body_of(const struct client *client);

/* The next message that the server got on this link, or NULL. Stays until the next call. */
const char *server_got(struct fake_link *link);
void server_says(struct fake_link *link, const char *tag, const char *message);
/* The same with a format. */
void server_answers(struct fake_link *link, const char *id, const char *result);
void server_ends(struct fake_link *link);
/* How many are open, and the newest of these. */
size_t open_links(void);
struct fake_link *newest_link(void);

/* A session that is there: its id. */
const char *open_session(char id[SESSION_ID_LENGTH + 1]);

#define INITIALIZE                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-"     \
    "25\"}}"
#define INITIALIZED          "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"
#define REQUEST(id, method)  "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\"}"
#define NOTIFICATION(method) "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\"}"

#endif
