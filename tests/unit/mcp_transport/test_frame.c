/* SPDX-License-Identifier: MIT
 *
 * The frame reader: both forms, however the bytes are cut, with and without memory.
 */
#include <mcp/transport.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct pool {
    size_t held, most; /* bytes: at the moment, at the highest */
    size_t limit;      /* of held */
    size_t calls;      /* that asked for memory */
};

static void *resize(void *context, void *memory, size_t old_size, size_t new_size)
{
    struct pool *pool = context;
    void *resized;

    assert_true((memory == NULL) == (old_size == 0));
    assert_true(pool->held >= old_size);
    if (new_size == 0) {
        free(memory);
        pool->held -= old_size;
        return NULL;
    }
    pool->calls++;
    if (pool->held - old_size + new_size > pool->limit)
        return NULL;
    resized = realloc(memory, new_size);
    assert_non_null(resized);
    pool->held = pool->held - old_size + new_size;
    if (pool->held > pool->most)
        pool->most = pool->held;
    return resized;
}

struct fixture {
    struct pool pool;
    struct mcp_reader reader;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct mcp_transport_memory memory = {.context = &fixture.pool, .resize = resize};

    fixture = (struct fixture){.pool = {.limit = SIZE_MAX}};
    mcp_reader_initialise(&fixture.reader, &memory);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    mcp_reader_release(&fixture->reader);
    assert_int_equal(fixture->pool.held, 0);
    return 0;
}

/* Feeds all of it; every event but the last must be MORE, and the last must have taken the last byte. */
static enum mcp_reader_event feed(struct mcp_reader *reader, const void *bytes, size_t length)
{
    size_t consumed;
    enum mcp_reader_event event = mcp_reader_feed(reader, bytes, length, &consumed);

    assert_int_equal(consumed, length);
    return event;
}

static enum mcp_reader_event feed_text(struct mcp_reader *reader, const char *text)
{
    return feed(reader, text, strlen(text));
}

static enum mcp_reader_event feed_header(struct mcp_reader *reader, uint32_t length)
{
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    size_t header_length;

    assert_string_equal(mcp_frame_encode(MCP_FORM_FRAMES, length, header, &header_length), "");
    assert_int_equal(header_length, 4);
    return feed(reader, header, 4);
}

/* Feeds `length` bytes of 'x' in pieces; MORE until the last piece, whose event it returns. */
static enum mcp_reader_event feed_fill(struct mcp_reader *reader, size_t length)
{
    static char piece[4096];
    enum mcp_reader_event event = MCP_READER_MORE;

    memset(piece, 'x', sizeof(piece));
    while (length > 0) {
        size_t part = length < sizeof(piece) ? length : sizeof(piece);

        assert_int_equal(event, MCP_READER_MORE);
        event = feed(reader, piece, part);
        length -= part;
    }
    return event;
}

static void assert_message(const struct mcp_reader *reader, const char *text)
{
    assert_int_equal(reader->message_length, strlen(text));
    assert_memory_equal(reader->message, text, strlen(text));
}

static void frames_one_after_the_other(void **state)
{
    struct mcp_reader *reader = &((struct fixture *)*state)->reader;
    static const char stream[] = "\0\0\0\2{}\0\0\0\0\0\0\0\1[";
    size_t consumed;

    assert_int_equal(mcp_reader_feed(reader, stream, sizeof(stream) - 1, &consumed), MCP_READER_MESSAGE);
    assert_int_equal(reader->form, MCP_FORM_FRAMES);
    assert_int_equal(consumed, 6);
    assert_message(reader, "{}");
    assert_int_equal(mcp_reader_feed(reader, stream + 6, sizeof(stream) - 7, &consumed), MCP_READER_MESSAGE);
    assert_int_equal(consumed, 4);
    assert_message(reader, ""); /* an empty frame is a message; whoever parses it says what is wrong */
    assert_int_equal(mcp_reader_feed(reader, stream + 10, sizeof(stream) - 11, &consumed),
                     MCP_READER_MESSAGE);
    assert_message(reader, "[");
    assert_int_equal(mcp_reader_end(reader), MCP_READER_MORE);
}

