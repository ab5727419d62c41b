/* SPDX-License-Identifier: MIT
 *
 * tokenize, embed.
 */
#include <errno.h>

#include <hooks/library_memory.h>
#include <service/model.h>
#include <service/tools.h>

/* ---- tokenize ---- */

static void write_tokens(struct mcp_call *call, const struct airt_model *model, const uint32_t *ids,
                         size_t count)
{
    struct mcp_json_writer *writer = mcp_call_result(call);
    mcp_json_begin_object(writer);
    mcp_json_member_uint(writer, "count", count);
    mcp_json_key_write(writer, "ids");
    mcp_json_begin_array(writer);
    for (size_t i = 0; i < count; i++)
        mcp_json_uint(writer, ids[i]);
    mcp_json_end_array(writer);
    mcp_json_key_write(writer, "pieces");
    mcp_json_begin_array(writer);
    for (size_t i = 0; i < count; i++) {
        const char *piece;
        size_t length;
        (void)airt_token_piece(model, ids[i], &piece, &length);
        mcp_json_string_n(writer, piece, length);
    }
    mcp_json_end_array(writer);
    mcp_json_end_object(writer);
    mcp_call_finish(call);
}

static void tokenize_with(struct mcp_call *call, struct airt_model *model, const char *text, size_t length)
{
    /* No text has more tokens than bytes, and a few at its ends. */
    size_t capacity = length + 8, count = 0;
    uint32_t *ids = budget_alloc(&client_pool, capacity * sizeof *ids);
    struct airt_error error;
    if (ids == NULL) {
        tools_overloaded(call, "out of memory for the tokens");
        return;
    }
    int status = airt_tokenize(model, text, length, true, false, ids, capacity, &count, &error);
    if (status == 0)
        write_tokens(call, model, ids, count < capacity ? count : capacity);
    else
        mcp_call_fail(call, status == -ECANCELED ? "cancelled" : error.text);
    budget_free(&client_pool, ids, capacity * sizeof *ids);
}

/* ---- embed ---- */

static void embed_with(struct mcp_call *call, struct airt_model *model, const char *text, size_t length)
{
    struct airt_description description;
    struct airt_error error;
    airt_describe(model, &description);
    size_t size = (description.embedding_length + 1) * sizeof(float);
    float *numbers = budget_alloc(&client_pool, size);
    if (numbers == NULL) {
        tools_overloaded(call, "out of memory for the embedding");
        return;
    }
    int status = airt_embed(model, text, length, numbers, &error);
    if (status == 0) {
        struct mcp_json_writer *writer = mcp_call_result(call);
        mcp_json_begin_object(writer);
        mcp_json_key_write(writer, "embedding");
        mcp_json_begin_array(writer);
        for (uint32_t i = 0; i < description.embedding_length; i++)
            mcp_json_double(writer, (double)numbers[i]);
        mcp_json_end_array(writer);
        mcp_json_end_object(writer);
        mcp_call_finish(call);
    } else {
        mcp_call_fail(call, status == -ECANCELED ? "cancelled" : error.text);
    }
    budget_free(&client_pool, numbers, size);
}

/* ---- both ---- */

static void run_with(struct mcp_call *call, void (*work)(struct mcp_call *call, struct airt_model *model,
                                                         const char *text, size_t length))
{
    const char *text;
    size_t length;
    if (mcp_call_string(call, "text", &text, &length) != 0)
        return;
    if (length > AIRT_PROMPT_MAX) {
        (void)mcp_call_reject(call, "text", "is longer than 64 KiB");
        return;
    }
    struct airt_model *model = model_hold();
    if (model == NULL)
        mcp_call_fail(call, "no model is loaded; use load_model");
    else
        work(call, model, text, length);
    model_release(model);
}

static void run_tokenize(void *call)
{
    run_with(call, tokenize_with);
}

static void run_embed(void *call)
{
    run_with(call, embed_with);
}

static void tokenize(struct mcp_call *call, void *context)
{
    (void)context;
    tools_queue_inference(run_tokenize, tools_refuse, call);
}

static void embed(struct mcp_call *call, void *context)
{
    (void)context;
    tools_queue_inference(run_embed, tools_refuse, call);
}

#define TEXT_SCHEMA                                                                                          \
    "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\",\"minLength\":1}},"                  \
    "\"required\":[\"text\"],\"additionalProperties\":false}"

int tools_tokens_add(struct mcp_server *server)
{
    static const struct mcp_tool tools[] = {
        {.name = "tokenize",
         .title = "Text as the model's tokens",
         .description = "The ids of a text's tokens, as the loaded language model reads it, and what each "
                        "stands for.",
         .input_schema = TEXT_SCHEMA,
         .output_schema = "{\"type\":\"object\",\"properties\":{\"count\":{\"type\":\"integer\"},"
                          "\"ids\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}},"
                          "\"pieces\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}},"
                          "\"required\":[\"count\",\"ids\"]}",
         .annotations = "{\"readOnlyHint\":true,\"openWorldHint\":false}",
         .handler = tokenize},
        {.name = "embed",
         .title = "Text as a vector",
         .description = "The loaded language model's embedding of a text: the mean of its last layer's "
                        "output over the tokens, of length 1.",
         .input_schema = TEXT_SCHEMA,
         .output_schema = "{\"type\":\"object\",\"properties\":{\"embedding\":{\"type\":\"array\","
                          "\"items\":{\"type\":\"number\"}}},\"required\":[\"embedding\"]}",
         .annotations = "{\"readOnlyHint\":true,\"openWorldHint\":false}",
         .handler = embed},
    };
    return tools_add(server, tools, sizeof tools / sizeof tools[0]);
}
