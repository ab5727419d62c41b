/* SPDX-License-Identifier: MIT
 *
 * mcp_transport: messages over a byte stream. Knows nothing of JSON beyond the first byte of a connection.
 *
 * The first byte of a connection decides its form: 0x00 (the high byte of a big-endian u32 length of at most
 * 16 MiB) means frames, each a u32 big-endian length and that many bytes; 0x01 means tagged frames, each that
 * byte, a u24 big-endian length of the message, a u16 big-endian length of the tag, the tag and the message;
 * '{', '[' or white space means newline-delimited JSON, as MCP's stdio transport has it; anything else (a
 * browser's POST, say) is refused.
 *
 * The tag says which of the client's requests a message of the server belongs to: its id as JSON text, empty
 * for none (mcp_session_sending_for of mcp_core). That of a client's message is empty.
 *
 * Freestanding: needs mem* functions. Not thread-safe: one reader per connection, one task per
 * reader.
 */
#ifndef MCP_TRANSPORT_H
#define MCP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MCP_PORT        5000u
#define MCP_MESSAGE_MAX 0x100000u  /* 1 MiB: bytes of JSON in one message, both ways */
#define MCP_DRAIN_MAX   0x1000000u /* 16 MiB: a longer message up to this is skipped, the connection lives */

#define MCP_TAG_MAX 0xFFFFu /* bytes: a message for a longer id goes without a tag */

#define MCP_FRAME_HEADER_SIZE 6u /* at most: of tagged frames */

enum mcp_stream_form { MCP_FORM_UNDECIDED, MCP_FORM_FRAMES, MCP_FORM_LINES, MCP_FORM_TAGGED };

enum mcp_reader_event {
    MCP_READER_MORE,      /* all bytes were consumed, no message is complete yet */
    MCP_READER_MESSAGE,   /* reader->message and reader->message_length hold one, until the next call */
    MCP_READER_TOO_LONG,  /* a message of reader->announced_length bytes (0: a line, length unknown) is being
                             skipped: answer with an error and go on feeding */
    MCP_READER_NO_MEMORY, /* the buffer could not grow: the message is being skipped: answer with an error and
                             go on feeding */
    MCP_READER_REFUSED,   /* the first byte is neither form: answer with one error line and close */
    MCP_READER_CLOSE, /* a frame whose announced_length is beyond MCP_DRAIN_MAX (answer with an error first),
                         a line that went on beyond it (TOO_LONG came before), a frame that the end of the
                         stream cut, or among tagged frames one of another kind: close */
};

/* Where buffers come from. `resize` behaves like realloc with the old size given (memory NULL: allocate,
 * new_size 0: free and return NULL); NULL means that the budget is exhausted, and the old block stays valid.
 */
struct mcp_transport_memory {
    void *context;
    void *(*resize)(void *context, void *memory, size_t old_size, size_t new_size);
};

/* Fields are read-only for the caller. */
struct mcp_reader {
    enum mcp_stream_form form;
    const char *message;
    size_t message_length;
    const char *tag; /* of the message; of other forms than tagged frames it is empty */
    size_t tag_length;
    uint64_t announced_length;
    /* private */
    struct mcp_transport_memory memory;
    uint8_t *buffer;
    size_t buffer_size, used;
    uint64_t skip;
    size_t announced_tag;
    size_t message_max;
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    size_t header_used;
    int state;
};

void mcp_reader_initialise(struct mcp_reader *reader, const struct mcp_transport_memory *memory);
/* Takes no longer messages than this, in bytes; at first, and at most, MCP_MESSAGE_MAX. Before the first byte
 * of a message. */
void mcp_reader_limit(struct mcp_reader *reader, size_t message_max);
void mcp_reader_release(struct mcp_reader *reader);

/* Takes bytes of the stream until something is to be told: sets *consumed (<= length) and returns the event.
 * Call it again with the rest. */
enum mcp_reader_event mcp_reader_feed(struct mcp_reader *reader, const void *bytes, size_t length,
                                      size_t *consumed);

/* The end of the stream: a last line without its newline is still a message (MCP_READER_MESSAGE); a cut frame
 * is not (MCP_READER_CLOSE); MCP_READER_MORE when nothing is pending. */
enum mcp_reader_event mcp_reader_end(struct mcp_reader *reader);

/* Whether a message has begun and not ended: its client may not just be silent then, but stuck. */
bool mcp_reader_in_message(const struct mcp_reader *reader);

/* Gives memory back that the last, large message needed. Call it when the connection is idle. */
void mcp_reader_trim(struct mcp_reader *reader);

/* What goes before and after a message of `length` bytes in the given form: fills header (*header_length is
 * 0, 4 or 6) and returns the trailer ("\n" or ""). UNDECIDED counts as lines. Of a tagged frame it is the
 * header without a tag. */
const char *mcp_frame_encode(enum mcp_stream_form form, size_t length, uint8_t header[MCP_FRAME_HEADER_SIZE],
                             size_t *header_length);

/* What goes before the tag of `tag_length` (<= MCP_TAG_MAX) and the message of `length` (< 16 MiB) bytes. */
void mcp_frame_encode_tagged(size_t length, size_t tag_length, uint8_t header[MCP_FRAME_HEADER_SIZE]);

#endif
