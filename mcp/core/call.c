/* SPDX-License-Identifier: MIT
 *
 * The life of a tool call: it begins with a request, may outlive the request's message and its session, and
 * ends with exactly one answer of the tool.
 *
 * A call owns a copy of its arguments (text and tokens), so that the message and its document are freed as
 * soon as the message has been dispatched.
 */
#include <errno.h>
#include <string.h>

#include "json_private.h"
#include "server_private.h"

/* A decoded argument, freed with the call. */
struct call_block {
    struct call_block *next;
    size_t size;
    char bytes[];
};

struct mcp_call {
    struct mcp_server *server;
    struct reply reply; /* .session is NULL once the session is closed */
    const struct tool_entry *entry;
    struct mcp_json_document *arguments; /* NULL: none were sent */
    struct mcp_json_writer result;       /* structured content */
    struct mcp_json_writer content;      /* the array of content blocks */
    struct call_block *blocks;
    void *context;
    struct mcp_call *previous, *next; /* in session->calls */
    bool structured_content;          /* the session's version has it */
    bool argument_errors_as_result;
    bool as_method;
    bool has_result, has_content;
    bool cancelled;
    size_t size; /* of this block */
    char id[];
};

static size_t call_held(const struct mcp_call *call)
{
    return call->size + json_size(call->arguments);
}

static void link_call(struct mcp_session *session, struct mcp_call *call)
{
    call->next = session->calls;
    if (call->next != NULL)
        call->next->previous = call;
    session->calls = call;
    session->pending++;
    session->held += call_held(call);
}

static void unlink_call(struct mcp_session *session, struct mcp_call *call)
{
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        session->calls = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    call->previous = call->next = NULL;
    session->pending--;
    session->held -= call_held(call);
}

static void free_call(struct mcp_call *call)
{
    struct mcp_memory memory = call->server->config.memory;

    call->server->statistics.pending--;
    while (call->blocks != NULL) {
        struct call_block *block = call->blocks;

        call->blocks = block->next;
        memory.release(memory.context, block, block->size);
    }
    if (call->has_result)
        mcp_json_writer_release(&call->result);
    if (call->has_content)
        mcp_json_writer_release(&call->content);
    mcp_json_free(call->arguments);
    memory.release(memory.context, call, call->size);
}

static bool fits_session(const struct mcp_session *session, const struct mcp_call *call)
{
    size_t limit = session->server->config.memory_per_session;

    return limit == 0 || session->pending == 0 || session->held + call_held(call) <= limit;
}

static struct mcp_call *create_call(const struct request *request, const struct tool_entry *entry,
                                    struct mcp_json arguments)
{
    struct mcp_server *server = request->session->server;
    const struct mcp_memory *memory = &server->config.memory;
    size_t size = sizeof(struct mcp_call) + request->reply.id_length;
    struct mcp_call *call = memory->allocate(memory->context, size);

    if (call == NULL)
        return NULL;
    *call = (struct mcp_call){.server = server, .reply = request->reply, .entry = entry, .size = size};
    if (mcp_json_type(arguments) == MCP_JSON_OBJECT && json_clone(memory, arguments, &call->arguments) != 0) {
        memory->release(memory->context, call, size);
        return NULL;
    }
    memcpy(call->id, request->reply.id, request->reply.id_length);
    call->reply.id = call->id;
    return call;
}

void call_start(const struct request *request, const struct tool_entry *entry, struct mcp_json arguments,
                bool as_method)
{
    struct mcp_session *session = request->session;
    struct mcp_server *server = session->server;
    struct text text = {0};
    struct mcp_call *call;

    if (session->pending >= server->config.calls_per_session) {
        reply_overloaded(&request->reply, "Overloaded: too many calls of this session are not answered yet");
        return;
    }
    call = create_call(request, entry, arguments);
    if (call == NULL) {
        reply_overloaded(&request->reply, "Overloaded: out of memory for this call");
        return;
    }
    server->statistics.pending++;
    if (!fits_session(session, call)) {
        free_call(call);
        reply_overloaded(&request->reply,
                         "Overloaded: the unanswered calls of this session hold too much memory");
        return;
    }
    call->as_method = as_method;
    if (!as_method) {
        call->structured_content = session->version->structured_content;
        call->argument_errors_as_result = session->version->argument_errors_as_result;
    }
    server->statistics.calls++;
    link_call(session, call);
    if (tool_check_arguments(entry, mcp_call_arguments(call), &text) != 0)
        (void)call_reject(call, &text);
    else
        entry->tool.handler(call, entry->tool.context); /* the call may be gone when this returns */
}

