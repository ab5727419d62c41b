/* SPDX-License-Identifier: MIT
 *
 * The listeners' events only set marks; the task then serves each marked connection in turn, a bounded piece
 * at a time, so that one client's flood does not keep the others waiting.
 */
#include <errno.h>
#include <string.h>

#include <arch/interrupts.h>
#include <arch/timer.h>
#include <hooks/library_memory.h>
#include <logging/log.h>
#include <mcp/transport.h>
#include <service/connections.h>
#include <service/output_queue.h>
#include <tasks/task.h>

#define TURN_SIZE       (64u * 1024) /* read from one connection before it is the next one's turn */
#define OUTPUT_HIGH_MAX (256u * 1024)

struct connection {
    struct connection *next;
    struct stream stream;
    struct mcp_session *session;
    struct mcp_reader reader;
    struct output_queue output;
    bool readable, writable; /* marks: look at it */
    bool ended;              /* the client sends no more; what it asked is still answered */
    bool closing;            /* the stream broke a rule: no more input, close when the output is out */
    bool dead;               /* reset, or out of memory for an answer: close at once */
};

static struct mcp_server *mcp;
static const struct listener *const *listeners;
static size_t listener_count;
static struct connection *connections;
static struct interrupt_event activity;
static struct connections_statistics statistics;
/* More output than this waiting: the client's requests wait, too. */
static size_t output_high;

/* What one connection may hold back: when all do, together it is half of the client pool at most. */
size_t connections_input_share(size_t most)
{
    size_t share = client_pool.limit / 2 / CONNECTIONS_MAX;
    return share < most ? share : most;
}

/* ---- output ---- */

static int64_t stream_send(struct connection *connection, const void *bytes, size_t length)
{
    return connection->stream.operations->send(connection->stream.handle, bytes, length);
}

static void flush_output(struct connection *connection)
{
    const void *bytes;
    size_t length;
    while ((length = output_queue_front(&connection->output, &bytes)) > 0) {
        int64_t sent = stream_send(connection, bytes, length);
        if (sent < 0) {
            connection->dead = true;
            return;
        }
        output_queue_take(&connection->output, (size_t)sent);
        if ((size_t)sent < length)
            return; /* connection_writable follows */
    }
}

static int send_bytes(struct connection *connection, const void *bytes, size_t length)
{
    size_t sent = 0;
    if (connection->output.size == 0) {
        int64_t result = stream_send(connection, bytes, length);
        if (result < 0)
            return (int)result;
        sent = (size_t)result;
    }
    return sent == length
               ? 0
               : output_queue_add(&connection->output, (const uint8_t *)bytes + sent, length - sent);
}

/* mcp_send: header, message and trailer, in one packet where they fit into one. Any task. */
static int send_message(void *context, const char *message, size_t length)
{
    static uint8_t packet[4096];
    struct connection *connection = context;
    if (connection->dead)
        return -ECONNRESET;
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    size_t header_length;
    const char *trailer = mcp_frame_encode(connection->reader.form, length, header, &header_length);
    size_t trailer_length = *trailer != '\0' ? 1 : 0;
    int error;
    if (header_length + length + trailer_length <= sizeof packet) {
        memcpy(packet, header, header_length);
        memcpy(packet + header_length, message, length);
        memcpy(packet + header_length + length, trailer, trailer_length);
        error = send_bytes(connection, packet, header_length + length + trailer_length);
    } else {
        error = send_bytes(connection, header, header_length);
        if (error == 0)
            error = send_bytes(connection, message, length);
        if (error == 0)
            error = send_bytes(connection, trailer, trailer_length);
    }
    /* A message that left in part, or not at all, cannot be taken back: the client must see the connection
     * end rather than miss an answer. */
    if (error != 0)
        connection->dead = true;
    /* The service task looks whether this connection can be closed now. */
    connection->writable = true;
    interrupt_event_raise(&activity);
    return error;
}

/* ---- input ---- */

static void report_too_long(struct connection *connection)
{
    mcp_session_report(connection->session, MCP_ERROR_TOO_LARGE, "message longer than 1048576 bytes",
                       "{\"limit\":1048576}");
}

static void handle_event(struct connection *connection, enum mcp_reader_event event)
{
    struct mcp_reader *reader = &connection->reader;
    switch (event) {
    case MCP_READER_MESSAGE:
        mcp_session_receive(connection->session, reader->message, reader->message_length);
        break;
    case MCP_READER_TOO_LONG:
        report_too_long(connection);
        break;
    case MCP_READER_NO_MEMORY:
        mcp_session_report(connection->session, MCP_ERROR_OVERLOADED, "out of memory for the message",
                           "{\"retryAfterMs\":1000}");
        break;
    case MCP_READER_REFUSED:
        mcp_session_report(connection->session, MCP_ERROR_PARSE,
                           "neither a length-prefixed frame nor JSON: this is an MCP server", NULL);
        connection->closing = true;
        break;
    case MCP_READER_CLOSE:
        if (reader->announced_length > MCP_DRAIN_MAX)
            report_too_long(connection);
        connection->closing = true;
        break;
    case MCP_READER_MORE:
        break;
    }
}

