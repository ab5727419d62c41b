/* SPDX-License-Identifier: MIT
 *
 * The fixtures as a program: conformance-server [--socket PATH]. One client on standard input and output, or
 * any number on a Unix socket; each in lines, frames or tagged frames, as its first byte says.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <mcp/server.h>
#include <mcp/task.h>
#include <mcp/transport.h>

#include "fixtures/fixtures.h"

#define CONNECTIONS_MAX 256
#define INPUT_SIZE      ((size_t)64 * 1024)
#define OUTPUT_MAX      ((size_t)64 << 20) /* not read by a client: then it is let go */

struct connection {
    int in, out; /* one socket, or two pipes */
    struct mcp_session *session;
    struct mcp_reader reader;
    char *output; /* not written yet: output_at to output_length */
    size_t output_at, output_length, output_size;
    bool ended;  /* nothing more comes: what was asked is answered still */
    bool broken; /* nothing more can be sent */
};

static struct mcp_server *server;
static struct connection *connections[CONNECTIONS_MAX];
static size_t connection_count;
static volatile sig_atomic_t stopped;

/* ---- hooks ---- */

static void *allocate(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

static void *resize(void *context, void *memory, size_t old_size, size_t new_size)
{
    (void)context;
    (void)old_size;
    if (new_size > 0)
        return realloc(memory, new_size);
    free(memory);
    return NULL;
}

static int entropy(void *context, void *bytes, size_t size)
{
    (void)context;
    return getrandom(bytes, size, 0) == (ssize_t)size ? 0 : -EIO;
}

static uint64_t now_ms(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static uint64_t unix_time_ms(void *context)
{
    struct timespec time;

    (void)context;
    (void)clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static uint64_t clock_ms(void *context)
{
    (void)context;
    return now_ms();
}

static void report(void *context, const char *line)
{
    (void)context;
    (void)fprintf(stderr, "conformance-server: %s\n", line);
}

/* ---- output ---- */

static int queue(struct connection *connection, const void *bytes, size_t length)
{
    size_t needed = connection->output_length + length;

    if (length == 0)
        return 0;
    if (needed > OUTPUT_MAX)
        return -ENOBUFS;
    if (needed > connection->output_size) {
        size_t size = needed * 2;
        char *output = realloc(connection->output, size);

        if (output == NULL)
            return -ENOMEM;
        connection->output = output;
        connection->output_size = size;
    }
    memcpy(connection->output + connection->output_length, bytes, length);
    connection->output_length = needed;
    return 0;
}

static int send_message(void *context, const char *message, size_t length)
{
    struct connection *connection = context;
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    size_t header_length, tag_length = 0;
    const char *trailer = mcp_frame_encode(connection->reader.form, length, header, &header_length);
    const char *tag = mcp_session_sending_for(connection->session, &tag_length);

    if (connection->broken)
        return -EPIPE;
    if (connection->reader.form != MCP_FORM_TAGGED || tag == NULL || tag_length > MCP_TAG_MAX) {
        tag = "";
        tag_length = 0;
    } else {
        mcp_frame_encode_tagged(length, tag_length, header);
    }
    if (queue(connection, header, header_length) != 0 || queue(connection, tag, tag_length) != 0 ||
        queue(connection, message, length) != 0 || queue(connection, trailer, strlen(trailer)) != 0) {
        connection->broken = true;
        return -ENOBUFS;
    }
    return 0;
}

static void flush(struct connection *connection)
{
    size_t left = connection->output_length - connection->output_at;
    const char *bytes = connection->output + connection->output_at;

    if (connection->broken || left == 0)
        return;
    /* A pipe blocks: a host that does not read what it asked for waits for itself. */
    ssize_t sent = connection->in == connection->out
                       ? send(connection->out, bytes, left, MSG_DONTWAIT | MSG_NOSIGNAL)
                       : write(connection->out, bytes, left);
    if (sent >= 0)
        connection->output_at += (size_t)sent;
    else if (errno != EAGAIN && errno != EINTR)
        connection->broken = true;
    if (connection->output_at == connection->output_length)
        connection->output_at = connection->output_length = 0;
}

/* ---- input ---- */

static void handle_event(struct connection *connection, enum mcp_reader_event event)
{
    char limit[48];

    switch (event) {
    case MCP_READER_MORE:
        break;
    case MCP_READER_MESSAGE:
        mcp_session_receive(connection->session, connection->reader.message,
                            connection->reader.message_length);
        break;
    case MCP_READER_NO_MEMORY:
        mcp_session_report(connection->session, MCP_ERROR_OVERLOADED, "no memory for the message", NULL);
        break;
    case MCP_READER_REFUSED:
        mcp_session_report(connection->session, MCP_ERROR_PARSE, "the first byte is not that of a message",
                           NULL);
        connection->ended = true;
        break;
    case MCP_READER_CLOSE:
        connection->ended = true;
        break;
    case MCP_READER_TOO_LONG:
        (void)snprintf(limit, sizeof(limit), "{\"limit\":%u}", MCP_MESSAGE_MAX);
        mcp_session_report(connection->session, MCP_ERROR_TOO_LARGE, "the message is too long", limit);
        break;
    }
}

static void read_some(struct connection *connection)
{
    static char input[INPUT_SIZE];
    ssize_t length = read(connection->in, input, sizeof(input));

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) {
        connection->ended = true;
        handle_event(connection, mcp_reader_end(&connection->reader));
        return;
    }
    for (size_t at = 0, consumed; at < (size_t)length && !connection->ended; at += consumed)
        handle_event(connection,
                     mcp_reader_feed(&connection->reader, input + at, (size_t)length - at, &consumed));
}

/* ---- connections ---- */

static int open_connection(int in, int out)
{
    const struct mcp_transport_memory memory = {.resize = resize};
    struct connection *connection =
        connection_count < CONNECTIONS_MAX ? calloc(1, sizeof(*connection)) : NULL;

    if (connection == NULL)
        return -ENOBUFS;
    connection->in = in;
    connection->out = out;
    mcp_reader_initialise(&connection->reader, &memory);
    if (mcp_session_open(server, send_message, connection, &connection->session) != 0) {
        free(connection);
        return -ENOMEM;
    }
    connections[connection_count++] = connection;
    return 0;
}

static void close_connection(size_t index)
{
    struct connection *connection = connections[index];

    mcp_session_close(connection->session);
    mcp_reader_release(&connection->reader);
    (void)close(connection->in);
    if (connection->out != connection->in)
        (void)close(connection->out);
    free(connection->output);
    free(connection);
    connections[index] = connections[--connection_count];
}

static bool is_over(const struct connection *connection)
{
    return connection->broken || (connection->ended && connection->output_length == 0 &&
                                  mcp_session_pending(connection->session) == 0);
}

/* ---- serving ---- */

static void accept_client(int listener)
{
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (client >= 0 && open_connection(client, client) != 0)
        (void)close(client);
}

/* Waits for clients, or until `due`; then serves each once. listener: -1 for none. */
static void serve_once(int listener, uint64_t due, const sigset_t *unblocked)
{
    struct pollfd polled[1 + 2 * CONNECTIONS_MAX];
    uint64_t now = now_ms(), wait = due > now ? due - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(wait / 1000), .tv_nsec = (long)(wait % 1000) * 1000000};
    size_t count = connection_count;

    polled[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (size_t i = 0; i < count; i++) {
        const struct connection *one = connections[i];

        polled[1 + 2 * i] = (struct pollfd){.fd = one->ended ? -1 : one->in, .events = POLLIN};
        polled[2 + 2 * i] = (struct pollfd){.fd = one->output_length > 0 ? one->out : -1, .events = POLLOUT};
    }
    if (ppoll(polled, 1 + 2 * count, due == FIXTURES_NEVER ? NULL : &timeout, unblocked) < 0)
        return; /* by a signal: all that it has to say stands in `stopped` */
    for (size_t i = 0; i < count; i++)
        if (polled[1 + 2 * i].revents != 0)
            read_some(connections[i]);
    if (polled[0].revents != 0)
        accept_client(listener);
}

static void serve(int listener, const sigset_t *unblocked)
{
    while (!stopped && (listener >= 0 || connection_count > 0)) {
        uint64_t due = fixtures_poll();

        for (size_t i = connection_count; i-- > 0;) {
            flush(connections[i]);
            if (is_over(connections[i]))
                close_connection(i);
        }
        if (listener >= 0 || connection_count > 0)
            serve_once(listener, due, unblocked);
    }
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (listener < 0 || strlen(path) >= sizeof(address.sun_path)) {
        (void)fprintf(stderr, "conformance-server: the path %s is too long for a socket\n", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, SOMAXCONN) != 0) {
        (void)fprintf(stderr, "conformance-server: cannot listen at %s: %s\n", path, strerror(errno));
        return -1;
    }
    return listener;
}

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

int main(int argc, char **argv)
{
    const struct mcp_server_config config = {.name = "conformance-server",
                                             .title = "Fixtures for the conformance suite",
                                             .version = MK_VERSION,
                                             .memory = {.allocate = allocate, .release = release},
                                             .list_ttl_ms = FIXTURES_TTL_MS,
                                             .logging = true,
                                             .check_results = true,
                                             .entropy = entropy,
                                             .clock_ms = clock_ms,
                                             .report = report};
    const struct sigaction action = {.sa_handler = stop};
    const char *path = argc == 3 && strcmp(argv[1], "--socket") == 0 ? argv[2] : NULL;
    sigset_t blocked, unblocked;
    int listener = -1;

    if (argc != 1 && path == NULL) {
        (void)fprintf(stderr, "Usage: conformance-server [--socket PATH]\n");
        return 2;
    }
    /* Signals come while it waits, so that none is missed. */
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigaddset(&blocked, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &blocked, &unblocked);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (mcp_server_create(&config, &server) != 0 || fixtures_add(server, now_ms, unix_time_ms) != 0)
        return 1;
    if (path != NULL)
        listener = listen_at(path);
    if (path != NULL ? listener < 0 : open_connection(STDIN_FILENO, STDOUT_FILENO) != 0)
        return 1;
    serve(listener, &unblocked);
    while (connection_count > 0)
        close_connection(connection_count - 1);
    if (listener >= 0) {
        (void)close(listener);
        (void)unlink(path);
    }
    mcp_server_end_tasks(server);
    mcp_server_destroy(server);
    return 0;
}