static void tagged_frames_one_after_the_other(void **state)
{
    struct mcp_reader *reader = &((struct fixture *)*state)->reader;
    static const struct {
        const char *bytes;
        size_t length;
        const char *tag, *message;
    } frames[] = {{"\1\0\0\2\0\0{}", 8, "", "{}"},
                  {"\1\0\0\2\0\3\"a\"[]", 11, "\"a\"", "[]"},
                  {"\1\0\0\0\0\1"
                   "7",
                   7, "7", ""},
                  {"\1\0\0\0\0\0", 6, "", ""}};

    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        assert_int_equal(feed(reader, frames[i].bytes, frames[i].length), MCP_READER_MESSAGE);
        assert_int_equal(reader->form, MCP_FORM_TAGGED);
        assert_message(reader, frames[i].message);
        assert_int_equal(reader->tag_length, strlen(frames[i].tag));
        assert_memory_equal(reader->tag, frames[i].tag, reader->tag_length);
    }
    /* Too long: the tag is skipped with the message. */
    assert_int_equal(feed(reader, "\1\xff\xff\xff\xff\xff", 6), MCP_READER_TOO_LONG);
    assert_int_equal(reader->announced_length, 0xFFFFFF);
    assert_int_equal(feed_fill(reader, 0xFFFFFF + 0xFFFF), MCP_READER_MORE);
    assert_int_equal(feed(reader, "\1\0\0\1\0\1ab", 8), MCP_READER_MESSAGE);
    assert_message(reader, "b");
    /* The largest, and then a frame of another kind. */
    assert_int_equal(feed(reader, "\1\x10\0\0\xff\xff", 6), MCP_READER_MORE);
    assert_int_equal(feed_fill(reader, MCP_MESSAGE_MAX + MCP_TAG_MAX), MCP_READER_MESSAGE);
    assert_int_equal(reader->message_length, MCP_MESSAGE_MAX);
    assert_int_equal(reader->tag_length, MCP_TAG_MAX);
    assert_int_equal(feed(reader, "\0\0\0\2{}", 6), MCP_READER_CLOSE);
    assert_int_equal(reader->announced_length, 0);
    assert_null(reader->tag);
}

static void lines_one_after_the_other(void **state)
{
    struct mcp_reader *reader = &((struct fixture *)*state)->reader;

    assert_int_equal(feed_text(reader, "\n"), MCP_READER_MORE);
    assert_int_equal(reader->form, MCP_FORM_LINES);
    assert_int_equal(feed_text(reader, "\r\n \t\r\n  \n"), MCP_READER_MORE); /* blank */
    assert_int_equal(feed_text(reader, "{\"a\":1}\n"), MCP_READER_MESSAGE);
    assert_message(reader, "{\"a\":1}");
    assert_int_equal(feed_text(reader, "[1]\r"), MCP_READER_MORE);
    assert_int_equal(feed_text(reader, "\n"), MCP_READER_MESSAGE);
    assert_message(reader, "[1]");
    assert_int_equal(feed_text(reader, "{}"), MCP_READER_MORE);
    assert_int_equal(mcp_reader_end(reader), MCP_READER_MESSAGE);
    assert_message(reader, "{}");
    assert_int_equal(mcp_reader_end(reader), MCP_READER_MORE);
}

