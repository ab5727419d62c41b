/* SPDX-License-Identifier: MIT
 *
 * How a call in mcp-cli ends. Functions return a status, which is the program's exit status too, and leave
 * one line for people in *error when it is not STATUS_OK. Who calls last prints it; nobody prints below.
 */
#ifndef MCP_CLI_ERROR_H
#define MCP_CLI_ERROR_H

enum status {
    STATUS_OK = 0,
    STATUS_TOOL = 1,         /* the tool failed, or the server refused the call */
    STATUS_USAGE = 2,        /* the command line is wrong */
    STATUS_CONNECTION = 3,   /* no connection, or the other side does not speak the protocol */
    STATUS_INTERRUPTED = 130 /* Ctrl-C; 128 + SIGINT, as shells have it */
};

struct error {
    char text[1024]; /* may hold bytes from the server: clean it before it reaches a terminal */
};

/* Fills *error (a longer text is cut, with "..." at its end) and returns `status`. */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
