/* SPDX-License-Identifier: MIT
 *
 * A round of questions from when it leaves until its answers are there: by requests in sessions, by the task
 * in the stateless era. (Where a call of that era is no task, its client sends it again: ask.c.)
 */
#include <errno.h>

#include "ask_private.h"
#include "json_private.h"
#include "json_write_private.h"
#include "task.h"

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

static void release(struct mcp_call *call, bool all)
{
    struct mcp_session *session = call->reply.session;

    if (call->inputs != NULL && !all) {
        call->asks_held -= call->inputs->held;
        if (session != NULL)
            session->held -= call->inputs->held;
    }
    free_round(call, call->inputs);
    call->inputs = NULL;
    if (all)
        free_round(call, call->asks);
}

/* The hook that hears of the task may cancel the call. */
static bool next_round(struct mcp_call *call)
{
    if (call->task != NULL) {
        call->sending = true;
        call->server->task_hooks->set_waiting(call->task, false);
        call->sending = false;
        if (call->cancelled) {
            mcp_call_finish(call);
            return false;
        }
    }
    release(call, false);
    call->inputs = call->asks;
    call->asks = NULL;
    call->waiting = false;
    return true;
}

/* A handler that asked and has not returned yet is run again behind its return: rounds that are answered
 * while they are sent do not pile up on the stack. */
static void resume(struct mcp_call *call)
{
    if (call->frame != NULL)
        call->run_again = true;
    else if (next_round(call))
        call_run(call, NULL);
}

static void end_refused(struct mcp_call *call)
{
    call->waiting = false;
    mcp_call_fail(call,
                  "the client did not answer a question: with an error, or with more than there is room for");
}

/* Where nothing is to be waited for any more. */
static void go_on(struct mcp_call *call)
{
    if (!call->waiting || call->sending || call->asks == NULL || call->run_again)
        return;
    if (call->asks->refused)
        end_refused(call);
    else if (call->asks->missing == 0)
        resume(call);
}

/* 0, -EINVAL (an answer is an object), or -ENOMEM. */
static int keep_answer(struct mcp_call *call, uint32_t index, struct mcp_json result)
{
    struct mcp_session *session = call->reply.session;
    struct asks *asks = call->asks;
    struct mcp_json_document *copy;
    size_t size;

    if (mcp_json_type(result) != MCP_JSON_OBJECT)
        return -EINVAL;
    if (json_clone(&call->server->config.memory, result, &copy) != 0)
        return -ENOMEM;
    size = json_size(copy);
    if (session != NULL ? !session_has_room(session, size)
                        : !call->server->task_hooks->has_room(call->task, size)) {
        mcp_json_free(copy);
        return -ENOMEM;
    }
    asks->answers[index] = copy;
    asks->held += size;
    call->asks_held += size;
    if (session != NULL)
        session->held += size;
    asks->missing--;
    return 0;
}

/* ---- tasks of the stateless era: the client asks for the questions ---- */

/* Keys that a handler uses again in a later round are others for the client: "2-name". */
static void add_open_key(struct text *text, const struct mcp_call *call, struct mcp_json question)
{
    text_add_uint(text, call->round);
    text_add(text, "-");
    text->length += json_string_start(mcp_json_key(question), text->bytes + text->length,
                                      sizeof(text->bytes) - 1 - text->length);
    text->bytes[text->length] = '\0';
}

static void write_open(const struct mcp_call *call, struct mcp_json_writer *writer)
{
    struct mcp_json question = mcp_json_first(mcp_json_root(call->asks->questions));

    mcp_json_begin_object(writer);
    for (uint32_t i = 0; i < call->asks->count; i++, question = mcp_json_next(question)) {
        struct text key = {0};

        if (call->asks->answers[i] != NULL)
            continue;
        add_open_key(&key, call, question);
        mcp_json_key_write(writer, key.bytes);
        mcp_json_value(writer, question);
    }
    mcp_json_end_object(writer);
}

/* Answers to no question are passed over. */
static int take_answers(struct mcp_call *call, struct mcp_json answers)
{
    struct mcp_json question = mcp_json_first(mcp_json_root(call->asks->questions));
    int result = 0;

    for (uint32_t i = 0; i < call->asks->count && result == 0; i++, question = mcp_json_next(question)) {
        struct mcp_json answer;
        struct text key = {0};

        add_open_key(&key, call, question);
        answer = mcp_json_member(answers, key.bytes);
        if (call->asks->answers[i] == NULL && mcp_json_type(answer) != MCP_JSON_NONE)
            result = keep_answer(call, i, answer);
    }
    return result;
}

/* ---- sessions: the questions are requests ---- */

static struct mcp_call *find_asker(const struct mcp_session *session, uint64_t id, uint32_t *index)
{
    for (struct mcp_call *call = session->calls; call != NULL; call = call->next)
        for (*index = 0; call->waiting && call->asks != NULL && *index < call->asks->count; ++*index)
            if (call->asks->ids[*index] == id)
                return call;
    return NULL;
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
    if (keep_answer(call, index, mcp_json_member(message, "result")) != 0)
        call->asks->refused = true;
    go_on(call); /* unless it is still sending: who sends goes on */
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
    call_write_meta(message, call);
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

    message_begin(session->server, &message);
    write_request(&message, call, id, ask);
    result = mcp_json_finish(&message.writer, &text, &length);
    if (result == 0) {
        size_t id_length = 0;
        const char *stream = call_stream(call, &id_length);

        session_send(session, text, length, stream, id_length);
    }
    mcp_json_writer_release(&message.writer);
    return result;
}

static int send_requests(struct mcp_call *call, struct mcp_session *session)
{
    struct asks *asks = call->asks;
    struct mcp_json ask = mcp_json_first(mcp_json_root(asks->questions));
    int result = 0;

    session->take_response = take_response;
    for (uint32_t i = 0; i < asks->count && result == 0 && !call->cancelled; i++, ask = mcp_json_next(ask))
        result = send_request(session, call, asks->ids[i], ask);
    return result;
}

/* The hook may bring answers, cancel the call or close the session: what follows from it waits until all is
 * sent. */
void ask_begin_round(struct mcp_call *call)
{
    struct mcp_session *session = call->reply.session; /* NULL: a task of the stateless era */
    int result = 0;

    if (session != NULL)
        session_enter(session);
    call->asks->missing = call->asks->count;
    call->sending = call->waiting = true;
    if (call->task != NULL)
        call->server->task_hooks->set_waiting(call->task, true);
    if (session != NULL)
        result = send_requests(call, session);
    call->sending = false;
    if (call->cancelled) {
        mcp_call_finish(call);
    } else if (result != 0) {
        call->waiting = false;
        call_writer_error(call, result);
    } else {
        go_on(call);
    }
    if (session != NULL)
        session_leave(session);
}

const struct ask_hooks ask_hooks = {.release = release,
                                    .next_round = next_round,
                                    .write_open = write_open,
                                    .take_answers = take_answers,
                                    .go_on = go_on};
