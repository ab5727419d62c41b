/* SPDX-License-Identifier: MIT
 *
 * Messages out of a byte stream. The bytes may lie in memory that the other side can still write, so a
 * message is copied once, and only the copy is looked at.
 */
#include "mcp/transport.h"

#include <string.h>

/* What the next byte is. */
enum {
    AT_START,       /* the first of the connection */
    IN_HEADER,      /* of a frame */
    IN_BODY,        /* of a frame's tag and message */
    SKIPPING_FRAME, /* of a frame that is dropped: reader->skip bytes are left of it */
    IN_LINE,
    SKIPPING_LINE, /* of a line that is dropped: reader->skip bytes of it have passed */
    CLOSED
};

/* Small messages come most often; the first allocation holds one. A buffer up to READER_KEEP outlives trim.
 */
#define READER_FIRST 512u
#define READER_KEEP  4096u

#define FRAME_HEADER_SIZE  4u
#define TAGGED_HEADER_SIZE 6u
#define TAGGED             0x01u /* the first byte of every tagged frame */

void mcp_reader_initialise(struct mcp_reader *reader, const struct mcp_transport_memory *memory)
{
    *reader = (struct mcp_reader){.form = MCP_FORM_UNDECIDED, .state = AT_START};
    reader->memory = *memory;
    reader->message_max = MCP_MESSAGE_MAX;
}

void mcp_reader_limit(struct mcp_reader *reader, size_t message_max)
{
    reader->message_max = message_max < MCP_MESSAGE_MAX ? message_max : MCP_MESSAGE_MAX;
}

static void forget_message(struct mcp_reader *reader)
{
    reader->message = NULL;
    reader->message_length = 0;
    reader->tag = NULL;
    reader->tag_length = 0;
}

void mcp_reader_release(struct mcp_reader *reader)
{
    if (reader->buffer != NULL)
        reader->memory.resize(reader->memory.context, reader->buffer, reader->buffer_size, 0);
    reader->buffer = NULL;
    reader->buffer_size = 0;
    reader->used = 0;
    forget_message(reader);
}

void mcp_reader_trim(struct mcp_reader *reader)
{
    if (reader->message == NULL && reader->used > 0)
        return; /* half a message is in it */
    if (reader->buffer_size > READER_KEEP)
        mcp_reader_release(reader);
}

bool mcp_reader_in_message(const struct mcp_reader *reader)
{
    switch (reader->state) {
    case IN_HEADER:
        return reader->header_used > 0;
    case IN_LINE:
        return reader->message == NULL && reader->used > 0;
    case IN_BODY:
    case SKIPPING_FRAME:
    case SKIPPING_LINE:
        return true;
    default:
        return false;
    }
}

static bool resize(struct mcp_reader *reader, size_t size)
{
    uint8_t *grown = reader->memory.resize(reader->memory.context, reader->buffer, reader->buffer_size, size);

    if (grown == NULL)
        return false;
    reader->buffer = grown;
    reader->buffer_size = size;
    return true;
}

/* Appends to the buffer, which grows with the bytes that have come, never with what a header announced: a
 * client that announces much and sends little costs little. `most` is what the message can reach. */
static bool append(struct mcp_reader *reader, const uint8_t *bytes, size_t length, size_t most)
{
    size_t needed = reader->used + length;

    if (needed > reader->buffer_size) {
        size_t size = reader->buffer_size * 2;

        if (size < READER_FIRST)
            size = READER_FIRST;
        if (size > most)
            size = most;
        if (size < needed)
            size = needed;
        if (!resize(reader, size) && (size == needed || !resize(reader, needed)))
            return false;
    }
    if (length > 0)
        memcpy(reader->buffer + reader->used, bytes, length);
    reader->used = needed;
    return true;
}

/* The tag and the message are the first bytes of the buffer. */
static enum mcp_reader_event give(struct mcp_reader *reader, size_t tag_length, size_t length)
{
    reader->tag = tag_length > 0 ? (const char *)reader->buffer : "";
    reader->tag_length = tag_length;
    reader->message = length > 0 ? (const char *)reader->buffer + tag_length : "";
    reader->message_length = length;
    return MCP_READER_MESSAGE;
}

static enum mcp_reader_event close_stream(struct mcp_reader *reader)
{
    mcp_reader_release(reader);
    reader->state = CLOSED;
    return MCP_READER_CLOSE;
}

