/* SPDX-License-Identifier: MIT
 *
 * infer.
 */
#include <errno.h>
#include <string.h>

#include <arch/timer.h>
#include <hooks/library_memory.h>
#include <logging/log.h>
#include <service/connections.h>
#include <service/inference.h>
#include <service/model.h>
#include <service/tools.h>

#define TEXT_MAX (480u * 1024) /* of one answer, which travels twice in a message of 1 MiB */

/* ---- while it runs ---- */

/* The text as it is made, for a client that asked for progress and reads what it gets. */
static void tell_piece(struct inference *inference, const char *text, size_t length)
{
    char piece[256];
    while (length > 0) {
        size_t part = length < sizeof piece ? length : sizeof piece - 1;
        while (part < length && ((unsigned char)text[part] & 0xc0) == 0x80)
            part--; /* not within a character */
        memcpy(piece, text, part);
        piece[part] = '\0';
        connections_notices(true);
        mcp_call_progress(inference->call, (double)++inference->pieces, 0, piece);
        connections_notices(false);
        text += part;
        length -= part;
    }
}

static int append_text(void *context, const char *text, size_t length)
{
    struct inference *inference = context;
    if (length > TEXT_MAX - inference->length) {
        inference->too_long = true;
        return 1;
    }
    if (inference->length + length > inference->size) {
        size_t size = (inference->length + length) * 2;
        char *grown = budget_resize(&client_pool, inference->text, inference->size, size);
        if (grown == NULL)
            return 1;
        inference->text = grown;
        inference->size = size;
    }
    memcpy(inference->text + inference->length, text, length);
    inference->length += length;
    tell_piece(inference, text, length);
    return mcp_call_is_cancelled(inference->call);
}

static void write_token(struct mcp_json_writer *writer, const struct inference *inference,
                        const struct airt_token *token)
{
    const char *piece;
    size_t length;
    (void)airt_token_piece(inference->model, token->id, &piece, &length);
    mcp_json_member_uint(writer, "id", token->id);
    mcp_json_key_write(writer, "text");
    mcp_json_string_n(writer, piece, length);
    mcp_json_member_double(writer, "logprob", (double)token->logprob);
}

static int note_token(void *context, const struct airt_token *chosen, const char *piece, size_t length,
                      const struct airt_token *likely, size_t count)
{
    struct inference *inference = context;
    struct mcp_json_writer *writer = &inference->logprobs;
    (void)piece;
    (void)length;
    mcp_json_begin_object(writer);
    write_token(writer, inference, chosen);
    mcp_json_key_write(writer, "likely");
    mcp_json_begin_array(writer);
    for (size_t i = 0; i < count; i++) {
        mcp_json_begin_object(writer);
        write_token(writer, inference, &likely[i]);
        mcp_json_end_object(writer);
    }
    mcp_json_end_array(writer);
    mcp_json_end_object(writer);
    return mcp_call_is_cancelled(inference->call);
}

/* ---- the answer ---- */

static const char *finish_name(enum airt_finish finish)
{
    switch (finish) {
    case AIRT_FINISH_LENGTH:
        return "length";
    case AIRT_FINISH_TIME:
        return "time";
    default:
        return "stop";
    }
}

static void write_logprobs(struct mcp_json_writer *writer, struct inference *inference)
{
    const char *text;
    size_t length;
    mcp_json_end_array(&inference->logprobs);
    if (mcp_json_finish(&inference->logprobs, &text, &length) != 0)
        return; /* too many, or no memory: the answer is worth more */
    mcp_json_key_write(writer, "logprobs");
    mcp_json_raw_value(writer, text, length);
}

static void write_answer(struct inference *inference, const struct airt_result *result, uint64_t elapsed_us)
{
    struct airt_description description;
    airt_describe(inference->model, &description);
    const char *text = inference->text != NULL ? inference->text : "";
    struct mcp_json_writer *writer = mcp_call_result(inference->call);
    mcp_json_begin_object(writer);
    mcp_json_key_write(writer, "text");
    mcp_json_string_n(writer, text, inference->length);
    mcp_json_member_uint(writer, "tokens", result->tokens);
    mcp_json_member_uint(writer, "prompt_tokens", result->prompt_tokens);
    mcp_json_member_double(writer, "latency_ms", (double)elapsed_us / 1000.0);
    mcp_json_member_string(writer, "finish_reason", finish_name(result->finish));
    mcp_json_member_bool(writer, "matched", result->matched);
    mcp_json_member_double(writer, "score", (double)result->score);
    mcp_json_member_string(writer, "match", result->match);
    mcp_json_member_string(writer, "model", description.name);
    if (description.vocabulary > 0) {
        mcp_json_member_double(writer, "first_token_ms", (double)result->first_token_us / 1000.0);
        if (result->elapsed_us > result->first_token_us && result->tokens > 1)
            mcp_json_member_double(writer, "tokens_per_second",
                                   (double)(result->tokens - 1) * 1e6 /
                                       (double)(result->elapsed_us - result->first_token_us));
        mcp_json_member_uint(writer, "seed", result->seed);
        mcp_json_member_string(writer, "model_sha256", description.sha256);
        mcp_json_member_string(writer, "instruction_set", description.instruction_set);
        mcp_json_member_string(writer, "template", description.template_family);
        if (inference->request.logprobs > 0)
            write_logprobs(writer, inference);
    }
    mcp_json_end_object(writer);
    mcp_call_text(inference->call, text, inference->length);
    mcp_call_finish(inference->call);
}

