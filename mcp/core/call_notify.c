/* SPDX-License-Identifier: MIT
 *
 * What a call tells its client before the answer: progress and log messages.
 */
#include "call_private.h"
#include "json_private.h"
#include "task.h"

static bool may_tell(const struct mcp_call *call)
{
    return call->reply.session != NULL && !call->cancelled;
}

/* W3C Trace Context: what belongs to the request belongs to its trace. */
void call_write_meta(struct message *message, const struct mcp_call *call)
{
    if (call->trace == NULL && call->reply.task == NULL)
        return;
    mcp_json_key_write(&message->writer, "_meta");
    mcp_json_begin_object(&message->writer);
    if (call->trace != NULL) {
        mcp_json_key_write(&message->writer, "traceparent");
        json_write_trusted(&message->writer, call->trace, call->trace_length);
    }
    if (call->reply.task != NULL)
        write_related_task(&message->writer, call->reply.task);
    mcp_json_end_object(&message->writer);
}

static void send_note(const struct mcp_call *call, struct message *message)
{
    size_t length = 0;
    const char *id = call_stream(call, &length);

    (void)notification_end(call->reply.session, message, id, length);
}

void mcp_call_progress(struct mcp_call *call, double progress, double total, const char *message)
{
    struct message note;

    if (call->reply.task != NULL && progress - progress == 0)
        call->server->task_hooks->describe(call->reply.task, progress, total, message);
    if (call->token == NULL || !may_tell(call) || !(progress - progress == 0) ||
        (call->has_progress && !(progress > call->progress)))
        return;
    call->has_progress = true;
    call->progress = progress;
    notification_begin(call->reply.session, &note, "notifications/progress");
    mcp_json_key_write(&note.writer, "progressToken");
    json_write_trusted(&note.writer, call->token, call->token_length);
    mcp_json_member_double(&note.writer, "progress", progress);
    if (total > 0 && total - total == 0)
        mcp_json_member_double(&note.writer, "total", total);
    if (message != NULL && call_format(call)->progress_messages)
        mcp_json_member_string(&note.writer, "message", message);
    call_write_meta(&note, call);
    send_note(call, &note);
}

static int wanted_level(const struct mcp_call *call)
{
    if (call->reply.version == NULL)
        return LEVEL_UNSET;
    if (call->reply.version->stateless)
        return call->log_level;
    return call->reply.session->log_level != LEVEL_UNSET ? call->reply.session->log_level : MCP_LOG_INFO;
}

void mcp_call_log(struct mcp_call *call, enum mcp_log_level level, const char *logger, const char *text)
{
    struct message message;
    int wanted;

    if (!call->server->config.logging || !may_tell(call))
        return;
    wanted = wanted_level(call);
    if (wanted == LEVEL_UNSET || (int)level < wanted)
        return;
    notification_begin(call->reply.session, &message, "notifications/message");
    write_log_message(&message, level, logger, text);
    call_write_meta(&message, call);
    send_note(call, &message);
}
