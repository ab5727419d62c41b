/* SPDX-License-Identifier: MIT
 *
 * What a call asks its client, and the end of its run: the questions leave by ask_round.c, or as the call's
 * own result in the stateless era.
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
    call->ask_hooks = &ask_hooks;
    call->round++;
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
    if ((call->reply.session == NULL && call->reply.task == NULL) || call->cancelled) {
        mcp_call_finish(call); /* which nobody gets */
        return;
    }
    if (call_format(call)->stateless && call->reply.task == NULL) {
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
    ask_begin_round(call);
}

void mcp_call_require_urls(struct mcp_call *call)
{
    const struct mcp_server_config *config = &call->server->config;
    struct mcp_json_writer data;
    const char *text = NULL;
    size_t length = 0;
    int result;

    if (call->asks == NULL || call_format(call)->stateless) {
        mcp_call_wait(call, NULL, 0);
        return;
    }
    end_question(call->asks);
    mcp_json_end_object(&call->asks->writer);
    result = parse_questions(call);
    mcp_json_writer_initialise(&data, &config->memory, config->message_max);
    mcp_json_begin_object(&data);
    mcp_json_key_write(&data, "elicitations");
    mcp_json_begin_array(&data);
    if (result == 0)
        for (struct mcp_json question = mcp_json_first(mcp_json_root(call->asks->questions));
             mcp_json_type(question) != MCP_JSON_NONE; question = mcp_json_next(question))
            mcp_json_value(&data, mcp_json_member(question, "params"));
    mcp_json_end_array(&data);
    mcp_json_end_object(&data);
    if (result == 0)
        result = mcp_json_finish(&data, &text, &length);
    if (call_begin_answer(call)) {
        if (result != 0)
            reply_writer_error(&call->reply, result);
        else
            reply_error_data(&call->reply, MCP_ERROR_URL_REQUIRED,
                             "The client must visit a page first: see data.elicitations", text, length);
        call_end_answer(call);
    }
    mcp_json_writer_release(&data);
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
