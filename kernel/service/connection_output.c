/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <arch/timer.h>
#include <service/connection.h>
#include <service/connections.h>

static int64_t stream_send(struct connection *connection, const void *bytes, size_t length)
{
    int64_t sent = connection->stream.operations->send(connection->stream.handle, bytes, length);
    if (sent > 0)
        connection->progress_at = timer_now_us();
    return sent;
}

void connection_flush(struct connection *connection)
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
    /* Nothing waits; but does the client still take anything? */
    if (stream_send(connection, "", 0) < 0)
        connection->dead = true;
}

static int keep(struct connection *connection, const void *bytes, size_t length)
{
    int error;
    do
        error = output_queue_add(&connection->output, bytes, length);
    while (error != 0 && connections_drop_output(connection));
    return error;
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
    return sent == length ? 0 : keep(connection, (const uint8_t *)bytes + sent, length - sent);
}

/* ---- notices ---- */

static bool sending_notices;

void connections_notices(bool begin)
{
    sending_notices = begin;
}

/* Nobody asked for a notice at this moment, so no limit of requests bounds them. */
static bool has_room(const struct connection *connection)
{
    if (!connections_output_is_high(connection->output.size))
        return true;
    connections_count_missed();
    return false;
}

/* ---- messages ---- */

/* What goes before the message and its trailer. */
struct envelope {
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    size_t header_length;
    const char *tag, *trailer;
    size_t tag_length, trailer_length;
};

/* A tag that would be too long is left out: the answer itself still says whose it is. */
static void address(const struct connection *connection, size_t length, struct envelope *envelope)
{
    enum mcp_stream_form form = connection->reader.form;
    envelope->trailer = mcp_frame_encode(form, length, envelope->header, &envelope->header_length);
    envelope->trailer_length = strlen(envelope->trailer);
    envelope->tag = mcp_session_sending_for(connection->session, &envelope->tag_length);
    if (form != MCP_FORM_TAGGED || envelope->tag == NULL || envelope->tag_length > MCP_TAG_MAX) {
        envelope->tag = "";
        envelope->tag_length = 0;
    } else {
        mcp_frame_encode_tagged(length, envelope->tag_length, envelope->header);
    }
}

/* Header, tag, message and trailer, in one packet where they fit into one. */
int connection_send_message(void *context, const char *message, size_t length)
{
    static uint8_t packet[4096];
    struct connection *connection = context;
    if (connection->dead)
        return -ECONNRESET;
    if (sending_notices && !has_room(connection))
        return 0;
    struct envelope envelope;
    address(connection, length, &envelope);
    size_t before = envelope.header_length + envelope.tag_length;
    size_t total = before + length + envelope.trailer_length;
    int error;
    if (total <= sizeof packet) {
        memcpy(packet, envelope.header, envelope.header_length);
        memcpy(packet + envelope.header_length, envelope.tag, envelope.tag_length);
        memcpy(packet + before, message, length);
        memcpy(packet + before + length, envelope.trailer, envelope.trailer_length);
        error = send_bytes(connection, packet, total);
        memset(packet, 0, total); /* nothing of one client lies about when the next one's turn comes */
    } else {
        error = send_bytes(connection, envelope.header, envelope.header_length);
        if (error == 0)
            error = send_bytes(connection, envelope.tag, envelope.tag_length);
        if (error == 0)
            error = send_bytes(connection, message, length);
        if (error == 0)
            error = send_bytes(connection, envelope.trailer, envelope.trailer_length);
    }
    /* A message that left in part, or not at all, cannot be taken back: the client must see the connection
     * end rather than miss an answer. */
    if (error != 0)
        connection->dead = true;
    /* The service task looks whether this connection can be closed now. */
    connection->writable = true;
    connections_wake(NULL);
    return error;
}