struct mcp_call *call_find(const struct mcp_session *session, const char *id, size_t id_length)
{
    for (struct mcp_call *call = session->calls; call != NULL; call = call->next) {
        bool both_strings = id[0] == '"' && call->id[0] == '"';

        if (both_strings
                ? json_raw_strings_equal(id + 1, id_length - 2, call->id + 1, call->reply.id_length - 2)
                : id_length == call->reply.id_length && memcmp(id, call->id, id_length) == 0)
            return call;
    }
    return NULL;
}

static void cancel(struct mcp_call *call)
{
    if (call->cancelled)
        return;
    call->cancelled = true;
    if (call->entry->tool.cancelled != NULL)
        call->entry->tool.cancelled(call,
                                    call->entry->tool.context); /* the call may be gone when this returns */
}

void call_orphan_all(struct mcp_session *session)
{
    while (session->calls != NULL) {
        struct mcp_call *call = session->calls;

        unlink_call(session, call);
        call->reply.session = NULL;
        if (call->reply.batch != NULL)
            batch_orphan(call->reply.batch);
        cancel(call);
    }
}

/* MCP 2025-11-25, "Basic / Utilities / Cancellation": no answer is sent after it. */
static void handle_cancelled(const struct request *request)
{
    struct mcp_json id = mcp_json_member(request->params, "requestId");
    struct mcp_call *call;
    size_t length;
    const char *raw = mcp_json_raw(id, &length);

    call = raw != NULL ? call_find(request->session, raw, length) : NULL;
    if (call != NULL)
        cancel(call);
}

static const struct method methods[] = {
    {.name = "notifications/cancelled",
     .handle = handle_cancelled,
     .notification = true,
     .before_initialise = true},
};

const struct feature feature_calls = {.methods = methods, .method_count = 1};

struct mcp_json mcp_call_arguments(const struct mcp_call *call)
{
    if (call->arguments == NULL)
        return (struct mcp_json){0};
    return mcp_json_root(call->arguments);
}

bool mcp_call_is_cancelled(const struct mcp_call *call)
{
    return call->cancelled;
}

void mcp_call_set_context(struct mcp_call *call, void *context)
{
    call->context = context;
}

void *mcp_call_get_context(const struct mcp_call *call)
{
    return call->context;
}

char *call_allocate(struct mcp_call *call, size_t size)
{
    const struct mcp_memory *memory = &call->server->config.memory;
    struct call_block *block = memory->allocate(memory->context, sizeof(*block) + size);

    if (block == NULL)
        return NULL;
    block->size = sizeof(*block) + size;
    block->next = call->blocks;
    call->blocks = block;
    return block->bytes;
}

struct mcp_json_writer *mcp_call_result(struct mcp_call *call)
{
    const struct mcp_server_config *config = &call->server->config;

    if (!call->has_result)
        mcp_json_writer_initialise(&call->result, &config->memory, config->message_max);
    call->has_result = true;
    return &call->result;
}

static void write_text_block(struct mcp_json_writer *writer, const char *text, size_t length)
{
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "type", "text");
    mcp_json_key_write(writer, "text");
    mcp_json_string_n(writer, text, length);
    mcp_json_end_object(writer);
}

void mcp_call_text(struct mcp_call *call, const char *text, size_t length)
{
    const struct mcp_server_config *config = &call->server->config;

    if (!call->has_content) {
        mcp_json_writer_initialise(&call->content, &config->memory, config->message_max);
        mcp_json_begin_array(&call->content);
    }
    call->has_content = true;
    write_text_block(&call->content, text, length);
}

/* Takes the call out of its session before its answer goes out: the send hook may come back with a request of
 * the same id, or close the session. False: nobody waits for the answer. */
