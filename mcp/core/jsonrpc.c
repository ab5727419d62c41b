/* SPDX-License-Identifier: MIT
 *
 * Answers: the envelope of JSON-RPC 2.0, sections 5 and 5.1.
 */
#include <errno.h>
#include <string.h>

#include "json_private.h"
#include "server_private.h"

/* An error is put together on the stack, so that it leaves even when there is no memory. Only an error with
 * a longer id or message than this needs some. */
#define SMALL_ANSWER   512
#define SMALL_ID       256
#define RETRY_AFTER_MS "1000"

static void deliver(const struct reply *reply, const char *message, size_t length)
{
    if (reply->batch != NULL)
        batch_add_answer(reply->batch, message, length);
    else
        session_send(reply->session, message, length);
}

void reply_nothing(const struct reply *reply)
{
    if (reply->batch != NULL)
        batch_end_request(reply->batch);
}

static void write_envelope(struct mcp_json_writer *writer, const struct reply *reply)
{
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "jsonrpc", "2.0");
    mcp_json_key_write(writer, "id");
    json_write_trusted(writer, reply->id, reply->id_length);
}

static int write_error(struct mcp_json_writer *writer, const struct reply *reply, int code,
                       const char *message, const char *data)
{
    const char *text;
    size_t length;
    int result;

    write_envelope(writer, reply);
    mcp_json_key_write(writer, "error");
    mcp_json_begin_object(writer);
    mcp_json_member_int(writer, "code", code);
    mcp_json_member_string(writer, "message", message);
    if (data != NULL) {
        mcp_json_key_write(writer, "data");
        mcp_json_raw_value(writer, data, strlen(data));
    }
    mcp_json_end_object(writer);
    mcp_json_end_object(writer);
    result = mcp_json_finish(writer, &text, &length);
    if (result == 0)
        deliver(reply, text, length);
    return result;
}

void reply_error(const struct reply *reply, int code, const char *message, const char *data)
{
    char small[SMALL_ANSWER];
    struct mcp_json_writer writer;
    int result;

    reply->session->server->statistics.errors++;
    mcp_json_writer_initialise_fixed(&writer, small, sizeof(small));
    result = write_error(&writer, reply, code, message, data);
    if (result == -EINVAL)
        data = NULL; /* it is not JSON: the error leaves without it */
    if (result != 0) {
        const struct mcp_server_config *config = &reply->session->server->config;

        mcp_json_writer_initialise(&writer, &config->memory, config->message_max);
        result = write_error(&writer, reply, code, message, data);
        mcp_json_writer_release(&writer);
    }
    if (result != 0) {
        struct reply known = *reply;

        if (known.id_length > SMALL_ID) {
            known.id = "null";
            known.id_length = 4;
        }
        mcp_json_writer_initialise_fixed(&writer, small, sizeof(small));
        (void)write_error(&writer, &known, code, "no memory for the text of this error", NULL);
    }
    reply_nothing(reply);
}

void reply_overloaded(const struct reply *reply, const char *message)
{
    reply_error(reply, MCP_ERROR_OVERLOADED, message, "{\"retryAfterMs\":" RETRY_AFTER_MS "}");
}

void reply_writer_error(const struct reply *reply, int error)
{
    struct text data = {0};

    if (error == -ENOMEM) {
        reply_overloaded(reply, "Overloaded: out of memory for the result");
    } else if (error == -EFBIG) {
        text_add(&data, "{\"limit\":");
        text_add_uint(&data, reply->session->server->config.message_max);
        text_add(&data, "}");
        reply_error(reply, MCP_ERROR_TOO_LARGE, "The result is larger than a message may be", data.bytes);
    } else {
        reply_error(reply, MCP_ERROR_INTERNAL, "Internal error: the result is not valid", NULL);
    }
}

void reply_result_begin(const struct reply *reply, struct mcp_json_writer *writer)
{
    const struct mcp_server_config *config = &reply->session->server->config;

    mcp_json_writer_initialise(writer, &config->memory, config->message_max);
    write_envelope(writer, reply);
    mcp_json_key_write(writer, "result");
}

int reply_result_end(const struct reply *reply, struct mcp_json_writer *writer)
{
    const char *text;
    size_t length;
    int result;

    mcp_json_end_object(writer);
    result = mcp_json_finish(writer, &text, &length);
    if (result == 0) {
        deliver(reply, text, length);
        mcp_json_writer_release(writer);
        reply_nothing(reply);
    } else {
        mcp_json_writer_release(writer);
        reply_writer_error(reply, result);
    }
    return result;
}
