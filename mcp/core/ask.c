/* SPDX-License-Identifier: MIT
 *
 * What a call asks its client: by requests in sessions, by the call's own result in the stateless era.
 */
#include "ask_private.h"

#include <errno.h>
#include <string.h>

#include "json_private.h"
#include "json_write_private.h"

static const struct {
    const char *method, *what, *capabilities;
} kinds[] = {
    [MCP_ASK_ROOTS] = {"roots/list", "roots", "{\"requiredCapabilities\":{\"roots\":{}}}"},
    [MCP_ASK_SAMPLING] = {"sampling/createMessage", "sampling",
                          "{\"requiredCapabilities\":{\"sampling\":{}}}"},
    [MCP_ASK_FORM] = {"elicitation/create", "elicitation by form",
                      "{\"requiredCapabilities\":{\"elicitation\":{\"form\":{}}}}"},
    [MCP_ASK_URL] = {"elicitation/create", "elicitation by URL",
                     "{\"requiredCapabilities\":{\"elicitation\":{\"url\":{}}}}"},
};

bool mcp_call_can_ask(const struct mcp_call *call, enum mcp_ask what)
{
    return call->kind != CALL_COMPLETION && call->kind != CALL_METHOD && (call->client_can & 1u << what) != 0;
}

/* ---- rounds ---- */

static void free_round(struct mcp_call *call, struct asks *asks)
{
    const struct mcp_memory *memory = &call->server->config.memory;

    if (asks == NULL)
        return;
    mcp_json_writer_release(&asks->writer);
    mcp_json_free(asks->questions);
    for (uint32_t i = 0; i < asks->count; i++)
        mcp_json_free(asks->answers[i]);
    memory->release(memory->context, asks, sizeof(*asks));
}

/* The answers of the last run go when its handler has returned; all goes with the call. */
static void release(struct mcp_call *call, bool all)
{
    struct mcp_session *session = call->reply.session;

    if (call->inputs != NULL && !all && session != NULL) {
        session->held -= call->inputs->held;
        call->asks_held -= call->inputs->held;
    }
    free_round(call, call->inputs);
    call->inputs = NULL;
    if (all)
        free_round(call, call->asks);
}

static struct asks *round_of(struct mcp_call *call)
{
    const struct mcp_server_config *config = &call->server->config;

    if (call->asks != NULL)
        return call->asks;
    call->asks = config->memory.allocate(config->memory.context, sizeof(*call->asks));
    if (call->asks == NULL)
        return NULL;
    *call->asks = (struct asks){0};
    mcp_json_writer_initialise(&call->asks->writer, &config->memory, config->message_max);
    mcp_json_begin_object(&call->asks->writer);
    call->release_asks = release;
    return call->asks;
}

/* ---- asking ---- */

static void end_question(struct asks *asks)
{
    if (asks->count == 0)
        return;
    mcp_json_end_object(&asks->writer); /* params */
    mcp_json_end_object(&asks->writer);
}

static void refuse(struct mcp_call *call, enum mcp_ask what)
{
    struct text text = {0};

    if (call_format(call)->stateless && call->kind != CALL_METHOD && call->kind != CALL_COMPLETION) {
        text_add(&text, "Missing required client capability: ");
        text_add(&text, kinds[what].what);
        call_error(call, MCP_ERROR_MISSING_CAPABILITY, text.bytes, kinds[what].capabilities);
    } else {
        text_add(&text, "the client cannot be asked for this: ");
        text_add(&text, kinds[what].what);
        mcp_call_fail(call, text.bytes);
    }
}

struct mcp_json_writer *mcp_call_ask(struct mcp_call *call, const char *key, enum mcp_ask what)
{
    const struct mcp_version *version = call_format(call);
    struct asks *asks;
    struct text id = {0};

    if (!mcp_call_can_ask(call, what)) {
        refuse(call, what);
        return NULL;
    }
    asks = round_of(call);
    if (asks == NULL) {
        mcp_call_error(call, MCP_ERROR_OVERLOADED, "Overloaded: out of memory for a question to the client");
        return NULL;
    }
    if (asks->count == MCP_ASKS_MAX) {
        mcp_call_error(call, MCP_ERROR_INTERNAL, "Internal error: too many questions to the client at once");
        return NULL;
    }
    end_question(asks);
    asks->ids[asks->count] = ++call->server->last_ask;
    mcp_json_key_write(&asks->writer, key);
    mcp_json_begin_object(&asks->writer);
    mcp_json_member_string(&asks->writer, "method", kinds[what].method);
    mcp_json_key_write(&asks->writer, "params");
    mcp_json_begin_object(&asks->writer);
    if ((what == MCP_ASK_FORM || what == MCP_ASK_URL) && version->elicitation_modes)
        mcp_json_member_string(&asks->writer, "mode", what == MCP_ASK_FORM ? "form" : "url");
    if (what == MCP_ASK_URL && version->elicitation_ids) {
        text_add_uint(&id, asks->ids[asks->count]);
        mcp_json_member_string(&asks->writer, "elicitationId", id.bytes);
    }
    asks->count++;
    return &asks->writer;
}