static void the_end_of_the_stream(void **state)
{
    struct fixture *fixture = *state;
    struct mcp_reader *reader = &fixture->reader;
    static const struct {
        const char *bytes;
        size_t length;
        enum mcp_reader_event event;
    } cases[] = {
        {"", 0, MCP_READER_MORE},
        {"\0", 1, MCP_READER_CLOSE},
        {"\0\0\0\2", 4, MCP_READER_CLOSE},
        {"\0\0\0\2{", 5, MCP_READER_CLOSE},
        {"\0\0\0\0", 4, MCP_READER_MORE},
        {"\0\0\0\2{}", 6, MCP_READER_MORE},
        {"\0\x20\0\0x", 5, MCP_READER_CLOSE},
        {"\1\0\0\0\0", 5, MCP_READER_CLOSE},
        {"\1\0\0\0\0\1", 6, MCP_READER_CLOSE},
        {"\1\0\0\0\0\1x", 7, MCP_READER_MORE},
        {" ", 1, MCP_READER_MORE},
        {"{", 1, MCP_READER_MESSAGE},
        {"{}\n", 3, MCP_READER_MORE},
        {"POST", 4, MCP_READER_MORE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t at = 0;

        while (at < cases[i].length) {
            size_t consumed;

            (void)mcp_reader_feed(reader, cases[i].bytes + at, cases[i].length - at, &consumed);
            at += consumed;
        }
        assert_int_equal(mcp_reader_end(reader), cases[i].event);
        tear_down(state);
        set_up(state);
    }
}

static void other_first_bytes_are_refused(void **state)
{
    struct fixture *fixture = *state;
    size_t refused = 0;

    for (unsigned first = 0; first < 256; first++) {
        uint8_t byte = (uint8_t)first;
        size_t consumed;
        enum mcp_reader_event event = mcp_reader_feed(&fixture->reader, &byte, 1, &consumed);

        if (event == MCP_READER_REFUSED) {
            refused++;
            assert_int_equal(fixture->reader.form, MCP_FORM_UNDECIDED);
            assert_int_equal(feed_text(&fixture->reader, "{}\n"), MCP_READER_CLOSE);
        } else {
            assert_true(first <= 1 || strchr("{[ \t\r\n", (int)first) != NULL);
            assert_int_equal(event, MCP_READER_MORE);
        }
        tear_down(state);
        set_up(state);
    }
    assert_int_equal(refused, 256 - 8);
}

static void a_frame_of_the_largest_size(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(feed_header(&fixture->reader, MCP_MESSAGE_MAX), MCP_READER_MORE);
    assert_int_equal(feed_fill(&fixture->reader, MCP_MESSAGE_MAX), MCP_READER_MESSAGE);
    assert_int_equal(fixture->reader.message_length, MCP_MESSAGE_MAX);
    assert_int_equal(fixture->pool.most, MCP_MESSAGE_MAX);
}

static void memory_follows_the_bytes_not_the_announcement(void **state)
{
    struct fixture *fixture = *state;
    size_t sent = 0;

    assert_int_equal(feed_header(&fixture->reader, MCP_MESSAGE_MAX), MCP_READER_MORE);
    assert_int_equal(fixture->pool.most, 0);
    while (sent < 100000) {
        assert_int_equal(feed_fill(&fixture->reader, 100), MCP_READER_MORE);
        sent += 100;
        assert_true(fixture->pool.most <= (sent * 2 > 512 ? sent * 2 : 512));
    }
    assert_true(fixture->pool.calls < 20); /* geometric */
}

static void a_frame_too_long_is_skipped(void **state)
{
    struct mcp_reader *reader = &((struct fixture *)*state)->reader;

    static const uint32_t lengths[] = {MCP_MESSAGE_MAX + 1, MCP_DRAIN_MAX - 1, MCP_DRAIN_MAX};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_int_equal(feed_header(reader, lengths[i]), MCP_READER_TOO_LONG);
        assert_int_equal(reader->announced_length, lengths[i]);
        assert_int_equal(feed_fill(reader, lengths[i]), MCP_READER_MORE);
        assert_int_equal(feed(reader, "\0\0\0\2{}", 6), MCP_READER_MESSAGE);
        assert_message(reader, "{}");
    }
    assert_int_equal(feed_header(reader, MCP_DRAIN_MAX + 1), MCP_READER_CLOSE);
    assert_int_equal(reader->announced_length, MCP_DRAIN_MAX + 1);
    assert_int_equal(feed(reader, "\0\0\0\2{}", 6), MCP_READER_CLOSE);
}

