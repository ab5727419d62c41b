/* SPDX-License-Identifier: MIT
 *
 * A reader that takes shorter messages than the largest: the longer ones are skipped, and cost no memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <mcp/transport.h>

#define LIMIT 1000u

static size_t most; /* that a buffer had */

static void *resize(void *context, void *memory, size_t old_size, size_t new_size)
{
    (void)context;
    (void)old_size;
    most = new_size > most ? new_size : most;
    if (new_size > 0)
        return realloc(memory, new_size);
    free(memory);
    return NULL;
}

/* Feeds a message of `length` bytes in the form, in pieces; returns the first event but MORE. */
static enum mcp_reader_event feed_message(struct mcp_reader *reader, enum mcp_stream_form form, size_t length)
{
    static char bytes[2 * LIMIT + MCP_FRAME_HEADER_SIZE + 1];
    enum mcp_reader_event result = MCP_READER_MORE;
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    size_t header_length;
    const char *trailer = mcp_frame_encode(form, length, header, &header_length);

    memcpy(bytes, header, header_length);
    memset(bytes + header_length, '{', length);
    length += header_length;
    if (trailer[0] != '\0')
        bytes[length++] = trailer[0];
    for (size_t at = 0, consumed; at < length; at += consumed) {
        enum mcp_reader_event event =
            mcp_reader_feed(reader, bytes + at, length - at < 100 ? length - at : 100, &consumed);

        result = result == MCP_READER_MORE ? event : result;
    }
    return result;
}

static void longer_ones_are_skipped(void **state)
{
    static const enum mcp_stream_form forms[] = {MCP_FORM_FRAMES, MCP_FORM_TAGGED, MCP_FORM_LINES};
    const struct mcp_transport_memory memory = {.resize = resize};

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct mcp_reader reader;

        most = 0;
        mcp_reader_initialise(&reader, &memory);
        mcp_reader_limit(&reader, LIMIT);
        assert_int_equal(feed_message(&reader, forms[i], LIMIT), MCP_READER_MESSAGE);
        assert_int_equal(reader.message_length, LIMIT);
        assert_int_equal(feed_message(&reader, forms[i], LIMIT + 1), MCP_READER_TOO_LONG);
        assert_int_equal(feed_message(&reader, forms[i], 2 * LIMIT), MCP_READER_TOO_LONG);
        assert_int_equal(feed_message(&reader, forms[i], 1), MCP_READER_MESSAGE);
        assert_true(most <= LIMIT + 1);
        mcp_reader_release(&reader);
    }
}

/* It cannot be raised. */
static void the_largest_stays_the_largest(void **state)
{
    const struct mcp_transport_memory memory = {.resize = resize};
    const uint8_t header[] = {0, 0x10, 0, 1}; /* MCP_MESSAGE_MAX + 1 */
    struct mcp_reader reader;
    size_t consumed;

    (void)state;
    mcp_reader_initialise(&reader, &memory);
    mcp_reader_limit(&reader, SIZE_MAX);
    assert_int_equal(mcp_reader_feed(&reader, header, sizeof(header), &consumed), MCP_READER_TOO_LONG);
    mcp_reader_release(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longer_ones_are_skipped),
        cmocka_unit_test(the_largest_stays_the_largest),
    };

    return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
