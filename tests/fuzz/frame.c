/* SPDX-License-Identifier: MIT
 *
 * The message reader of mcp_transport: the input is a script that makes a byte stream, which is fed twice, in
 * different pieces: what comes out may not depend on how the stream is cut. A third time, memory fails.
 */
#include <mcp/transport.h>

#include "fuzz.h"

#define STREAM_MAX (MCP_DRAIN_MAX + 2 * MCP_MESSAGE_MAX)
/* The buffer doubles up to the longest line, or the longest tag and message. */
#define HELD_MAX (2 * (size_t)MCP_MESSAGE_MAX + MCP_TAG_MAX)

static uint8_t *stream;
static size_t stream_size;

static size_t held, held_most;
static unsigned requests, fail_at; /* the n-th request for memory fails, and all behind it */

static void *resize(void *context, void *memory, size_t old_size, size_t new_size)
{
    (void)context;
    assert_true((memory == NULL) == (old_size == 0));
    if (new_size == 0) {
        free(memory);
        held -= old_size;
        return NULL;
    }
    if (fail_at != 0 && ++requests >= fail_at)
        return NULL;
    uint8_t *grown = malloc(new_size);
    assert_non_null(grown);
    if (old_size > 0)
        memcpy(grown, memory, old_size < new_size ? old_size : new_size);
    free(memory);
    held += new_size - old_size;
    if (held > held_most)
        held_most = held;
    return grown;
}

static void put(const void *bytes, size_t size)
{
    if (size > STREAM_MAX - stream_size)
        size = STREAM_MAX - stream_size;
    memcpy(stream + stream_size, bytes, size);
    stream_size += size;
}

static void put_repeated(uint8_t byte, size_t count)
{
    if (count > STREAM_MAX - stream_size)
        count = STREAM_MAX - stream_size;
    memset(stream + stream_size, byte, count);
    stream_size += count;
}

/* Sizes at which something changes, and one more or less. */
static uint32_t some_size(struct input *script)
{
    static const uint32_t sizes[] = {
        0, 1, 4, 512, 4096, 65536, MCP_MESSAGE_MAX, MCP_MESSAGE_MAX + 1, MCP_DRAIN_MAX, MCP_DRAIN_MAX + 1};
    uint8_t byte = input_8(script);
    uint32_t size = sizes[byte % 10];

    return byte / 10 % 4 == 0               ? size
           : byte / 10 % 4 == 1             ? size + 1
           : byte / 10 % 4 == 2 && size > 0 ? size - 1
                                            : byte;
}

static void put_header(uint32_t length)
{
    const uint8_t header[] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8),
                              (uint8_t)length};
    put(header, sizeof(header));
}

static void make_stream(struct input *script)
{
    stream_size = 0;
    while (input_left(script) > 0 && stream_size < STREAM_MAX) {
        uint8_t bytes[64];
        uint8_t operation = input_8(script);
        switch (operation % 8) {
        case 0: { /* a message as the library itself sends it */
            size_t size = input_bytes(script, bytes, operation / 8), header_size = 0;
            uint8_t header[MCP_FRAME_HEADER_SIZE];
            const char *trailer = mcp_frame_encode(MCP_FORM_FRAMES, size, header, &header_size);
            put(header, header_size);
            put(bytes, size);
            put(trailer, strlen(trailer));
            break;
        }
        case 1:
            put_header(some_size(script));
            break;
        case 2:
            put_repeated(operation & 8 ? ' ' : '{', some_size(script));
            break;
        case 3:
            put(operation & 8 ? "\r\n" : "\n", operation & 8 ? 2 : 1);
            break;
        case 4:
            put_header(input_32(script));
            break;
        case 5: { /* a tagged frame's header, and its tag */
            size_t tag_length = input_bytes(script, bytes, operation / 8);
            uint8_t header[MCP_FRAME_HEADER_SIZE];
            mcp_frame_encode_tagged(some_size(script), tag_length, header);
            put(header, sizeof header);
            put(bytes, tag_length);
            break;
        }
        default: { /* as they stand */
            size_t size = input_bytes(script, bytes, 1 + operation / 8);
            put(bytes, size);
            break;
        }
        }
    }
}

/* What came out, as a sum: the kind of each event and the bytes of each message. */
struct outcome {
    uint64_t sum;
    size_t events;
};

static void note(struct outcome *outcome, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++)
        outcome->sum = (outcome->sum ^ at[i]) * 1099511628211u;
}