static void a_line_of_the_largest_size(void **state)
{
    struct mcp_reader *reader = &((struct fixture *)*state)->reader;
    static const char *const ends[] = {"\n", "\r\n"};

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(feed_text(reader, "{"), MCP_READER_MORE);
        assert_int_equal(feed_fill(reader, MCP_MESSAGE_MAX - 1), MCP_READER_MORE);
        assert_int_equal(feed_text(reader, ends[i]), MCP_READER_MESSAGE);
        assert_int_equal(reader->message_length, MCP_MESSAGE_MAX);
    }
}

/* Every place around the limit where the line's end can come. */
static void a_line_too_long_is_skipped(void **state)
{
    struct mcp_reader *reader = &((struct fixture *)*state)->reader;

    for (size_t over = 1; over < 4; over++) {
        enum mcp_reader_event event;
        size_t consumed;

        assert_int_equal(feed_text(reader, "{"), MCP_READER_MORE);
        assert_int_equal(feed_fill(reader, MCP_MESSAGE_MAX - 1), MCP_READER_MORE);
        event = mcp_reader_feed(reader, "yyy\n", over, &consumed);
        if (over == 1) { /* it may still be a "\r" */
            assert_int_equal(event, MCP_READER_MORE);
            event = mcp_reader_feed(reader, "\n", 1, &consumed);
        }
        assert_int_equal(event, MCP_READER_TOO_LONG);
        assert_int_equal(reader->announced_length, 0);
        assert_int_equal(consumed, 0);
        assert_int_equal(feed_text(reader, "zz\n"), MCP_READER_MORE);
        assert_int_equal(feed_text(reader, "[]\n"), MCP_READER_MESSAGE);
        assert_message(reader, "[]");
    }
    assert_int_equal(feed_text(reader, "{"), MCP_READER_MORE);
    assert_int_equal(feed_fill(reader, MCP_MESSAGE_MAX), MCP_READER_MORE);
    assert_int_equal(mcp_reader_end(reader), MCP_READER_TOO_LONG);
}

static void an_endless_line_closes(void **state)
{
    struct mcp_reader *reader = &((struct fixture *)*state)->reader;
    char piece[4096];
    size_t passed = 0, too_long = 0;
    enum mcp_reader_event event = feed_text(reader, " ");

    memset(piece, ' ', sizeof(piece));
    while (event != MCP_READER_CLOSE) {
        size_t consumed;

        event = mcp_reader_feed(reader, piece, sizeof(piece), &consumed);
        passed += consumed;
        too_long += event == MCP_READER_TOO_LONG ? 1 : 0;
        assert_true(passed <= MCP_DRAIN_MAX + sizeof(piece));
    }
    assert_int_equal(too_long, 1);
    assert_true(passed > MCP_DRAIN_MAX - sizeof(piece));
}

static void without_memory_a_message_is_skipped(void **state)
{
    struct fixture *fixture = *state;
    struct mcp_reader *reader = &fixture->reader;
    size_t consumed;

    fixture->pool.limit = 4000;
    assert_int_equal(feed_header(reader, 5000), MCP_READER_MORE);
    assert_int_equal(feed_fill(reader, 3000), MCP_READER_MORE);
    assert_int_equal(mcp_reader_feed(reader, "12345", 5, &consumed),
                     MCP_READER_MORE); /* 3005: exactly, not twice */
    assert_int_equal(mcp_reader_feed(reader, (char[1000]){0}, 1000, &consumed), MCP_READER_NO_MEMORY);
    assert_int_equal(consumed, 0);
    assert_int_equal(fixture->pool.held, 0); /* the pool gets back what the message held */
    assert_int_equal(feed_fill(reader, 1995), MCP_READER_MORE);
    assert_int_equal(feed(reader, "\0\0\0\2{}", 6), MCP_READER_MESSAGE);

    tear_down(state);
    set_up(state);
    fixture->pool.limit = 0;
    assert_int_equal(mcp_reader_feed(reader, "{}\n{}\n", 6, &consumed), MCP_READER_NO_MEMORY);
    assert_int_equal(consumed, 0);
    fixture->pool.limit = SIZE_MAX;
    assert_int_equal(feed_text(reader, "{}\n[]\n"), MCP_READER_MESSAGE);
    assert_message(reader, "[]");
}

