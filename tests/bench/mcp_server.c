/* SPDX-License-Identifier: MIT
 *
 * The server of `mcp_core`: standard input and output are one connection. What was read at once is answered
 * by one write, as nullserver does it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mcp/pool.h>
#include <mcp/server.h>
#include <mcp/transport.h>

#define BUFFER_SIZE ((size_t)256 * 1024)
#define POOL_SIZE   ((size_t)32 * 1024)

static struct mcp_reader reader;
static char output[BUFFER_SIZE];
static size_t output_length;

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

/* ---- output ---- */

static void flush(void)
{
    for (size_t at = 0; at < output_length;) {
        ssize_t written = write(STDOUT_FILENO, output + at, output_length - at);

        if (written <= 0)
            _exit(1); /* nobody reads any more */
        at += (size_t)written;
    }
    output_length = 0;
}

static void put(const void *bytes, size_t length)
{
    memcpy(output + output_length, bytes, length);
    output_length += length;
}

static int send_message(void *context, const char *message, size_t length)
{
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    size_t header_length;
    const char *trailer = mcp_frame_encode(reader.form, length, header, &header_length);

    (void)context;
    if (output_length + length + 8 > sizeof(output))
        flush();
    if (length + 8 > sizeof(output))
        return -1;
    put(header, header_length);
    put(message, length);
    put(trailer, strlen(trailer));
    return 0;
}

/* ---- what is served; sdk_server.mjs offers the same ---- */

static void add(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *result = mcp_call_result(call);
    double a, b;

    (void)context;
    if (mcp_call_double_or(call, "a", 0, -1e9, 1e9, &a) != 0 ||
        mcp_call_double_or(call, "b", 0, -1e9, 1e9, &b) != 0)
        return;
    mcp_json_begin_object(result);
    mcp_json_member_double(result, "sum", a + b);
    mcp_json_end_object(result);
    mcp_call_finish(call);
}

static void read_note(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_text(call, "A short note.", 13);
    mcp_call_finish(call);
}

static const struct mcp_tool tool = {
    .name = "add",
    .description = "Adds two numbers.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"},\"b\":{\"type\":\"number\"}},"
        "\"required\":[\"a\",\"b\"]}",
    .output_schema =
        "{\"type\":\"object\",\"properties\":{\"sum\":{\"type\":\"number\"}},\"required\":[\"sum\"]}",
    .handler = add};

static const struct mcp_resource note = {
    .uri = "note://a", .name = "a", .mime_type = "text/plain", .handler = read_note};

static void serve(struct mcp_session *session, const char *bytes, size_t length)
{
    while (length > 0) {
        size_t consumed;

        switch (mcp_reader_feed(&reader, bytes, length, &consumed)) {
        case MCP_READER_MESSAGE:
            mcp_session_receive(session, reader.message, reader.message_length);
            break;
        case MCP_READER_MORE:
            break;
        default:
            (void)fprintf(stderr, "the client sends what is no message\n");
            _exit(1);
        }
        bytes += consumed;
        length -= consumed;
    }
}

int main(void)
{
    static char input[BUFFER_SIZE];
    const struct mcp_memory heap = {.allocate = allocate, .release = release};
    struct mcp_pool pool;
    const struct mcp_transport_memory transport_memory = {.resize = resize};
    struct mcp_server_config config = {.name = "bench", .version = "1"};
    struct mcp_server *server;
    struct mcp_session *session;
    ssize_t length;

    mcp_pool_initialise(&pool, &heap, POOL_SIZE);
    config.memory = mcp_pool_memory(&pool);
    mcp_reader_initialise(&reader, &transport_memory);
    if (mcp_server_create(&config, &server) != 0 || mcp_server_add_tool(server, &tool) != 0 ||
        mcp_server_add_resource(server, &note) != 0 ||
        mcp_session_open(server, send_message, NULL, &session) != 0)
        return 1;
    while ((length = read(STDIN_FILENO, input, sizeof(input))) > 0) {
        serve(session, input, (size_t)length);
        flush();
    }
    mcp_session_close(session);
    mcp_server_destroy(server);
    mcp_pool_trim(&pool);
    mcp_reader_release(&reader);
    return 0;
}
