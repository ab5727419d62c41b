/* SPDX-License-Identifier: MIT
 *
 * A server at a socket: frames or lines, as mcp_transport cuts them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport.h"

struct stream {
    struct transport base;
    struct connection connection;
    struct mcp_reader reader;
    enum mcp_stream_form form;
    size_t next, end; /* of the input that is not read yet */
    uint8_t input[16384];
};

static const char gone[] = "the server closed the connection. Is the VM ready? Its log says more";

static void *resize(void *context, void *memory, size_t old_size, size_t new_size)
{
    (void)context;
    (void)old_size;
    if (new_size == 0) {
        free(memory);
        return NULL;
    }
    return realloc(memory, new_size);
}

static enum status lost(struct error *error, const char *what)
{
    return error_set(error, STATUS_CONNECTION, "%s", what);
}

static enum status send_failed(int result, struct error *error)
{
    if (result == -EINTR && interrupt_take()) { /* in the midst of a message: nothing more can be said */
        error_set(error, STATUS_INTERRUPTED, "interrupted");
        return STATUS_INTERRUPTED;
    }
    if (result == -ETIMEDOUT)
        return lost(error,
                    "the server takes no more bytes. Is the VM busy or stopped? --timeout waits longer");
    if (result == -EPIPE || result == -ECONNRESET)
        return lost(error, gone);
    return lost(error, strerror(-result));
}

static enum status stream_send(struct transport *transport, const json_t *message, const json_t *headers,
                               int64_t timeout_ms, struct error *error)
{
    struct stream *stream = (struct stream *)transport;
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    size_t size = 0;
    size_t length = 0;
    char *text = NULL;
    (void)headers;
    enum status status = transport_encode(message, MCP_MESSAGE_MAX, &text, &length, error);
    if (status != STATUS_OK)
        return status;
    const char *trailer = mcp_frame_encode(stream->form, length, header, &size);
    char *bytes = malloc(size + length + strlen(trailer));
    int result = -ENOMEM;
    if (bytes) { /* in one piece: the VM is woken once */
        memcpy(bytes, header, size);
        memcpy(bytes + size, text, length);
        size += length;
        while (*trailer)
            bytes[size++] = *trailer++;
        result = connection_send(&stream->connection, bytes, size, timeout_ms);
    }
    free(bytes);
    free(text);
    return result < 0 ? send_failed(result, error) : STATUS_OK;
}

/* The next message of what has been received so far; NULL: none is whole. */
static enum status drain(struct stream *stream, json_t **message, struct error *error)
{
    while (stream->next < stream->end) {
        size_t consumed = 0;
        enum mcp_reader_event event = mcp_reader_feed(&stream->reader, stream->input + stream->next,
                                                      stream->end - stream->next, &consumed);
        stream->next += consumed;
        switch (event) {
        case MCP_READER_MORE:
            break;
        case MCP_READER_MESSAGE:
            return transport_decode(stream->reader.message, stream->reader.message_length, message, error);
        case MCP_READER_TOO_LONG:
        case MCP_READER_CLOSE:
            return error_set(error, STATUS_CONNECTION,
                             "the server sends a message of more than %u bytes. Is this an MCP server?",
                             MCP_MESSAGE_MAX);
        case MCP_READER_NO_MEMORY:
            return lost(error, "out of memory for the server's answer");
        case MCP_READER_REFUSED:
            return lost(error, "what answers there does not speak MCP");
        }
    }
    return STATUS_OK;
}

static enum status stream_receive(struct transport *transport, int64_t wait_ms, json_t **message,
                                  struct error *error)
{
    struct stream *stream = (struct stream *)transport;
    int64_t deadline = clock_ms() + wait_ms;
    *message = NULL;
    for (;;) {
        enum status status = drain(stream, message, error);
        if (status != STATUS_OK || *message)
            return status;
        ssize_t count = connection_receive(&stream->connection, stream->input, sizeof stream->input,
                                           deadline - clock_ms());
        if (count == -ETIMEDOUT)
            return STATUS_OK;
        if (count == -EINTR && interrupt_take())
            return error_set(error, STATUS_INTERRUPTED, "interrupted");
        if (count == 0 && mcp_reader_end(&stream->reader) == MCP_READER_MESSAGE) /* a line without newline */
            return transport_decode(stream->reader.message, stream->reader.message_length, message, error);
        if (count == 0 || count == -ECONNRESET) {
            transport->may_be_older = true;
            return lost(error, gone);
        }
        if (count < 0)
            return lost(error, strerror((int)-count));
        transport->heard = clock_ms();
        stream->next = 0;
        stream->end = (size_t)count;
    }
}

static void stream_close(struct transport *transport)
{
    struct stream *stream = (struct stream *)transport;
    connection_close(&stream->connection);
    mcp_reader_release(&stream->reader);
    free(stream);
}

enum status stream_open(struct transport **transport, const struct transport_options *options,
                        struct error *error)
{
    static const struct transport_operations operations = {
        .send = stream_send, .receive = stream_receive, .close = stream_close};
    struct mcp_transport_memory memory = {.resize = resize};
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return lost(error, "out of memory");
    enum status status = connection_open(&stream->connection, options->endpoint, options->timeout_ms, error);
    if (status != STATUS_OK) {
        free(stream);
        return status;
    }
    mcp_reader_initialise(&stream->reader, &memory);
    stream->base.operations = &operations;
    stream->form = options->form;
    *transport = &stream->base;
    return STATUS_OK;
}
