/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <hooks/library_memory.h>
#include <service/inference.h>
#include <service/tools.h>

#define LOGPROBS_SIZE_MAX (256u * 1024) /* bytes of JSON */

/* ---- texts ---- */

/* What the strings of an array, or of the member `name` of its objects, take with a NUL each. */
static size_t size_of_texts(struct mcp_json array, const char *name)
{
    size_t size = 0;
    for (struct mcp_json item = mcp_json_first(array); mcp_json_type(item) != MCP_JSON_NONE;
         item = mcp_json_next(item))
        size += mcp_json_string_length(name != NULL ? mcp_json_member(item, name) : item) + 1;
    return size;
}

/* Decodes a string to *at, and moves that on. */
static struct airt_text decode(struct mcp_json string, char **at)
{
    struct airt_text text = {*at, mcp_json_string_length(string)};
    (void)mcp_json_get_string(string, *at, text.length + 1);
    *at += text.length + 1;
    return text;
}

static void decode_messages(struct inference *inference, struct mcp_json array, char **at)
{
    struct airt_message *messages = inference->decoded;
    for (struct mcp_json item = mcp_json_first(array); mcp_json_type(item) != MCP_JSON_NONE;
         item = mcp_json_next(item)) {
        struct mcp_json role = mcp_json_member(item, "role");
        *messages++ = (struct airt_message){mcp_json_equals(role, "system")      ? AIRT_ROLE_SYSTEM
                                            : mcp_json_equals(role, "assistant") ? AIRT_ROLE_ASSISTANT
                                                                                 : AIRT_ROLE_USER,
                                            decode(mcp_json_member(item, "content"), at)};
    }
    inference->request.messages = inference->decoded;
    inference->request.message_count = mcp_json_count(array);
}

/* The schema has been checked: `messages` are objects with a role and a text, `stop` a string or some. */
static int read_texts(struct inference *inference)
{
    struct mcp_json arguments = mcp_call_arguments(inference->call);
    struct mcp_json messages = mcp_json_member(arguments, "messages");
    struct mcp_json stop = mcp_json_member(arguments, "stop");
    bool one_stop = mcp_json_type(stop) == MCP_JSON_STRING;
    size_t structs = mcp_json_count(messages) * sizeof(struct airt_message);
    size_t texts = size_of_texts(messages, "content") +
                   (one_stop ? mcp_json_string_length(stop) + 1 : size_of_texts(stop, NULL));
    if (structs + texts == 0)
        return 0;
    inference->decoded = budget_alloc(&client_pool, structs + texts);
    if (inference->decoded == NULL) {
        tools_overloaded(inference->call, "out of memory for the call");
        return -1;
    }
    inference->decoded_size = structs + texts;
    char *at = (char *)inference->decoded + structs;
    if (structs > 0)
        decode_messages(inference, messages, &at);
    inference->request.stop = inference->stop;
    if (one_stop)
        inference->stop[inference->request.stop_count++] = decode(stop, &at);
    for (struct mcp_json item = mcp_json_first(stop);
         mcp_json_type(item) != MCP_JSON_NONE && inference->request.stop_count < AIRT_STOP_MAX;
         item = mcp_json_next(item))
        inference->stop[inference->request.stop_count++] = decode(item, &at);
    return 0;
}

/* ---- numbers ---- */

static int read_numbers(struct inference *inference)
{
    struct mcp_call *call = inference->call;
    struct airt_request *request = &inference->request;
    int64_t max_tokens, max_ms, top_k, seed, logprobs;
    double temperature, top_p, min_p, repeat_penalty;
    if (mcp_call_int_or(call, "max_tokens", 0, 1, 65536, &max_tokens) != 0 ||
        mcp_call_int_or(call, "max_ms", 0, 1, 3600000, &max_ms) != 0 ||
        mcp_call_double_or(call, "temperature", 0, 0, AIRT_TEMPERATURE_MAX, &temperature) != 0 ||
        mcp_call_double_or(call, "top_p", 1, 0, 1, &top_p) != 0 ||
        mcp_call_int_or(call, "top_k", 0, 0, INT32_MAX, &top_k) != 0 ||
        mcp_call_double_or(call, "min_p", 0, 0, 1, &min_p) != 0 ||
        mcp_call_double_or(call, "repeat_penalty", 1, 0.01, 10, &repeat_penalty) != 0 ||
        mcp_call_int_or(call, "seed", 0, 0, INT64_MAX, &seed) != 0 ||
        mcp_call_int_or(call, "logprobs", 0, 0, AIRT_LOGPROBS_MAX, &logprobs) != 0 ||
        mcp_call_bool_or(call, "raw", false, &request->raw) != 0)
        return -1;
    request->max_tokens = (uint32_t)max_tokens;
    request->max_us = (uint64_t)max_ms * 1000;
    request->temperature = (float)temperature;
    request->top_p = (float)top_p;
    request->top_k = (uint32_t)top_k;
    request->min_p = (float)min_p;
    request->repeat_penalty = (float)repeat_penalty;
    request->seed = (uint64_t)seed;
    request->logprobs = (uint32_t)logprobs;
    return 0;
}

static int read_prompt(struct inference *inference)
{
    struct mcp_json arguments = mcp_call_arguments(inference->call);
    bool messages = mcp_json_type(mcp_json_member(arguments, "messages")) != MCP_JSON_NONE;
    bool prompt = mcp_json_type(mcp_json_member(arguments, "prompt")) != MCP_JSON_NONE;
    if (messages && prompt)
        return mcp_call_reject(inference->call, "prompt", "stands beside messages: give one of them");
    if (messages)
        return 0;
    return mcp_call_string(inference->call, "prompt", &inference->request.prompt,
                           &inference->request.prompt_length);
}

struct inference *inference_read(struct mcp_call *call)
{
    struct inference *inference = budget_alloc(&client_pool, sizeof *inference);
    if (inference == NULL) {
        tools_overloaded(call, "out of memory for the call");
        return NULL;
    }
    *inference = (struct inference){.call = call};
    mcp_json_writer_initialise(&inference->logprobs, &kernel_mcp_memory, LOGPROBS_SIZE_MAX);
    if (read_prompt(inference) != 0 || read_numbers(inference) != 0 || read_texts(inference) != 0) {
        inference_free(inference);
        return NULL;
    }
    return inference;
}

void inference_free(struct inference *inference)
{
    mcp_json_writer_release(&inference->logprobs);
    if (inference->text != NULL)
        budget_free(&client_pool, inference->text, inference->size);
    if (inference->decoded != NULL)
        budget_free(&client_pool, inference->decoded, inference->decoded_size);
    budget_free(&client_pool, inference, sizeof *inference);
}
