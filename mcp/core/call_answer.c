/* SPDX-License-Identifier: MIT
 *
 * The end of a call: its result, or an error.
 */
#include <errno.h>
#include <string.h>

#include "call_private.h"
#include "json_private.h"
#include "task.h"

const struct mcp_version *call_format(const struct mcp_call *call)
{
    return call->reply.version != NULL ? call->reply.version : version_newest(EVERY_VERSION);
}

static struct mcp_json_writer *writer_of(struct mcp_call *call, struct mcp_json_writer *writer, bool *begun)
{
    const struct mcp_server_config *config = &call->server->config;

    if (!*begun)
        mcp_json_writer_initialise(writer, &config->memory, config->message_max);
    *begun = true;
    return writer;
}

struct mcp_json_writer *mcp_call_result(struct mcp_call *call)
{
    return writer_of(call, &call->result, &call->has_result);
}

struct mcp_json_writer *mcp_call_result_meta(struct mcp_call *call)
{
    bool begun = call->has_meta;
    struct mcp_json_writer *writer = writer_of(call, &call->result_meta, &call->has_meta);

    if (!begun)
        mcp_json_begin_object(writer);
    return writer;
}

struct mcp_json_writer *call_content_writer(struct mcp_call *call)
{
    bool begun = call->has_content;
    struct mcp_json_writer *writer = writer_of(call, &call->content, &call->has_content);

    if (!begun)
        mcp_json_begin_array(writer);
    return writer;
}

void call_forget_answer(struct mcp_call *call)
{
    if (call->has_result)
        mcp_json_writer_release(&call->result);
    if (call->has_content)
        mcp_json_writer_release(&call->content);
    if (call->has_meta)
        mcp_json_writer_release(&call->result_meta);
    call->has_result = call->has_content = call->has_meta = false;
}

void mcp_call_suggest(struct mcp_call *call, const char *value)
{
    if (call->kind != CALL_COMPLETION)
        call_content_writer(call)->error = -EINVAL;
    else if (call->suggestions++ < MCP_SUGGESTIONS_MAX)
        mcp_json_string(call_content_writer(call), value);
}

/* Takes the call out of its session before its answer goes out: the send hook may come back with a request of
 * the same id, or close the session. False: nobody waits for the answer. */
bool call_begin_answer(struct mcp_call *call)
{
    if (call->reply.session != NULL) {
        session_enter(call->reply.session);
        call_unlink(call->reply.session, call);
    }
    if (!call->cancelled && (call->reply.session != NULL || call->reply.task != NULL))
        return true;
    reply_nothing(&call->reply);
    call_end_answer(call);
    return false;
}

void call_end_answer(struct mcp_call *call)
{
    struct mcp_session *session = call->reply.session;

    call_free(call);
    if (session != NULL)
        session_leave(session);
}

/* JSON text, or NULL. */
struct part {
    const char *text;
    size_t length;
};

struct parts {
    struct part result, content, meta;
};

static int finish_parts(struct mcp_call *call, struct parts *parts)
{
    int result = 0;

    if (call->has_content) {
        mcp_json_end_array(&call->content);
        result = mcp_json_finish(&call->content, &parts->content.text, &parts->content.length);
    }
    if (call->has_meta && result == 0) {
        mcp_json_end_object(&call->result_meta);
        result = mcp_json_finish(&call->result_meta, &parts->meta.text, &parts->meta.length);
    }
    if (call->has_result && result == 0) {
        result = mcp_json_finish(&call->result, &parts->result.text, &parts->result.length);
        if (result == 0 && parts->result.text[0] != '{' && !call->any_result)
            result = -EINVAL;
    }
    return result;
}

static void write_text_block(struct mcp_json_writer *writer, const char *text, size_t length)
{
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "type", "text");
    mcp_json_key_write(writer, "text");
    mcp_json_string_n(writer, text, length);
    mcp_json_end_object(writer);
}

/* The array of the call's content. */
static void write_list(struct mcp_json_writer *writer, const char *name, const struct parts *parts)
{
    mcp_json_key_write(writer, name);
    if (parts->content.text != NULL) {
        json_write_trusted(writer, parts->content.text, parts->content.length);
    } else {
        mcp_json_begin_array(writer);
        if (parts->result.text != NULL)
            write_text_block(writer, parts->result.text, parts->result.length);
        mcp_json_end_array(writer);
    }
}

static void write_tool_result(struct mcp_json_writer *writer, const struct mcp_call *call,
                              const struct parts *parts)
{
    const struct mcp_version *version = call_format(call);

    write_list(writer, "content", parts);
    if (parts->result.text != NULL && version->structured_content &&
        (parts->result.text[0] == '{' || version->any_structured)) {
        mcp_json_key_write(writer, "structuredContent");
        json_write_trusted(writer, parts->result.text, parts->result.length);
    }
}