static uint32_t big_endian(const uint8_t bytes[4])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* What the header says: false for one that has no place in this form. */
static bool read_header(struct mcp_reader *reader)
{
    const uint8_t *header = reader->header;

    reader->announced_length = big_endian(header);
    reader->announced_tag = 0;
    if (reader->form != MCP_FORM_TAGGED)
        return reader->announced_length <= MCP_DRAIN_MAX;
    if (header[0] != TAGGED) {
        reader->announced_length = 0;
        return false;
    }
    reader->announced_length &= 0xFFFFFFu;
    reader->announced_tag = (size_t)header[4] << 8 | header[5];
    return true;
}

static enum mcp_reader_event feed_header(struct mcp_reader *reader, const uint8_t *bytes, size_t length,
                                         size_t *taken)
{
    size_t size = reader->form == MCP_FORM_TAGGED ? TAGGED_HEADER_SIZE : FRAME_HEADER_SIZE;
    size_t wanted = size - reader->header_used;

    *taken = length < wanted ? length : wanted;
    memcpy(reader->header + reader->header_used, bytes, *taken);
    reader->header_used += *taken;
    if (reader->header_used < size)
        return MCP_READER_MORE;

    reader->header_used = 0;
    if (!read_header(reader))
        return close_stream(reader);
    if (reader->announced_length > reader->message_max) {
        reader->skip = reader->announced_length + reader->announced_tag;
        reader->state = SKIPPING_FRAME;
        return MCP_READER_TOO_LONG;
    }
    if (reader->announced_length + reader->announced_tag == 0)
        return give(reader, 0, 0);
    reader->state = IN_BODY;
    return MCP_READER_MORE;
}

static enum mcp_reader_event feed_body(struct mcp_reader *reader, const uint8_t *bytes, size_t length,
                                       size_t *taken)
{
    size_t announced = (size_t)reader->announced_length + reader->announced_tag;
    size_t wanted = announced - reader->used;

    *taken = length < wanted ? length : wanted;
    if (!append(reader, bytes, *taken, announced)) {
        reader->skip = wanted;
        reader->state = SKIPPING_FRAME;
        *taken = 0;
        mcp_reader_release(reader);
        return MCP_READER_NO_MEMORY;
    }
    if (reader->used < announced)
        return MCP_READER_MORE;
    reader->state = IN_HEADER;
    return give(reader, reader->announced_tag, (size_t)reader->announced_length);
}

static void skip_frame(struct mcp_reader *reader, size_t length, size_t *taken)
{
    *taken = reader->skip < length ? (size_t)reader->skip : length;
    reader->skip -= *taken;
    if (reader->skip == 0)
        reader->state = IN_HEADER;
}

/* The length of the line in the buffer without its "\r"; 0 for a blank one. */
static size_t line_length(const struct mcp_reader *reader)
{
    size_t length = reader->used;
    size_t blanks = 0;

    if (length > 0 && reader->buffer[length - 1] == '\r')
        length--;
    while (blanks < length && (reader->buffer[blanks] == ' ' || reader->buffer[blanks] == '\t' ||
                               reader->buffer[blanks] == '\r'))
        blanks++;
    return blanks == length ? 0 : length;
}

static enum mcp_reader_event skip_line_from_here(struct mcp_reader *reader, enum mcp_reader_event event)
{
    reader->skip = reader->used;
    reader->state = SKIPPING_LINE;
    reader->announced_length = 0;
    mcp_reader_release(reader);
    return event;
}

static enum mcp_reader_event feed_line(struct mcp_reader *reader, const uint8_t *bytes, size_t length,
                                       size_t *taken)
{
    const uint8_t *newline = memchr(bytes, '\n', length);
    size_t part = newline != NULL ? (size_t)(newline - bytes) : length;
    /* It may end in "\r\n": the "\r" is not part of the message, but passes through the buffer. */
    size_t most = reader->message_max + 1;

    *taken = 0;
    if (part > most - reader->used)
        return skip_line_from_here(reader, MCP_READER_TOO_LONG);
    if (!append(reader, bytes, part, most))
        return skip_line_from_here(reader, MCP_READER_NO_MEMORY);
    *taken = part;
    if (newline == NULL)
        return MCP_READER_MORE;

    size_t line = line_length(reader);

    if (line > reader->message_max) /* the newline is still to come, and ends the skipping */
        return skip_line_from_here(reader, MCP_READER_TOO_LONG);
    *taken = part + 1;
    if (line > 0)
        return give(reader, 0, line);
    reader->used = 0;
    return MCP_READER_MORE;
}

