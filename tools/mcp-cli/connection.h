/* SPDX-License-Identifier: MIT
 *
 * Where a server is; a byte stream to it over a Unix socket, AF_VSOCK or TCP, with timeouts and Ctrl-C. All
 * that is particular to the operating system's sockets, signals and clock stands in connection.c, and for
 * Windows, where there is TCP alone, in connection_windows.c.
 */
#ifndef MCP_CLI_CONNECTION_H
#define MCP_CLI_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "error.h"

enum endpoint_kind { ENDPOINT_UNIX, ENDPOINT_VSOCK, ENDPOINT_TCP, ENDPOINT_HTTP, ENDPOINT_COMMAND };

struct endpoint {
    enum endpoint_kind kind;
    uint32_t cid, port;          /* vsock */
    char path[108];              /* Unix: sun_path of <sys/un.h> */
    char host[256], service[32]; /* TCP */
    char name[320];              /* for messages */
    /* HTTP: {"url", "headers"}; a command: {"command", "args", "env", "cwd"}, as an mcpServers file has them.
     * Who made the endpoint gives it back (endpoint_release). */
    json_t *entry;
};

/* Each parses the value of its option: PATH, CID[:PORT], HOST:PORT or [HOST]:PORT. STATUS_USAGE when it is
 * wrong. */
enum status endpoint_unix(struct endpoint *endpoint, const char *path, struct error *error);
enum status endpoint_vsock(struct endpoint *endpoint, const char *text, struct error *error);
enum status endpoint_tcp(struct endpoint *endpoint, const char *text, struct error *error);
/* URL of a Streamable HTTP server. */
enum status endpoint_url(struct endpoint *endpoint, const char *url, struct error *error);
/* A program and its arguments, as words with quotes; it speaks over its standard input and output. */
enum status endpoint_command(struct endpoint *endpoint, const char *words, struct error *error);
/* One entry of an mcpServers file: ${NAME} and ${NAME:-default} in its texts are variables of the
 * environment. */
enum status endpoint_entry(struct endpoint *endpoint, const char *name, const json_t *entry,
                           struct error *error);
void endpoint_release(struct endpoint *endpoint);

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
/* What child.c waits with: until one of the files is ready (poll(2) fills their revents), none of them: for
 * time alone. Returns 0, -ETIMEDOUT, -EINTR after Ctrl-C (interrupt_take tells) or another negative errno.
 * Not on Windows. */
struct pollfd;
int wait_for_files(struct pollfd *files, size_t count, int64_t timeout_ms);
/* For http.c: a file that is readable once Ctrl-C was pressed; -1 where there is none. And whether it was,
 * without taking it. Not on Windows. */
int interrupt_file(void);
bool interrupt_pending(void);
/* For editor.c: waits until there is something to read. Returns 0, -EINTR after Ctrl-C (interrupt_take
 * tells), or another negative errno. */
int interrupt_wait(int fd);
/* Whether Ctrl-C was pressed since the last call. */
bool interrupt_take(void);
/* Ctrl-C ends the program, as without this module, until the call with false. */
void interrupt_ends(bool ends);

#endif