static bool begin_answer(struct mcp_call *call)
{
    if (call->reply.session == NULL) {
        reply_nothing(&call->reply);
        free_call(call);
        return false;
    }
    session_enter(call->reply.session);
    unlink_call(call->reply.session, call);
    if (!call->cancelled)
        return true;
    reply_nothing(&call->reply);
    session_leave(call->reply.session);
    free_call(call);
    return false;
}

static void end_answer(struct mcp_call *call)
{
    struct mcp_session *session = call->reply.session;

    free_call(call);
    session_leave(session);
}

struct parts {
    const char *result, *content; /* JSON text, or NULL */
    size_t result_length, content_length;
};

static int finish_parts(struct mcp_call *call, struct parts *parts)
{
    int result = 0;

    if (call->has_content) {
        mcp_json_end_array(&call->content);
        result = mcp_json_finish(&call->content, &parts->content, &parts->content_length);
    }
    if (call->has_result && result == 0) {
        result = mcp_json_finish(&call->result, &parts->result, &parts->result_length);
        if (result == 0 && parts->result[0] != '{')
            result = -EINVAL;
    }
    return result;
}

static void write_call_result(struct mcp_json_writer *writer, const struct mcp_call *call,
                              const struct parts *parts)
{
    mcp_json_begin_object(writer);
    mcp_json_key_write(writer, "content");
    if (parts->content != NULL) {
        json_write_trusted(writer, parts->content, parts->content_length);
    } else {
        mcp_json_begin_array(writer);
        if (parts->result != NULL)
            write_text_block(writer, parts->result, parts->result_length);
        mcp_json_end_array(writer);
    }
    if (parts->result != NULL && call->structured_content) {
        mcp_json_key_write(writer, "structuredContent");
        json_write_trusted(writer, parts->result, parts->result_length);
    }
    mcp_json_end_object(writer);
}

void mcp_call_finish(struct mcp_call *call)
{
    struct mcp_json_writer writer;
    struct parts parts = {0};
    struct text why = {0};
    int result;

    if (!begin_answer(call))
        return;
    result = finish_parts(call, &parts);
    if (result == 0)
        result = tool_check_result(call->server, call->entry, parts.result, parts.result_length, &why);
    if (result == -EINVAL && why.length > 0) {
        reply_error(&call->reply, MCP_ERROR_INTERNAL, why.bytes, NULL);
    } else if (result != 0) {
        reply_writer_error(&call->reply, result);
    } else {
        reply_result_begin(&call->reply, &writer);
        if (call->as_method && parts.result != NULL)
            json_write_trusted(&writer, parts.result, parts.result_length);
        else
            write_call_result(&writer, call, &parts);
        (void)reply_result_end(&call->reply, &writer);
    }
    end_answer(call);
}

void mcp_call_fail(struct mcp_call *call, const char *message)
{
    struct mcp_json_writer writer;

    if (!begin_answer(call))
        return;
    if (call->as_method) {
        reply_error(&call->reply, MCP_ERROR_INTERNAL, message, NULL);
    } else {
        reply_result_begin(&call->reply, &writer);
        mcp_json_begin_object(&writer);
        mcp_json_key_write(&writer, "content");
        mcp_json_begin_array(&writer);
        write_text_block(&writer, message, strlen(message));
        mcp_json_end_array(&writer);
        mcp_json_member_bool(&writer, "isError", true);
        mcp_json_end_object(&writer);
        (void)reply_result_end(&call->reply, &writer);
    }
    end_answer(call);
}

void mcp_call_error(struct mcp_call *call, int code, const char *message)
{
    if (!begin_answer(call))
        return;
    if (code == MCP_ERROR_OVERLOADED)
        reply_overloaded(&call->reply, message);
    else
        reply_error(&call->reply, code, message, NULL);
    end_answer(call);
}

int call_reject(struct mcp_call *call, const struct text *message)
{
    struct text text = {0};

    if (call->argument_errors_as_result) {
        mcp_call_fail(call, message->bytes);
    } else {
        text_add(&text, "Invalid params: ");
        text_add(&text, message->bytes);
        mcp_call_error(call, MCP_ERROR_INVALID_PARAMS, text.bytes);
    }
    return -EINVAL;
}
