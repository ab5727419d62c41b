/* SPDX-License-Identifier: MIT
 *
 * vsock's events only set marks; the task then serves each marked connection in turn, a bounded piece at a
 * time, so that one client's flood does not keep the others waiting.
 */
#include <errno.h>
#include <string.h>

#include <arch/interrupts.h>
#include <arch/timer.h>
#include <hooks/library_memory.h>
#include <logging/log.h>
#include <mcp/transport.h>
#include <service/connections.h>
#include <service/devices.h>
#include <service/output_queue.h>
#include <tasks/task.h>
#include <virtio/vsock.h>

#define TURN_SIZE        (64u * 1024) /* read from one connection before it is the next one's turn */
#define OUTPUT_HIGH_MAX  (256u * 1024)
#define INPUT_MAX        (64u * 1024) /* that vsock keeps until it is read */
#define HOUSEKEEPING_US  1000000      /* vsock's own time-outs, while there are connections */
#define RESTART_DELAY_US 1000000

struct connection {
    struct connection *next;
    struct vsock_connection *stream;
    struct mcp_session *session;
    struct mcp_reader reader;
    struct output_queue output;
    bool readable, writable; /* marks: look at it */
    bool ended;              /* the client sends no more; what it asked is still answered */
    bool closing;            /* the stream broke a rule: no more input, close when the output is out */
    bool dead;               /* reset, or out of memory for an answer: close at once */
};

static struct mcp_server *mcp;
static struct vsock *vsock;
static struct connection *connections;
static struct interrupt_event activity;
static struct connections_statistics statistics;
/* More output than this waiting: the client's requests wait, too. */
static size_t output_high;

/* What one connection may hold back: when all do, together it is half of the client pool at most. */
static size_t share_of_pool(size_t most)
{
    size_t share = client_pool.limit / 2 / CONNECTIONS_MAX;
    return share < most ? share : most;
}

/* ---- output ---- */

static void flush_output(struct connection *connection)
{
    const void *bytes;
    size_t length;
    while ((length = output_queue_front(&connection->output, &bytes)) > 0) {
        int64_t sent = vsock_send(connection->stream, bytes, length);
        if (sent < 0) {
            connection->dead = true;
            return;
        }
        output_queue_take(&connection->output, (size_t)sent);
        if ((size_t)sent < length)
            return; /* VSOCK_WRITABLE follows */
    }
}

static int send_bytes(struct connection *connection, const void *bytes, size_t length)
{
    size_t sent = 0;
    if (connection->output.size == 0) {
        int64_t result = vsock_send(connection->stream, bytes, length);
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
    for (size_t turn = 0; turn < TURN_SIZE;) {
        if (connection->dead || connection->closing || connection->ended ||
            connection->output.size > output_high)
            return; /* with output waiting: `readable` stays set, and the output's progress brings us back */
        const void *bytes;
        int64_t received = vsock_peek(connection->stream, &bytes);
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
        vsock_take(connection->stream, consumed);
        turn += consumed;
    }
}

/* ---- life and death ---- */

static void open_connection(struct vsock_connection *stream)
{
    struct connection *connection = budget_alloc(&client_pool, sizeof *connection);
    if (connection != NULL) {
        *connection = (struct connection){.stream = stream};
        mcp_reader_initialise(&connection->reader, &kernel_transport_memory);
        if (mcp_session_open(mcp, send_message, connection, &connection->session) != 0) {
            budget_free(&client_pool, connection, sizeof *connection);
            connection = NULL;
        }
    }
    if (connection == NULL) {
        statistics.refused++;
        log_write(LOG_WARNING, "service", "connection refused: out of memory");
        vsock_abort(stream);
        return;
    }
    vsock_set_context(stream, connection);
    connection->next = connections;
    connections = connection;
    statistics.open++;
    statistics.accepted++;
    log_write(LOG_DEBUG, "service", "connection from %llu:%u", (unsigned long long)vsock_peer_cid(stream),
              vsock_peer_port(stream));
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
    if (connection->stream != NULL && connection->dead)
        vsock_abort(connection->stream);
    else if (connection->stream != NULL)
        vsock_close(connection->stream);
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

/* Called from vsock_poll. */
static void on_event(void *context, enum vsock_event event, struct vsock_connection *stream)
{
    (void)context;
    if (event == VSOCK_ACCEPTED) {
        open_connection(stream);
        return;
    }
    struct connection *connection = vsock_get_context(stream);
    if (connection == NULL)
        return;
    if (event == VSOCK_READABLE)
        connection->readable = true;
    else if (event == VSOCK_WRITABLE)
        connection->writable = true;
    else if (event == VSOCK_RESET)
        connection->dead = true;
}

INTERRUPT_CODE static void on_interrupt(void *context)
{
    (void)context;
    interrupt_event_raise(&activity);
}

/* ---- the device ---- */

int connections_start_device(struct virtio_device *device)
{
    if (vsock != NULL)
        return -EBUSY;
    const struct vsock_config config = {.connections_max = CONNECTIONS_MAX,
                                        .receive_buffer_size = share_of_pool(INPUT_MAX),
                                        .event = on_event,
                                        .wake = on_interrupt};
    int error = vsock_create(device, &config, &vsock);
    if (error != 0) {
        vsock = NULL;
        log_write(LOG_ERROR, "service", "the vsock device does not start: error %d", -error);
        return 0; /* vsock_create has taken the device, and destroyed it */
    }
    error = vsock_listen(vsock, MCP_PORT);
    if (error != 0)
        log_write(LOG_ERROR, "service", "cannot listen on port %u: error %d", MCP_PORT, -error);
    return 0;
}

void connections_start(struct mcp_server *server)
{
    mcp = server;
    output_high = share_of_pool(OUTPUT_HIGH_MAX);
    if (vsock == NULL)
        log_write(LOG_WARNING, "service", "no vsock device: nobody can reach this machine");
    else
        log_write(LOG_INFO, "service", "listening on vsock %llu:%u",
                  (unsigned long long)vsock_guest_cid(vsock), MCP_PORT);
}

/* A device that broke is reset and started again; its connections are lost, and their clients see that. */
static void restart_device(void)
{
    log_write(LOG_ERROR, "service", "the vsock device is broken: starting it again");
    while (connections != NULL) {
        connections->dead = true;
        close_connection(connections);
    }
    vsock_destroy(vsock);
    vsock = NULL;
    statistics.device_resets++;
    task_sleep_until(timer_now_us() + RESTART_DELAY_US);
    devices_start(VIRTIO_ID_VSOCK);
    connections_start(mcp);
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

/* Also those that we closed and whose end the peer has not confirmed yet. */
static bool vsock_has_connections(void)
{
    struct vsock_statistics vsock_statistics = {0};
    if (vsock != NULL)
        vsock_get_statistics(vsock, &vsock_statistics);
    return vsock_statistics.connections > 0;
}

_Noreturn void connections_run(void)
{
    for (;;) {
        bool more = false;
        if (vsock != NULL) {
            if (vsock_poll(vsock) != 0) {
                restart_device();
                continue;
            }
            more = serve_connections();
        }
        if (more) {
            task_yield();
            continue;
        }
        uint64_t deadline = vsock_has_connections() ? timer_now_us() + HOUSEKEEPING_US : TASK_FOREVER;
        (void)interrupt_event_wait(&activity, deadline);
    }
}

void connections_get_statistics(struct connections_statistics *result)
{
    *result = statistics;
    result->guest_cid = vsock != NULL ? vsock_guest_cid(vsock) : 0;
}