/* Byte by byte: in a message from its first byte until its last. */
static void whether_a_message_has_begun(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *inside; /* after each byte */
    } cases[] = {{"\0\0\0\2{}\0\0\0\1x", 11, "11111011110"},
                 {"\1\0\0\1\0\1ab", 8, "11111110"},
                 {"{}\n \n{", 6, "110101"},
                 {"\0\x10\0\1ab", 6, "111111"}};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mcp_transport_memory memory = fixture->reader.memory;

        mcp_reader_release(&fixture->reader);
        mcp_reader_initialise(&fixture->reader, &memory);
        assert_false(mcp_reader_in_message(&fixture->reader));
        for (size_t at = 0; at < cases[i].length; at++) {
            (void)feed(&fixture->reader, cases[i].bytes + at, 1);
            assert_int_equal(mcp_reader_in_message(&fixture->reader), cases[i].inside[at] == '1');
        }
    }
}

static void trim_gives_large_buffers_back(void **state)
{
    struct fixture *fixture = *state;
    struct mcp_reader *reader = &fixture->reader;

    assert_int_equal(feed_header(reader, 100000), MCP_READER_MORE);
    assert_int_equal(feed_fill(reader, 50000), MCP_READER_MORE);
    mcp_reader_trim(reader); /* half a message stays */
    assert_int_equal(feed_fill(reader, 50000), MCP_READER_MESSAGE);
    assert_int_equal(reader->message_length, 100000);
    assert_true(reader->message[0] == 'x' && memcmp(reader->message, reader->message + 1, 99999) == 0);
    mcp_reader_trim(reader);
    assert_int_equal(fixture->pool.held, 0);
    assert_null(reader->message);

    assert_int_equal(feed(reader, "\0\0\0\2{}", 6), MCP_READER_MESSAGE);
    mcp_reader_trim(reader); /* a small buffer stays: the next message most likely fits */
    assert_message(reader, "{}");
    assert_true(fixture->pool.held > 0);
}

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)random_state * limit) >> 32);
}

/* The same stream gives the same messages, however it is cut. */
static void any_cut_gives_the_same_messages(void **state)
{
    struct fixture *fixture = *state;
    static char stream[400000], expected[400000];

    for (uint32_t round = 0; round < 200; round++) {
        static const enum mcp_stream_form forms[] = {MCP_FORM_FRAMES, MCP_FORM_LINES, MCP_FORM_TAGGED};
        enum mcp_stream_form form = forms[round % 3];
        size_t stream_length = 0, expected_length = 0, found = 0;

        random_state = round;
        if (form == MCP_FORM_LINES)
            stream[stream_length++] = '\n';
        for (int message = 0; message < 20; message++) {
            size_t length = 1 + random_below(random_below(4) == 0 ? 9000 : 30);
            size_t tag_length = form == MCP_FORM_TAGGED ? random_below(300) : 0;
            uint8_t header[MCP_FRAME_HEADER_SIZE];
            size_t header_length;
            const char *end = mcp_frame_encode(form, length, header, &header_length);

            if (form == MCP_FORM_TAGGED)
                mcp_frame_encode_tagged(length, tag_length, header);
            memcpy(stream + stream_length, header, header_length);
            stream_length += header_length;
            memset(stream + stream_length, 't', tag_length);
            stream_length += tag_length;
            for (size_t i = 0; i < length; i++)
                stream[stream_length + i] = (char)('a' + random_below(26));
            memcpy(expected + expected_length, stream + stream_length, length);
            stream_length += length;
            expected_length += length;
            /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the text has no end but its length */
            memcpy(stream + stream_length, end, strlen(end));
            stream_length += strlen(end);
        }
        for (size_t at = 0; at < stream_length;) {
            size_t part = 1 + random_below(random_below(2) == 0 ? 5 : 3000);
            size_t consumed;
            enum mcp_reader_event event;

            if (part > stream_length - at)
                part = stream_length - at;
            event = mcp_reader_feed(&fixture->reader, stream + at, part, &consumed);
            assert_true(consumed <= part);
            at += consumed;
            if (event == MCP_READER_MESSAGE) {
                assert_memory_equal(fixture->reader.message, expected + found,
                                    fixture->reader.message_length);
                found += fixture->reader.message_length;
            } else {
                assert_int_equal(event, MCP_READER_MORE);
                assert_int_equal(consumed, part);
            }
            if (random_below(10) == 0)
                mcp_reader_trim(&fixture->reader);
        }
        assert_int_equal(found, expected_length);
        tear_down(state);
        set_up(state);
    }
}

