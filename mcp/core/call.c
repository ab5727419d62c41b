/* SPDX-License-Identifier: MIT
 *
 * The life of a call: it begins with a request, may outlive the request's message and its session, and ends
 * with exactly one answer of its handler (call_answer.c).
 *
 * A call owns a copy of its arguments (text and tokens), so that the message and its document are freed as
 * soon as the message has been dispatched.
 */
#include "call_private.h"

#include <string.h>

#include "json_private.h"
#include "task.h"

/* W3C Trace Context: 55 characters and the quotes; more than that is none. */
#define TRACE_MAX 64

size_t call_held(const struct mcp_call *call)
{
    return call->size + json_size(call->arguments) + call->asks_held;
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

void call_unlink(struct mcp_session *session, struct mcp_call *call)
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

void block_release(const struct mcp_server *server, struct call_block *block)
{
    const struct mcp_memory *memory = &server->config.memory;

    if (block != NULL)
        memory->release(memory->context, block, block->size);
}

void call_free(struct mcp_call *call)
{
    struct mcp_memory memory = call->server->config.memory;

    call->server->statistics.pending--;
    if (call->frame != NULL)
        call->frame->call = NULL;
    while (call->blocks != NULL) {
        struct call_block *block = call->blocks;

        call->blocks = block->next;
        block_release(call->server, block);
    }
    if (call->ask_hooks != NULL)
        call->ask_hooks->release(call, true);
    if (call->task != NULL && call->kind == CALL_TOOL)
        call->server->task_hooks->end_call(call);
    call_forget_answer(call);
    mcp_json_free(call->arguments);
    if (call->tool != NULL)
        tool_end_call(call->server, call->tool);
    memory.release(memory.context, call, call->size);
}

/* Its id, and what it needs of the request's _meta. */
static struct mcp_call *allocate_call(const struct request *request)
{
    const struct mcp_memory *memory = &request->session->server->config.memory;
    const struct reply *reply = &request->reply;
    struct mcp_json traceparent = mcp_json_member(request->meta, "traceparent");
    size_t token_length = 0, trace_length = 0;
    const char *token = mcp_json_raw(mcp_json_member(request->meta, "progressToken"), &token_length);
    const char *trace = mcp_json_raw(traceparent, &trace_length);
    struct mcp_call *call;
    size_t size;

    if (mcp_json_type(traceparent) != MCP_JSON_STRING || trace_length > TRACE_MAX)
        trace = NULL;
    if (token == NULL)
        token_length = 0;
    if (trace == NULL)
        trace_length = 0;
    size = sizeof(*call) + reply->id_length + token_length + trace_length;
    call = memory->allocate(memory->context, size);
    if (call == NULL)
        return NULL;
    *call = (struct mcp_call){.server = request->session->server,
                              .reply = *reply,
                              .size = size,
                              .token_length = token_length,
                              .trace_length = trace_length};
    call->reply.id = memcpy(call->texts, reply->id, reply->id_length);
    if (token != NULL)
        call->token = memcpy(call->texts + reply->id_length, token, token_length);
    if (trace != NULL)
        call->trace = memcpy(call->texts + reply->id_length + token_length, trace, trace_length);
    return call;
}

static struct mcp_call *create_call(const struct request *request, struct mcp_json arguments)
{
    const struct mcp_memory *memory = &request->session->server->config.memory;
    struct mcp_call *call = allocate_call(request);

    if (call == NULL)
        return NULL;
    if (mcp_json_type(arguments) == MCP_JSON_OBJECT && json_clone(memory, arguments, &call->arguments) != 0) {
        memory->release(memory->context, call, call->size);
        return NULL;
    }
    call->log_level = level_find(mcp_json_member(request->meta, "io.modelcontextprotocol/logLevel"));
    call->server->statistics.pending++;
    return call;
}

static bool token_is_valid(const struct request *request)
{
    size_t length;
    const char *raw = mcp_json_raw(mcp_json_member(request->meta, "progressToken"), &length);

    return raw == NULL || id_is_valid(raw, length);
}

struct mcp_call *call_begin(const struct request *request, enum call_kind kind, mcp_call_handler handler,
                            mcp_call_handler cancelled, void *context, struct mcp_json arguments)
{
    struct mcp_session *session = request->session;
    struct mcp_server *server = session->server;
    struct mcp_call *call;

    if (!token_is_valid(request)) {
        reply_invalid_params(&request->reply, "params._meta: progressToken must be a string or an integer");
        return NULL;
    }
    if (session->pending >= server->config.calls_per_session) {
        reply_overloaded(&request->reply, "Overloaded: too many calls of this session are not answered yet");
        return NULL;
    }
    call = create_call(request, arguments);
    if (call == NULL) {
        reply_overloaded(&request->reply, "Overloaded: out of memory for this call");
        return NULL;
    }
    if (session->pending > 0 && !session_has_room(session, call_held(call))) {
        call_free(call);
        reply_overloaded(&request->reply,
                         "Overloaded: the unanswered calls of this session hold too much memory");
        return NULL;
    }
    call->kind = kind;
    call->client_can = client_capabilities(request);
    call->handler = handler;
    call->cancelled_hook = cancelled;
    call->handler_context = context;
    server->statistics.calls++;
    link_call(session, call);
    return call;
}

void call_run(struct mcp_call *call, const struct request *request)
{
    struct call_frame frame = {.call = call};

    call->frame = &frame;
    if (request != NULL) {
        call->request_blocks = call->blocks;
        call->meta = request->meta;
        call->params = request->params;
    }
    do {
        call->run_again = false;
        call->handler(call, call->handler_context);
        if (frame.call == NULL)
            return;
        /* Not answered yet: the message it came in is about to go, and what the client answered. */
        call->meta = call->params = (struct mcp_json){0};
        if (call->ask_hooks == NULL)
            break;
        call->ask_hooks->release(call, false);
    } while (call->run_again && call->ask_hooks->next_round(call));
    if (frame.call == NULL)
        return;
    call->frame = NULL;
    mcp_call_continue_as_task(call);
}

void mcp_call_continue_as_task(struct mcp_call *call)
{
    if (call->task != NULL && !call->answered && !call->cancelled)
        call->server->task_hooks->announce(call);
}

const uint8_t *call_principal(const struct mcp_call *call)
{
    static const uint8_t nobody[PRINCIPAL_SIZE];

    if (call->task != NULL)
        return call->task->principal;
    return call->reply.session != NULL ? call->reply.session->principal : nobody;
}

const char *call_stream(const struct mcp_call *call, size_t *length)
{
    if (call->answered)
        return call->server->task_hooks->stream(call, length);
    *length = call->reply.id_length;
    return call->reply.id;
}

struct mcp_call *call_find(const struct mcp_session *session, const char *id, size_t id_length)
{
    for (struct mcp_call *call = session->calls; call != NULL; call = call->next)
        if (!call->answered && ids_equal(id, id_length, call->reply.id, call->reply.id_length))
            return call;
    return NULL;
}

void call_cancel(struct mcp_call *call)
{
    if (call->cancelled)
        return;
    call->cancelled = true;
    if (call->waiting && !call->sending)
        mcp_call_finish(call); /* no handler has it */
    else if (!call->waiting && call->cancelled_hook != NULL)
        call->cancelled_hook(call, call->handler_context); /* the call may be gone when this returns */
}

void call_orphan_all(struct mcp_session *session)
{
    while (session->calls != NULL) {
        struct mcp_call *call = session->calls;

        call_unlink(session, call);
        call->reply.session = NULL;
        if (call->reply.batch != NULL)
            batch_orphan(call->reply.batch);
        call_cancel(call);
    }
}

/* MCP 2025-11-25, "Basic / Utilities / Cancellation": no answer is sent after it. */
static void handle_cancelled(const struct request *request)
{
    struct mcp_json id = mcp_json_member(request->params, "requestId");
    struct mcp_call *call;
    size_t length;
    const char *raw = mcp_json_raw(id, &length);

    if (raw == NULL || !id_is_valid(raw, length) || subscription_cancel(request->session, raw, length))
        return;
    call = call_find(request->session, raw, length);
    if (call != NULL)
        call_cancel(call);
}

static const struct method methods[] = {
    {.name = "notifications/cancelled",
     .handle = handle_cancelled,
     .versions = EVERY_VERSION,
     .notification = true,
     .before_initialise = true},
};

const struct feature feature_calls = {.methods = methods, .method_count = 1};

/* ---- what handlers may ask ---- */

struct mcp_json mcp_call_arguments(const struct mcp_call *call)
{
    if (call->arguments == NULL)
        return (struct mcp_json){0};
    return mcp_json_root(call->arguments);
}

struct mcp_json mcp_call_meta(const struct mcp_call *call)
{
    return call->meta;
}

const char *mcp_call_version(const struct mcp_call *call)
{
    return call->reply.version != NULL && call->kind != CALL_METHOD ? call->reply.version->name : NULL;
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

const char *mcp_call_uri(const struct mcp_call *call)
{
    return call->uri;
}

/* ---- texts ---- */

struct call_block *block_allocate(const struct mcp_server *server, size_t size)
{
    const struct mcp_memory *memory = &server->config.memory;
    struct call_block *block = memory->allocate(memory->context, sizeof(*block) + size);

    if (block != NULL)
        block->size = sizeof(*block) + size;
    return block;
}

void call_adopt(struct mcp_call *call, struct call_block *block)
{
    block->next = call->blocks;
    call->blocks = block;
}

char *call_allocate(struct mcp_call *call, size_t size)
{
    struct call_block *block = block_allocate(call->server, size);

    if (block == NULL)
        return NULL;
    call_adopt(call, block);
    return block->bytes;
}

void call_release_run(struct mcp_call *call)
{
    while (call->blocks != call->request_blocks) {
        struct call_block *block = call->blocks;

        call->blocks = block->next;
        block_release(call->server, block);
    }
}

struct call_block *block_decode(const struct mcp_server *server, struct mcp_json string)
{
    size_t size = mcp_json_string_length(string) + 1;
    struct call_block *block = block_allocate(server, size);

    if (block != NULL)
        (void)mcp_json_get_string(string, block->bytes, size);
    return block;
}