static void write_completion(struct mcp_json_writer *writer, const struct mcp_call *call,
                             const struct parts *parts)
{
    mcp_json_key_write(writer, "completion");
    mcp_json_begin_object(writer);
    write_list(writer, "values", parts);
    mcp_json_member_uint(writer, "total", call->suggestions);
    mcp_json_member_bool(writer, "hasMore", call->suggestions > MCP_SUGGESTIONS_MAX);
    mcp_json_end_object(writer);
}

static void send_result(struct mcp_call *call, const struct parts *parts)
{
    struct message message;

    reply_result_begin(&call->reply, &message);
    switch (call->kind) {
    case CALL_READ:
        write_list(&message.writer, "contents", parts);
        reply_cacheable(&call->reply, &message, call->ttl_ms, call->shared);
        break;
    case CALL_PROMPT:
        if (call->description != NULL)
            mcp_json_member_string(&message.writer, "description", call->description);
        write_list(&message.writer, "messages", parts);
        break;
    case CALL_COMPLETION:
        write_completion(&message.writer, call, parts);
        break;
    default:
        write_tool_result(&message.writer, call, parts);
        break;
    }
    (void)reply_result_end(&call->reply, &message, parts->meta.text, parts->meta.length);
}

static void send_structured_content(struct mcp_call *call, const struct parts *parts)
{
    struct message message;

    reply_value_begin(&call->reply, &message);
    json_write_trusted(&message.writer, parts->result.text, parts->result.length);
    (void)reply_value_end(&call->reply, &message);
}

void mcp_call_finish(struct mcp_call *call)
{
    struct parts parts = {0};
    struct text why = {0};
    int result;

    if (!call_begin_answer(call))
        return;
    result = finish_parts(call, &parts);
    if (result == 0 && call->tool != NULL)
        result = tool_check_result(call->server, call->tool, parts.result.text, parts.result.length, &why);
    if (result == -EINVAL && why.length > 0)
        reply_error(&call->reply, MCP_ERROR_INTERNAL, why.bytes, NULL);
    else if (result != 0)
        reply_writer_error(&call->reply, result);
    else if (call->kind == CALL_METHOD && parts.result.text != NULL)
        send_structured_content(call, &parts);
    else
        send_result(call, &parts);
    call_end_answer(call);
}

void mcp_call_fail(struct mcp_call *call, const char *message)
{
    struct message answer;

    if (!call_begin_answer(call))
        return;
    if (call->kind != CALL_TOOL) {
        reply_error(&call->reply, MCP_ERROR_INTERNAL, message, NULL);
    } else {
        if (call->reply.task != NULL)
            call->server->task_hooks->fail(call->reply.task, message);
        reply_result_begin(&call->reply, &answer);
        mcp_json_key_write(&answer.writer, "content");
        mcp_json_begin_array(&answer.writer);
        write_text_block(&answer.writer, message, strlen(message));
        mcp_json_end_array(&answer.writer);
        mcp_json_member_bool(&answer.writer, "isError", true);
        (void)reply_result_end(&call->reply, &answer, NULL, 0);
    }
    call_end_answer(call);
}

void call_error(struct mcp_call *call, int code, const char *message, const char *data)
{
    if (!call_begin_answer(call))
        return;
    if (code == MCP_ERROR_RESOURCE_NOT_FOUND)
        code = call_format(call)->resource_not_found;
    if (code == MCP_ERROR_OVERLOADED)
        reply_overloaded(&call->reply, message);
    else
        reply_error(&call->reply, code, message, data);
    call_end_answer(call);
}

void mcp_call_error(struct mcp_call *call, int code, const char *message)
{
    call_error(call, code, message, NULL);
}

void call_writer_error(struct mcp_call *call, int error)
{
    if (!call_begin_answer(call))
        return;
    reply_writer_error(&call->reply, error);
    call_end_answer(call);
}

void mcp_call_not_found(struct mcp_call *call)
{
    if (!call_begin_answer(call))
        return;
    reply_resource_not_found(&call->reply, call->uri != NULL ? call->uri : "");
    call_end_answer(call);
}

int call_reject(struct mcp_call *call, const struct text *message)
{
    struct text text = {0};

    if (call->kind == CALL_TOOL && call_format(call)->argument_errors_as_result) {
        mcp_call_fail(call, message->bytes);
    } else {
        text_add(&text, "Invalid params: ");
        text_add(&text, message->bytes);
        mcp_call_error(call, MCP_ERROR_INVALID_PARAMS, text.bytes);
    }
    return -EINVAL;
}