static void note_event(struct outcome *outcome, const struct mcp_reader *reader, enum mcp_reader_event event)
{
    note(outcome, &event, sizeof(event));
    outcome->events++;
    switch (event) {
    case MCP_READER_MESSAGE:
        assert_true(reader->message_length <= MCP_MESSAGE_MAX);
        assert_non_null(reader->message);
        if (reader->form == MCP_FORM_LINES) {
            assert_true(reader->message_length > 0);
            assert_null(memchr(reader->message, '\n', reader->message_length));
        }
        assert_true(reader->tag != NULL && reader->tag_length <= MCP_TAG_MAX);
        assert_true(reader->tag_length == 0 || reader->form == MCP_FORM_TAGGED);
        note(outcome, &reader->tag_length, sizeof(reader->tag_length));
        note(outcome, reader->tag, reader->tag_length);
        note(outcome, &reader->message_length, sizeof(reader->message_length));
        /* All of it would take most of the time. */
        note(outcome, reader->message, reader->message_length < 1024 ? reader->message_length : 1024);
        if (reader->message_length > 0)
            note(outcome, reader->message + reader->message_length - 1, 1);
        break;
    case MCP_READER_TOO_LONG:
        assert_true(reader->announced_length == 0 || reader->announced_length > MCP_MESSAGE_MAX);
        note(outcome, &reader->announced_length, sizeof(reader->announced_length));
        break;
    default:
        break;
    }
}

/* Feeds the whole stream in pieces that a small generator chooses. */
static struct outcome feed(uint32_t pieces)
{
    const struct mcp_transport_memory memory = {.resize = resize};
    struct mcp_reader reader;
    struct outcome outcome = {.sum = 14695981039346656037u};
    bool refused = false;
    size_t at = 0;

    held = held_most = requests = 0;
    mcp_reader_initialise(&reader, &memory);
    while (at < stream_size) {
        static const size_t most[] = {1, 3, 7, 100, 4096, 65536, STREAM_MAX, STREAM_MAX};
        pieces = pieces * 1664525u + 1013904223u;
        size_t size = 1 + (pieces >> 8) % most[stream_size > 65536 ? 4 + (pieces >> 28) % 4 : pieces >> 29];
        size_t consumed = 0;
        if (size > stream_size - at)
            size = stream_size - at;
        if (stream_size < 8192) { /* an exact copy, which is gone when the message is looked at */
            uint8_t *piece = exact_copy(stream + at, size);
            enum mcp_reader_event event = mcp_reader_feed(&reader, piece, size, &consumed);
            memset(piece, 0xee, size);
            free(piece);
            if (event != MCP_READER_MORE)
                note_event(&outcome, &reader, event);
            refused = event == MCP_READER_REFUSED || event == MCP_READER_CLOSE;
            assert_true(event != MCP_READER_MORE || consumed == size);
        } else {
            enum mcp_reader_event event = mcp_reader_feed(&reader, stream + at, size, &consumed);
            if (event != MCP_READER_MORE)
                note_event(&outcome, &reader, event);
            refused = event == MCP_READER_REFUSED || event == MCP_READER_CLOSE;
            assert_true(event != MCP_READER_MORE || consumed == size);
        }
        assert_true(consumed <= size && held <= HELD_MAX);
        at += consumed;
        if (refused)
            break;
        if ((pieces >> 24) % 16 == 0)
            mcp_reader_trim(&reader);
    }
    /* After the end of a stream there is none; otherwise what is left is told. */
    if (refused) {
        size_t consumed = 0;
        assert_int_equal(mcp_reader_feed(&reader, "{", 1, &consumed), MCP_READER_CLOSE);
    } else {
        enum mcp_reader_event event = mcp_reader_end(&reader);
        if (event != MCP_READER_MORE)
            note_event(&outcome, &reader, event);
    }
    mcp_reader_release(&reader);
    assert_int_equal(held, 0);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input script = {data, size, 0};
    uint32_t pieces = input_hash(data, size);

    if (stream == NULL)
        stream = malloc(STREAM_MAX);
    make_stream(&script);
    fail_at = 0;
    struct outcome one = feed(pieces);
    struct outcome other = feed(~pieces);
    assert_true(one.sum == other.sum && one.events == other.events);
    fail_at = 1 + pieces % 8;
    (void)feed(pieces ^ 0x5a5a5a5au);
    return 0;
}
