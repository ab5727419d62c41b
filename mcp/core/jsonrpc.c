/* SPDX-License-Identifier: MIT
 *
 * Outgoing messages: the envelope of JSON-RPC 2.0, sections 4.1, 5 and 5.1, and what every result of a
 * version has.
 */
#include <errno.h>
#include <string.h>

#include "json_private.h"
#include "json_write_private.h"
#include "server_private.h"
#include "task.h"

/* An error is put together on the stack, so that it leaves even when there is no memory. Only an error with
 * a longer id or message than this needs some. */
#define SMALL_ANSWER   512
#define SMALL_ID       256
#define RETRY_AFTER_MS "1000"

/* failure: the message of an error, or NULL. */
static void deliver(const struct reply *reply, const char *message, size_t length, const char *failure)
{
    if (reply->task != NULL)
        reply->server->task_hooks->keep(reply->task, message, length, failure);
    else if (reply->batch != NULL)
        batch_add_answer(reply->batch, message, length);
    else
        session_send(reply->session, message, length, reply->id[0] == 'n' ? NULL : reply->id, /* null */
                     reply->id_length);
}

void reply_nothing(const struct reply *reply)
{
    if (reply->batch != NULL)
        batch_end_request(reply->batch);
}

/* Begins the message up to its member `result` or `error`. A task keeps what that holds, and no message. */
static void begin_envelope(struct mcp_json_writer *writer, const struct reply *reply, const char *member)
{
    static const char version[] = "{\"jsonrpc\":\"2.0\"}";

    if (reply->task != NULL)
        return;
    mcp_json_begin_object(writer);
    json_write_trusted_members(writer, version, sizeof(version) - 1);
    mcp_json_key_write(writer, "id");
    json_write_trusted(writer, reply->id, reply->id_length);
    mcp_json_key_write(writer, member);
}

static void end_envelope(struct mcp_json_writer *writer, const struct reply *reply)
{
    if (reply->task == NULL)
        mcp_json_end_object(writer);
}

static int write_error(struct mcp_json_writer *writer, const struct reply *reply, int code,
                       const char *message, const char *data, size_t data_length)
{
    const char *text;
    size_t length;
    int result;

    begin_envelope(writer, reply, "error");
    mcp_json_begin_object(writer);
    mcp_json_member_int(writer, "code", code);
    mcp_json_member_string(writer, "message", message);
    if (data != NULL) {
        mcp_json_key_write(writer, "data");
        mcp_json_raw_value(writer, data, data_length);
    }
    mcp_json_end_object(writer);
    end_envelope(writer, reply);
    result = mcp_json_finish(writer, &text, &length);
    if (result == 0)
        deliver(reply, text, length, message);
    return result;
}

void reply_error_data(const struct reply *reply, int code, const char *message, const char *data,
                      size_t data_length)
{
    char small[SMALL_ANSWER];
    struct mcp_json_writer writer;
    int result;

    reply->server->statistics.errors++;
    mcp_json_writer_initialise_fixed(&writer, small, sizeof(small));
    result = write_error(&writer, reply, code, message, data, data_length);
    if (result == -EINVAL)
        data = NULL; /* it is not JSON: the error leaves without it */
    if (result != 0) {
        const struct mcp_server_config *config = &reply->server->config;

        mcp_json_writer_initialise(&writer, &config->memory, config->message_max);
        result = write_error(&writer, reply, code, message, data, data_length);
        mcp_json_writer_release(&writer);
    }
    if (result != 0) {
        struct reply known = *reply;

        if (known.id_length > SMALL_ID) {
            known.id = "null";
            known.id_length = 4;
        }
        mcp_json_writer_initialise_fixed(&writer, small, sizeof(small));
        (void)write_error(&writer, &known, code, "no memory for the text of this error", NULL, 0);
    }
    reply_nothing(reply);
}

void reply_error(const struct reply *reply, int code, const char *message, const char *data)
{
    reply_error_data(reply, code, message, data, data != NULL ? strlen(data) : 0);
}

void reply_overloaded(const struct reply *reply, const char *message)
{
    reply_error(reply, MCP_ERROR_OVERLOADED, message, "{\"retryAfterMs\":" RETRY_AFTER_MS "}");
}

void reply_invalid_params(const struct reply *reply, const char *why)
{
    struct text text = {0};

    text_add(&text, "Invalid params: ");
    text_add(&text, why);
    reply_error(reply, MCP_ERROR_INVALID_PARAMS, text.bytes, NULL);
}

void reply_resource_not_found(const struct reply *reply, const char *uri)
{
    const struct mcp_server_config *config = &reply->server->config;
    /* A tool that was called as a method has no version. */
    int code = reply->version != NULL ? reply->version->resource_not_found : MCP_ERROR_INVALID_PARAMS;
    struct mcp_json_writer data;
    const char *text = NULL;
    size_t length;

    mcp_json_writer_initialise(&data, &config->memory, config->message_max);
    mcp_json_begin_object(&data);
    mcp_json_member_string(&data, "uri", uri);
    mcp_json_end_object(&data);
    if (mcp_json_finish(&data, &text, &length) == 0)
        reply_error_data(reply, code, "Resource not found", text, length);
    else
        reply_error_data(reply, code, "Resource not found", NULL, 0);
    mcp_json_writer_release(&data);
}