static void read_input(struct connection *connection)
{
    const struct stream *stream = &connection->stream;
    for (size_t turn = 0; turn < TURN_SIZE;) {
        if (connection->dead || connection->closing || connection->ended ||
            connection->output.size > output_high)
            return; /* with output waiting: `readable` stays set, and the output's progress brings us back */
        const void *bytes;
        int64_t received = stream->operations->peek(stream->handle, &bytes);
        if (received == -EAGAIN) {
            connection->readable = false;
            return;
        }
        if (received < 0) {
            connection->dead = true;
            return;
        }
        if (received == 0) {
            handle_event(connection, mcp_reader_end(&connection->reader));
            connection->ended = true;
            connection->readable = false;
            return;
        }
        size_t consumed;
        handle_event(connection, mcp_reader_feed(&connection->reader, bytes, (size_t)received, &consumed));
        mcp_reader_trim(&connection->reader);
        stream->operations->take(stream->handle, consumed);
        turn += consumed;
    }
}

/* ---- life and death ---- */

struct connection *connection_open(const struct stream *stream)
{
    struct connection *connection = budget_alloc(&client_pool, sizeof *connection);
    if (connection != NULL) {
        *connection = (struct connection){.stream = *stream};
        mcp_reader_initialise(&connection->reader, &kernel_transport_memory);
        if (mcp_session_open(mcp, send_message, connection, &connection->session) != 0) {
            budget_free(&client_pool, connection, sizeof *connection);
            connection = NULL;
        }
    }
    if (connection == NULL) {
        statistics.refused++;
        log_write(LOG_WARNING, "service", "connection refused: out of memory");
        stream->operations->abort(stream->handle);
        return NULL;
    }
    connection->next = connections;
    connections = connection;
    statistics.open++;
    statistics.accepted++;
    log_write(LOG_DEBUG, "service", "connection from %s %llu:%u", stream->kind,
              (unsigned long long)stream->peer_cid, stream->peer_port);
    return connection;
}

static void close_connection(struct connection *connection)
{
    for (struct connection **at = &connections; *at != NULL; at = &(*at)->next) {
        if (*at == connection) {
            *at = connection->next;
            break;
        }
    }
    mcp_session_close(connection->session);
    mcp_reader_release(&connection->reader);
    output_queue_clear(&connection->output);
    const struct stream *stream = &connection->stream;
    if (connection->dead)
        stream->operations->abort(stream->handle);
    else
        stream->operations->close(stream->handle);
    budget_free(&client_pool, connection, sizeof *connection);
    statistics.open--;
}

static bool is_finished(const struct connection *connection)
{
    if (connection->dead)
        return true;
    if (connection->output.size > 0)
        return false;
    return connection->closing || (connection->ended && mcp_session_pending(connection->session) == 0);
}

void connections_drop(const struct stream_operations *operations)
{
    for (struct connection *connection = connections, *next; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->stream.operations == operations) {
            connection->dead = true;
            close_connection(connection);
        }
    }
}

void connection_readable(struct connection *connection)
{
    connection->readable = true;
}

void connection_writable(struct connection *connection)
{
    connection->writable = true;
}

void connection_reset(struct connection *connection)
{
    connection->dead = true;
}

INTERRUPT_CODE void connections_wake(void *context)
{
    (void)context;
    interrupt_event_raise(&activity);
}

/* ---- the task ---- */

void connections_start(struct mcp_server *server, const struct listener *const *all, size_t count)
{
    mcp = server;
    listeners = all;
    listener_count = count;
    output_high = connections_input_share(OUTPUT_HIGH_MAX);
    bool reachable = false;
    for (size_t i = 0; i < count; i++)
        if (listeners[i]->announce())
            reachable = true;
    if (!reachable)
        log_write(LOG_WARNING, "service", "no vsock device: nobody can reach this machine");
}

/* One turn for everybody. Returns whether somebody has more to do right now. */
static bool serve_connections(void)
{
    bool more = false;
    for (struct connection *connection = connections, *next; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->writable) {
            connection->writable = false;
            flush_output(connection);
        }
        if (connection->readable)
            read_input(connection);
        if (is_finished(connection))
            close_connection(connection);
        else if (connection->readable && connection->output.size <= output_high)
            more = true;
    }
    return more;
}

_Noreturn void connections_run(void)
{
    for (;;) {
        uint64_t deadline = TASK_FOREVER;
        for (size_t i = 0; i < listener_count; i++) {
            uint64_t next = listeners[i]->poll();
            if (next < deadline)
                deadline = next;
        }
        if (serve_connections())
            task_yield();
        else
            (void)interrupt_event_wait(&activity, deadline);
    }
}

void connections_get_statistics(struct connections_statistics *result)
{
    *result = statistics;
}

void connections_count_device_reset(void)
{
    statistics.device_resets++;
}