static void random_bytes_never_harm(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.limit = 20000;
    for (uint32_t round = 0; round < 3000; round++) {
        uint8_t bytes[600];
        size_t at = 0;
        enum mcp_reader_event event = MCP_READER_MORE;

        random_state = round;
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)(random_below(3) == 0 ? random_below(256) : 0);
        bytes[0] = round % 3 == 0 ? '{' : (uint8_t)(round % 2);
        while (at < sizeof(bytes) && event != MCP_READER_CLOSE) {
            size_t consumed;

            event = mcp_reader_feed(&fixture->reader, bytes + at, sizeof(bytes) - at, &consumed);
            at += consumed;
            if (event == MCP_READER_MESSAGE)
                assert_true(fixture->reader.message_length <= MCP_MESSAGE_MAX);
        }
        (void)mcp_reader_end(&fixture->reader);
        tear_down(state);
        set_up(state);
        fixture->pool.limit = 20000;
    }
}

static void what_goes_around_a_message(void **state)
{
    uint8_t header[MCP_FRAME_HEADER_SIZE] = {9, 9, 9, 9, 9, 9};
    size_t header_length = 9;

    (void)state;
    assert_string_equal(mcp_frame_encode(MCP_FORM_LINES, 5, header, &header_length), "\n");
    assert_int_equal(header_length, 0);
    assert_string_equal(mcp_frame_encode(MCP_FORM_UNDECIDED, 5, header, &header_length), "\n");
    assert_int_equal(header_length, 0);
    assert_string_equal(mcp_frame_encode(MCP_FORM_FRAMES, 0x00123456, header, &header_length), "");
    assert_int_equal(header_length, 4);
    assert_memory_equal(header, "\0\x12\x34\x56\x9\x9", 6);
    assert_string_equal(mcp_frame_encode(MCP_FORM_TAGGED, 0x00123456, header, &header_length), "");
    assert_int_equal(header_length, 6);
    assert_memory_equal(header, "\1\x12\x34\x56\0\0", 6);
    mcp_frame_encode_tagged(0x00FEDCBA, 0x9876, header);
    assert_memory_equal(header, "\1\xFE\xDC\xBA\x98\x76", 6);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_one_after_the_other),
        TEST(tagged_frames_one_after_the_other),
        TEST(lines_one_after_the_other),
        TEST(the_end_of_the_stream),
        TEST(other_first_bytes_are_refused),
        TEST(a_frame_of_the_largest_size),
        TEST(memory_follows_the_bytes_not_the_announcement),
        TEST(a_frame_too_long_is_skipped),
        TEST(a_line_of_the_largest_size),
        TEST(a_line_too_long_is_skipped),
        TEST(an_endless_line_closes),
        TEST(without_memory_a_message_is_skipped),
        TEST(whether_a_message_has_begun),
        TEST(trim_gives_large_buffers_back),
        TEST(any_cut_gives_the_same_messages),
        TEST(random_bytes_never_harm),
        TEST(what_goes_around_a_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
