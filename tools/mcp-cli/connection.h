/* SPDX-License-Identifier: MIT
 *
 * A byte stream to a server over a Unix socket, AF_VSOCK or TCP, with timeouts and Ctrl-C. All that is
 * particular to the operating system's sockets, signals and clock stands in connection.c, and for Windows,
 * where there is TCP alone, in connection_windows.c.
 */
#ifndef MCP_CLI_CONNECTION_H
#define MCP_CLI_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

enum endpoint_kind { ENDPOINT_UNIX, ENDPOINT_VSOCK, ENDPOINT_TCP };

struct endpoint {
    enum endpoint_kind kind;
    uint32_t cid, port;          /* vsock */
    char path[108];              /* Unix: sun_path of <sys/un.h> */
    char host[256], service[32]; /* TCP */
    char name[320];              /* for messages */
};

/* Each parses the value of its option: PATH, CID[:PORT], HOST:PORT or [HOST]:PORT. STATUS_USAGE when it is
 * wrong. */
enum status endpoint_unix(struct endpoint *endpoint, const char *path, struct error *error);
enum status endpoint_vsock(struct endpoint *endpoint, const char *text, struct error *error);
enum status endpoint_tcp(struct endpoint *endpoint, const char *text, struct error *error);

struct connection {
    int fd; /* -1: closed; on Windows a SOCKET */
};

/* STATUS_OK, STATUS_CONNECTION or STATUS_INTERRUPTED. */
enum status connection_open(struct connection *connection, const struct endpoint *endpoint,
                            int64_t timeout_ms, struct error *error);
void connection_close(struct connection *connection);

/* Waits until bytes are there. Returns their count, 0 at the end of the stream, -ETIMEDOUT, -EINTR after
 * Ctrl-C, or another negative errno. */
ssize_t connection_receive(struct connection *connection, void *buffer, size_t size, int64_t timeout_ms);

/* Sends all bytes; the timeout counts from the last byte that the other side took. Returns 0, -ETIMEDOUT,
 * -EINTR (then an unknown part was sent) or another negative errno. */
int connection_send(struct connection *connection, const void *bytes, size_t length, int64_t timeout_ms);

/* Milliseconds of a clock that never steps. */
int64_t clock_ms(void);
double clock_exact_ms(void);

/* From here on Ctrl-C is let through only where something waits, so that it is never lost between a check and
 * a wait. */
void interrupt_initialise(void);
/* For editor.c: waits until there is something to read. Returns 0, -EINTR after Ctrl-C (interrupt_take
 * tells), or another negative errno. */
int interrupt_wait(int fd);
/* Whether Ctrl-C was pressed since the last call. */
bool interrupt_take(void);
/* Ctrl-C ends the program, as without this module, until the call with false. */
void interrupt_ends(bool ends);

#endif