static enum mcp_reader_event skip_line(struct mcp_reader *reader, const uint8_t *bytes, size_t length,
                                       size_t *taken)
{
    const uint8_t *newline = memchr(bytes, '\n', length);
    size_t part = newline != NULL ? (size_t)(newline - bytes) : length;

    reader->skip += part;
    *taken = newline != NULL ? part + 1 : part;
    if (reader->skip > MCP_DRAIN_MAX)
        return close_stream(reader);
    if (newline != NULL)
        reader->state = IN_LINE;
    return MCP_READER_MORE;
}

static enum mcp_reader_event decide(struct mcp_reader *reader, uint8_t first)
{
    switch (first) {
    case 0x00:
        reader->form = MCP_FORM_FRAMES;
        reader->state = IN_HEADER;
        return MCP_READER_MORE;
    case TAGGED:
        reader->form = MCP_FORM_TAGGED;
        reader->state = IN_HEADER;
        return MCP_READER_MORE;
    case '{':
    case '[':
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        reader->form = MCP_FORM_LINES;
        reader->state = IN_LINE;
        return MCP_READER_MORE;
    default:
        reader->state = CLOSED;
        return MCP_READER_REFUSED;
    }
}

enum mcp_reader_event mcp_reader_feed(struct mcp_reader *reader, const void *bytes, size_t length,
                                      size_t *consumed)
{
    const uint8_t *at = bytes;
    enum mcp_reader_event event = MCP_READER_MORE;

    if (reader->message != NULL) {
        forget_message(reader);
        reader->used = 0;
    }
    *consumed = 0;
    while (event == MCP_READER_MORE && *consumed < length) {
        size_t left = length - *consumed;
        size_t taken = 0;

        switch (reader->state) {
        case AT_START:
            event = decide(reader, *at);
            break;
        case IN_HEADER:
            event = feed_header(reader, at, left, &taken);
            break;
        case IN_BODY:
            event = feed_body(reader, at, left, &taken);
            break;
        case SKIPPING_FRAME:
            skip_frame(reader, left, &taken);
            break;
        case IN_LINE:
            event = feed_line(reader, at, left, &taken);
            break;
        case SKIPPING_LINE:
            event = skip_line(reader, at, left, &taken);
            break;
        default:
            taken = left;
            event = MCP_READER_CLOSE;
            break;
        }
        at += taken;
        *consumed += taken;
    }
    return event;
}

enum mcp_reader_event mcp_reader_end(struct mcp_reader *reader)
{
    bool given = reader->message != NULL;
    int state = reader->state;
    size_t line;

    forget_message(reader);
    reader->state = CLOSED;
    switch (state) {
    case IN_HEADER:
        return reader->header_used > 0 ? MCP_READER_CLOSE : MCP_READER_MORE;
    case IN_BODY:
    case SKIPPING_FRAME:
        return MCP_READER_CLOSE;
    case IN_LINE:
        line = given ? 0 : line_length(reader);
        if (line > reader->message_max)
            return MCP_READER_TOO_LONG;
        return line > 0 ? give(reader, 0, line) : MCP_READER_MORE;
    default:
        return MCP_READER_MORE;
    }
}

const char *mcp_frame_encode(enum mcp_stream_form form, size_t length, uint8_t header[MCP_FRAME_HEADER_SIZE],
                             size_t *header_length)
{
    if (form == MCP_FORM_TAGGED) {
        mcp_frame_encode_tagged(length, 0, header);
        *header_length = TAGGED_HEADER_SIZE;
        return "";
    }
    if (form != MCP_FORM_FRAMES) {
        *header_length = 0;
        return "\n";
    }
    header[0] = (uint8_t)(length >> 24);
    header[1] = (uint8_t)(length >> 16);
    header[2] = (uint8_t)(length >> 8);
    header[3] = (uint8_t)length;
    *header_length = FRAME_HEADER_SIZE;
    return "";
}

void mcp_frame_encode_tagged(size_t length, size_t tag_length, uint8_t header[MCP_FRAME_HEADER_SIZE])
{
    header[0] = TAGGED;
    header[1] = (uint8_t)(length >> 16);
    header[2] = (uint8_t)(length >> 8);
    header[3] = (uint8_t)length;
    header[4] = (uint8_t)(tag_length >> 8);
    header[5] = (uint8_t)tag_length;
}