/* ---- the stateless era: the questions are the result ---- */

static void send_input_required(struct mcp_call *call, const void *state, size_t size)
{
    struct message message;
    const char *text;
    size_t length;
    int result = mcp_json_finish(&call->asks->writer, &text, &length);

    if (!call_begin_answer(call))
        return;
    reply_result_begin_as(&call->reply, &message, "input_required");
    if (result == 0) {
        mcp_json_key_write(&message.writer, "inputRequests");
        json_write_trusted(&message.writer, text, length);
    }
    if (result == 0 && state != NULL) {
        mcp_json_key_write(&message.writer, "requestState");
        result = state_seal(call, state, size, &message.writer);
    }
    if (result == 0) {
        (void)reply_result_end(&call->reply, &message, NULL, 0);
    } else {
        mcp_json_writer_release(&message.writer);
        if (result == -ENOSYS)
            reply_error(&call->reply, MCP_ERROR_INTERNAL,
                        "Internal error: without entropy and a clock the server cannot protect its state",
                        NULL);
        else
            reply_writer_error(&call->reply, result);
    }
    call_end_answer(call);
}

/* ---- sessions: the questions are requests ---- */

static void resume(struct mcp_call *call)
{
    release(call, false);
    call->inputs = call->asks;
    call->asks = NULL;
    call->waiting = false;
    call_run(call, NULL);
}

static struct mcp_call *find_asker(const struct mcp_session *session, uint64_t id, uint32_t *index)
{
    for (struct mcp_call *call = session->calls; call != NULL; call = call->next)
        for (*index = 0; call->waiting && *index < call->asks->count; ++*index)
            if (call->asks->ids[*index] == id)
                return call;
    return NULL;
}

static void end_refused(struct mcp_call *call)
{
    call->waiting = false;
    mcp_call_fail(call,
                  "the client did not answer a question: with an error, or with more than there is room for");
}

/* Keeps the answer. False: there is none to keep. */
static bool keep_answer(struct mcp_session *session, struct mcp_call *call, uint32_t index,
                        struct mcp_json result)
{
    struct asks *asks = call->asks;
    size_t size;

    if (mcp_json_type(result) != MCP_JSON_OBJECT ||
        json_clone(&session->server->config.memory, result, &asks->answers[index]) != 0)
        return false;
    size = json_size(asks->answers[index]);
    if (!session_has_room(session, size))
        return false;
    asks->held += size;
    call->asks_held += size;
    session->held += size;
    asks->missing--;
    return true;
}

static void take_response(struct mcp_session *session, struct mcp_json message)
{
    struct mcp_call *call;
    uint32_t index;
    int64_t id;

    if (mcp_json_get_int(mcp_json_member(message, "id"), &id) != 0 || id <= 0)
        return;
    call = find_asker(session, (uint64_t)id, &index);
    if (call == NULL || call->asks->answers[index] != NULL)
        return;
    if (!keep_answer(session, call, index, mcp_json_member(message, "result")))
        call->asks->refused = true;
    if (call->sending)
        return; /* who sends goes on */
    if (call->asks->refused)
        end_refused(call);
    else if (call->asks->missing == 0)
        resume(call);
}

static void write_request(struct message *message, const struct mcp_call *call, uint64_t id,
                          struct mcp_json ask)
{
    size_t length;
    const char *text = mcp_json_raw(mcp_json_member(ask, "params"), &length);

    mcp_json_begin_object(&message->writer);
    mcp_json_member_string(&message->writer, "jsonrpc", "2.0");
    mcp_json_member_uint(&message->writer, "id", id);
    mcp_json_key_write(&message->writer, "method");
    mcp_json_value(&message->writer, mcp_json_member(ask, "method"));
    mcp_json_key_write(&message->writer, "params");
    mcp_json_begin_object(&message->writer);
    json_write_trusted_members(&message->writer, text, length);
    call_write_trace(message, call);
    mcp_json_end_object(&message->writer);
    mcp_json_end_object(&message->writer);
}

static int send_request(struct mcp_session *session, const struct mcp_call *call, uint64_t id,
                        struct mcp_json ask)
{
    struct message message;
    const char *text;
    size_t length;
    int result;

