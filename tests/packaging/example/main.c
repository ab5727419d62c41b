/* SPDX-License-Identifier: MIT
 *
 * An MCP server on the serial port, with one tool: `add`.
 */
#include <mcp/server.h>
#include <mcp/transport.h>

#include "kernel.h"
#include "string.h"

/* The libraries' hooks. */

static void *allocate(void *context, size_t size)
{
    (void)context;
    return memory_allocate(size);
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    memory_release(memory, size);
}

static void *resize(void *context, void *memory, size_t old_size, size_t new_size)
{
    (void)context;
    void *resized = NULL;
    if (new_size > 0) {
        resized = memory_allocate(new_size);
        if (resized == NULL)
            return NULL;
        if (memory != NULL)
            memcpy(resized, memory, old_size < new_size ? old_size : new_size);
    }
    memory_release(memory, old_size);
    return resized;
}

/* The client at the other end of the line. */
struct client {
    struct mcp_reader reader;
    struct mcp_session *session;
};

/* An answer goes out in the form in which the client speaks: as a line, or as a frame. */
static int send(void *context, const char *message, size_t length)
{
    const struct client *client = context;
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    size_t header_length;
    const char *trailer = mcp_frame_encode(client->reader.form, length, header, &header_length);
    serial_write(header, header_length);
    serial_write(message, length);
    serial_write(trailer, strlen(trailer));
    return 0;
}

/* The tool. The library has checked the arguments against the schema. */

#define LARGEST ((int64_t)1 << 53) /* up to here every JSON reader keeps integers exact */

static void add(struct mcp_call *call, void *context)
{
    (void)context;
    int64_t a, b;
    if (mcp_call_int_or(call, "a", 0, -LARGEST, LARGEST, &a) != 0 ||
        mcp_call_int_or(call, "b", 0, -LARGEST, LARGEST, &b) != 0)
        return; /* answered with an error that names the field */
    struct mcp_json_writer *result = mcp_call_result(call);
    mcp_json_begin_object(result);
    mcp_json_member_int(result, "sum", a + b);
    mcp_json_end_object(result);
    mcp_call_finish(call);
}

static const struct mcp_tool add_tool = {
    .name = "add",
    .description = "Adds two integers.",
    .input_schema = "{\"type\":\"object\",\"required\":[\"a\",\"b\"],\"additionalProperties\":false,"
                    "\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"integer\"}}}",
    .output_schema = "{\"type\":\"object\",\"required\":[\"sum\"],"
                     "\"properties\":{\"sum\":{\"type\":\"integer\"}}}",
    .handler = add,
};

static void stop(const char *why)
{
    serial_write(why, strlen(why));
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void open_client(struct client *client, struct mcp_server *server)
{
    static const struct mcp_transport_memory memory = {.resize = resize};
    mcp_reader_initialise(&client->reader, &memory);
    if (mcp_session_open(server, send, client, &client->session) != 0)
        stop("out of memory\n");
}

static void close_client(struct client *client)
{
    mcp_session_close(client->session);
    mcp_reader_release(&client->reader);
}

/* Returns false when what came is not for us: the next byte begins a new connection. */
static bool receive(struct client *client, uint8_t byte)
{
    for (size_t taken = 0, consumed; taken < 1; taken += consumed) {
        switch (mcp_reader_feed(&client->reader, &byte, 1 - taken, &consumed)) {
        case MCP_READER_MORE:
            break;
        case MCP_READER_MESSAGE:
            mcp_session_receive(client->session, client->reader.message, client->reader.message_length);
            mcp_reader_trim(&client->reader);
            break;
        case MCP_READER_TOO_LONG:
            mcp_session_report(client->session, MCP_ERROR_TOO_LARGE, "Message too long", NULL);
            break;
        case MCP_READER_NO_MEMORY:
            mcp_session_report(client->session, MCP_ERROR_OVERLOADED, "Out of memory", NULL);
            break;
        case MCP_READER_REFUSED:
            mcp_session_report(client->session, MCP_ERROR_PARSE, "Neither JSON nor a frame", NULL);
            return false;
        case MCP_READER_CLOSE:
            return false;
        }
    }
    return true;
}

void kernel_main(void)
{
    serial_initialise();

    static const struct mcp_server_config config = {
        .name = "example-kernel",
        .version = "1.0.0",
        .memory = {.allocate = allocate, .release = release},
    };
    struct mcp_server *server;
    if (mcp_server_create(&config, &server) != 0 || mcp_server_add_tool(server, &add_tool) != 0)
        stop("cannot make the server\n");

    for (;;) {
        struct client client;
        open_client(&client, server);
        while (receive(&client, serial_read()))
            ;
        close_client(&client);
    }
}