static void fail_without_model(struct mcp_call *call)
{
    const char *reason = model_first_error();
    char text[sizeof(struct airt_error) + 100];
    (void)log_format(text, sizeof text,
                     "no model is loaded%s%s; use load_model, or start with another boot module",
                     reason[0] != '\0' ? ": " : "", reason);
    mcp_call_fail(call, text);
}

static void run(void *argument)
{
    struct mcp_call *call = argument;
    struct inference *inference = mcp_call_get_context(call);
    struct airt_error error = {""};
    struct airt_result result;
    uint64_t start = timer_now_us();
    struct airt_model *model = inference->model = model_hold();
    if (model == NULL) {
        fail_without_model(call);
    } else {
        if (inference->request.logprobs > 0) {
            inference->request.token = note_token;
            mcp_json_begin_array(&inference->logprobs);
        }
        int status = airt_infer(model, &inference->request, append_text, inference, &result, &error);
        if (status == 0)
            write_answer(inference, &result, timer_now_us() - start);
        else if (inference->too_long)
            mcp_call_fail(call, "the answer is longer than 480 KiB: give max_tokens");
        else if (status == -ECANCELED)
            mcp_call_fail(call, mcp_call_is_cancelled(call) ? "cancelled" : "out of memory for the answer");
        else
            mcp_call_fail(call, error.text);
    }
    model_release(model);
    inference_free(inference);
}

static void refuse(void *argument)
{
    struct inference *inference = mcp_call_get_context(argument);
    tools_refuse(argument);
    inference_free(inference);
}

static void infer(struct mcp_call *call, void *context)
{
    (void)context;
    struct inference *inference = inference_read(call);
    if (inference == NULL)
        return;
    mcp_call_set_context(call, inference);
    tools_queue_inference(run, refuse, call);
}

int tools_infer_add(struct mcp_server *server)
{
    static const struct mcp_tool tool = {
        .name = "infer",
        .title = "Ask the model",
        .description =
            "Answers with the model that is loaded: a prompt, or a conversation. A language model generates, "
            "and sends its text as progress messages meanwhile. A dictionary answers the question that "
            "matches best, with its score, and says so when nothing matches.",
        .input_schema =
            "{\"type\":\"object\",\"properties\":{"
            "\"prompt\":{\"type\":\"string\",\"description\":\"what to answer\"},"
            "\"messages\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":1000,\"description\":"
            "\"a conversation, instead of prompt\",\"items\":{\"type\":\"object\",\"properties\":{"
            "\"role\":{\"enum\":[\"system\",\"user\",\"assistant\"]},\"content\":{\"type\":\"string\"}},"
            "\"required\":[\"role\",\"content\"],\"additionalProperties\":false}},"
            "\"raw\":{\"type\":\"boolean\",\"description\":"
            "\"continue the prompt as it is, without the model's chat template\"},"
            "\"max_tokens\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":65536},"
            "\"max_ms\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":3600000,\"description\":"
            "\"time that it may take\"},"
            "\"temperature\":{\"type\":\"number\",\"minimum\":0,\"maximum\":10},"
            "\"top_p\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1},"
            "\"top_k\":{\"type\":\"integer\",\"minimum\":0},"
            "\"min_p\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1},"
            "\"repeat_penalty\":{\"type\":\"number\",\"minimum\":0.01,\"maximum\":10},"
            "\"seed\":{\"type\":\"integer\",\"minimum\":0},"
            "\"stop\":{\"anyOf\":[{\"type\":\"string\",\"minLength\":1},{\"type\":\"array\",\"maxItems\":8,"
            "\"items\":{\"type\":\"string\",\"minLength\":1}}],\"description\":"
            "\"the answer ends before any of these\"},"
            "\"logprobs\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":20,\"description\":"
            "\"how many likely tokens to tell for each one; left out where that is more than 256 KiB\"}},"
            "\"additionalProperties\":false}",
        .output_schema =
            "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"},"
            "\"tokens\":{\"type\":\"integer\"},\"prompt_tokens\":{\"type\":\"integer\"},"
            "\"latency_ms\":{\"type\":\"number\"},"
            "\"finish_reason\":{\"type\":\"string\",\"enum\":[\"stop\",\"length\",\"time\"]},"
            "\"matched\":{\"type\":\"boolean\"},\"score\":{\"type\":\"number\"},"
            "\"match\":{\"type\":\"string\"},\"model\":{\"type\":\"string\"},"
            "\"first_token_ms\":{\"type\":\"number\"},\"tokens_per_second\":{\"type\":\"number\"},"
            "\"seed\":{\"type\":\"integer\"},\"model_sha256\":{\"type\":\"string\"},"
            "\"instruction_set\":{\"type\":\"string\"},\"template\":{\"type\":\"string\"},"
            "\"logprobs\":{\"type\":\"array\"}},"
            "\"required\":[\"text\",\"tokens\",\"latency_ms\"]}",
        .annotations = "{\"readOnlyHint\":true,\"openWorldHint\":false}",
        .tasks = MCP_TASKS_OPTIONAL,
        .handler = infer};
    return tools_add(server, &tool, 1);
}