    message_begin(session, &message);
    write_request(&message, call, id, ask);
    result = mcp_json_finish(&message.writer, &text, &length);
    if (result == 0)
        session_send(session, text, length, call->reply.id, call->reply.id_length);
    mcp_json_writer_release(&message.writer);
    return result;
}

static int parse_questions(struct mcp_call *call)
{
    const struct mcp_memory *memory = &call->server->config.memory;
    struct asks *asks = call->asks;
    struct mcp_json_error error;
    const char *text;
    size_t length;
    int result = mcp_json_finish(&asks->writer, &text, &length);

    if (result == 0) /* the writer keeps the text */
        result = mcp_json_parse(memory, text, length, &asks->questions, &error);
    return result;
}

/* The hook may bring answers, cancel the call or close the session: what follows from it waits until all is
 * sent. */
static void send_requests(struct mcp_call *call)
{
    struct mcp_session *session = call->reply.session;
    struct asks *asks = call->asks;
    struct mcp_json ask = mcp_json_first(mcp_json_root(asks->questions));
    int result = 0;

    session_enter(session);
    session->take_response = take_response;
    asks->missing = asks->count;
    call->sending = call->waiting = true;
    for (uint32_t i = 0; i < asks->count && result == 0 && !call->cancelled; i++, ask = mcp_json_next(ask))
        result = send_request(session, call, asks->ids[i], ask);
    call->sending = false;
    call->waiting = !call->cancelled && result == 0;
    if (call->cancelled)
        mcp_call_finish(call);
    else if (result != 0)
        call_writer_error(call, result);
    else if (asks->refused)
        end_refused(call);
    else if (asks->missing == 0)
        resume(call);
    session_leave(session);
}

void mcp_call_wait(struct mcp_call *call, const void *state, size_t size)
{
    struct call_block *kept;
    int result;

    if (call->asks == NULL) {
        mcp_call_error(call, MCP_ERROR_INTERNAL, "Internal error: a call waits without a question");
        return;
    }
    end_question(call->asks);
    mcp_json_end_object(&call->asks->writer);
    call_forget_answer(call);
    call->context = NULL;
    if (call->reply.session == NULL || call->cancelled) {
        mcp_call_finish(call); /* which nobody gets */
        return;
    }
    if (call_format(call)->stateless) {
        send_input_required(call, state, size);
        return;
    }
    result = parse_questions(call);
    kept = result == 0 && state != NULL ? block_allocate(call->server, size + 1) : NULL;
    if (result != 0 || (state != NULL && kept == NULL)) {
        call_writer_error(call, result != 0 ? result : -ENOMEM);
        return;
    }
    if (kept != NULL)
        memcpy(kept->bytes, state, size);
    call_release_run(call); /* the state may have been in it */
    if (kept != NULL)
        call_adopt(call, kept);
    call->state = kept != NULL ? kept->bytes : NULL;
    call->state_size = size;
    send_requests(call);
}

/* ---- the next run ---- */

struct mcp_json mcp_call_input(const struct mcp_call *call, const char *key)
{
    struct mcp_json question;
    uint32_t index = 0;

    if (call->inputs == NULL)
        return call_format(call)->stateless && call->kind != CALL_METHOD
                   ? mcp_json_member(mcp_json_member(call->params, "inputResponses"), key)
                   : (struct mcp_json){0};
    question = mcp_json_first(mcp_json_root(call->inputs->questions));
    while (mcp_json_type(question) != MCP_JSON_NONE && !mcp_json_equals(mcp_json_key(question), key)) {
        question = mcp_json_next(question);
        index++;
    }
    if (mcp_json_type(question) == MCP_JSON_NONE || call->inputs->answers[index] == NULL)
        return (struct mcp_json){0};
    return mcp_json_root(call->inputs->answers[index]);
}

int mcp_call_state(struct mcp_call *call, const void **state, size_t *size)
{
    struct mcp_json sealed = mcp_json_member(call->params, "requestState");
    int result;

    *state = call->state;
    *size = call->state != NULL ? call->state_size : 0;
    if (call->state != NULL || mcp_json_type(sealed) == MCP_JSON_NONE || !call_format(call)->stateless ||
        call->kind == CALL_METHOD) /* whose params are the tool's own arguments */
        return 0;
    result = state_open(call, sealed, state, size);
    if (result == -ENOMEM)
        mcp_call_error(call, MCP_ERROR_OVERLOADED, "Overloaded: out of memory for the state of this request");
    else if (result == -ENOSYS)
        mcp_call_error(call, MCP_ERROR_INTERNAL,
                       "Internal error: without entropy and a clock the server cannot check its state");
    else if (result != 0)
        mcp_call_error(call, MCP_ERROR_INVALID_PARAMS,
                       "Invalid params: requestState is not one of this server for this request, or too old");
    return result;
}
