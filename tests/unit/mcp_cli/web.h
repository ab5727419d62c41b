/* SPDX-License-Identifier: MIT
 *
 * A server of HTTP that a test plays, beside harness.h: one request after the other, each on a connection of
 * its own.
 */
#ifndef MCP_CLI_WEB_H
#define MCP_CLI_WEB_H

#include "harness.h"

#define PATIENCE_MS 30000

/* The last request: its head as text, its body as JSON. */
struct web {
    int listener, connection, stream;
    bool streams; /* GET is answered by keeping `stream`, not by 405 */
    char url[64];
    char head[8192];
    json_t *body;
};

extern struct web web;

/* For cmocka's setup and teardown of one test, in the place of the harness's. */
int web_setup(void **state);
int web_teardown(void **state);

void hang_up(int *file);
void say(int file, const char *text);
/* The value of a header of the last request; "" when it has none. Until the next call. */
const char *header(const char *name);
/* The method of the last request's JSON; "" when there is none. */
const char *method(void);
/* Reads the next request that begins with `verb`; streams are refused on the way, or kept. */
void next_request(const char *verb);
/* Expects a POST of this method. */
void expect(const char *name);
/* Answers the last request and hangs up; `more` are further lines of the head. */
void reply(int status, const char *type, const char *more, const char *body);
/* The response to the last request with this result or error; the caller frees it. */
char *response(const char *result);
void answer(const char *result);

#endif