void reply_writer_error(const struct reply *reply, int error)
{
    struct text data = {0};

    if (error == -ENOMEM) {
        reply_overloaded(reply, "Overloaded: out of memory for the result");
    } else if (error == -EFBIG) {
        text_add(&data, "{\"limit\":");
        text_add_uint(&data, reply->server->config.message_max);
        text_add(&data, "}");
        reply_error(reply, MCP_ERROR_TOO_LARGE, "The result is larger than a message may be", data.bytes);
    } else {
        reply_error(reply, MCP_ERROR_INTERNAL, "Internal error: the result is not valid", NULL);
    }
}

void message_begin(const struct mcp_server *server, struct message *message)
{
    const struct mcp_server_config *config = &server->config;

    json_writer_initialise_with_buffer(&message->writer, &config->memory, config->message_max,
                                       message->buffer, sizeof(message->buffer));
}

void write_related_task(struct mcp_json_writer *writer, const struct task *task)
{
    mcp_json_key_write(writer, "io.modelcontextprotocol/related-task");
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "taskId", task->id);
    mcp_json_end_object(writer);
}

void reply_value_begin(const struct reply *reply, struct message *message)
{
    message_begin(reply->server, message);
    if (reply->task != NULL) /* which tells it with something around it */
        message->writer.limit = message->writer.limit / 4 * 3;
    begin_envelope(&message->writer, reply, "result");
}

int reply_value_end(const struct reply *reply, struct message *message)
{
    const char *text;
    size_t length;
    int result;

    end_envelope(&message->writer, reply);
    result = mcp_json_finish(&message->writer, &text, &length);
    if (result == 0) {
        deliver(reply, text, length, NULL);
        mcp_json_writer_release(&message->writer);
        reply_nothing(reply);
    } else {
        mcp_json_writer_release(&message->writer);
        reply_writer_error(reply, result);
    }
    return result;
}

void reply_result_begin_as(const struct reply *reply, struct message *message, const char *type)
{
    reply_value_begin(reply, message);
    mcp_json_begin_object(&message->writer);
    if (reply->version != NULL && reply->version->stateless)
        mcp_json_member_string(&message->writer, "resultType", type);
}

void reply_result_begin(const struct reply *reply, struct message *message)
{
    reply_result_begin_as(reply, message, "complete");
}

void reply_cacheable(const struct reply *reply, struct message *message, uint32_t ttl_ms, bool shared)
{
    if (!reply->version->stateless)
        return;
    mcp_json_member_uint(&message->writer, "ttlMs", ttl_ms);
    mcp_json_member_string(&message->writer, "cacheScope", shared ? "public" : "private");
}

int reply_result_end(const struct reply *reply, struct message *message, const char *meta, size_t meta_length)
{
    const struct mcp_server *server = reply->server;
    bool names_server = reply->version != NULL && reply->version->stateless && reply->task == NULL;
    bool names_task = reply->task != NULL && !reply->version->stateless;

    if (meta != NULL || names_server || names_task) {
        mcp_json_key_write(&message->writer, "_meta");
        mcp_json_begin_object(&message->writer);
        if (meta != NULL)
            json_write_trusted_members(&message->writer, meta, meta_length);
        if (names_server) {
            mcp_json_key_write(&message->writer, "io.modelcontextprotocol/serverInfo");
            json_write_trusted(&message->writer, server->info, server->info_length);
        }
        if (names_task)
            write_related_task(&message->writer, reply->task);
        mcp_json_end_object(&message->writer);
    }
    mcp_json_end_object(&message->writer);
    return reply_value_end(reply, message);
}

void reply_kept(const struct reply *reply, bool is_error, const char *text, size_t length)
{
    struct message message;

    message_begin(reply->server, &message);
    begin_envelope(&message.writer, reply, is_error ? "error" : "result");
    json_write_trusted(&message.writer, text, length);
    (void)reply_value_end(reply, &message);
}

void reply_empty(const struct reply *reply)
{
    struct message message;

    reply_result_begin(reply, &message);
    (void)reply_result_end(reply, &message, NULL, 0);
}

void notification_begin(const struct mcp_session *session, struct message *message, const char *method)
{
    message_begin(session->server, message);
    mcp_json_begin_object(&message->writer);
    mcp_json_member_string(&message->writer, "jsonrpc", "2.0");
    mcp_json_member_string(&message->writer, "method", method);
    mcp_json_key_write(&message->writer, "params");
    mcp_json_begin_object(&message->writer);
}

int notification_end(struct mcp_session *session, struct message *message, const char *id, size_t id_length)
{
    const char *text;
    size_t length;
    int result;

    mcp_json_end_object(&message->writer);
    mcp_json_end_object(&message->writer);
    result = mcp_json_finish(&message->writer, &text, &length);
    if (result == 0)
        session_send(session, text, length, id, id_length);
    else
        session->server->statistics.lost_notifications++;
    mcp_json_writer_release(&message->writer);
    return result;
}
