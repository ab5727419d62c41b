/* SPDX-License-Identifier: MIT
 *
 * infer, metadata, load_model.
 */
#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/timer.h>
#include <hooks/library_memory.h>
#include <logging/log.h>
#include <memory/heap.h>
#include <service/connections.h>
#include <service/model.h>
#include <service/model_list.h>
#include <service/resources.h>
#include <service/share.h>
#include <service/tools.h>

#define TEXT_MAX (480u * 1024) /* of one answer, which travels twice in a message of 1 MiB */

static struct mcp_server *server_of_tools;

/* ---- infer ---- */

struct inference {
    struct mcp_call *call;
    struct airt_request request;
    char *text;
    size_t length, size;
    bool too_long;
};

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
    return mcp_call_is_cancelled(inference->call);
}

static void write_inference(struct inference *inference, const struct airt_result *result,
                            uint64_t elapsed_us)
{
    struct airt_description description;
    airt_describe(model_get(), &description);
    struct mcp_json_writer *writer = mcp_call_result(inference->call);
    mcp_json_begin_object(writer);
    mcp_json_key_write(writer, "text");
    mcp_json_string_n(writer, inference->text != NULL ? inference->text : "", inference->length);
    mcp_json_member_uint(writer, "tokens", result->tokens);
    mcp_json_member_uint(writer, "prompt_tokens", result->prompt_tokens);
    mcp_json_member_double(writer, "latency_ms", (double)elapsed_us / 1000.0);
    mcp_json_member_string(writer, "finish_reason", result->finish == AIRT_FINISH_LENGTH ? "length" : "stop");
    mcp_json_member_bool(writer, "matched", result->matched);
    mcp_json_member_double(writer, "score", (double)result->score);
    mcp_json_member_string(writer, "match", result->match);
    mcp_json_member_string(writer, "model", description.name);
    mcp_json_end_object(writer);
    mcp_call_text(inference->call, inference->text != NULL ? inference->text : "", inference->length);
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

static void run_inference(void *argument)
{
    struct mcp_call *call = argument;
    struct inference *inference = mcp_call_get_context(call);
    struct airt_error error = {""};
    struct airt_result result;
    uint64_t start = timer_now_us();
    if (model_get() == NULL) {
        fail_without_model(call);
    } else {
        int status = airt_infer(model_get(), &inference->request, append_text, inference, &result, &error);
        if (status == 0)
            write_inference(inference, &result, timer_now_us() - start);
        else if (inference->too_long)
            mcp_call_fail(call, "the answer is longer than 480 KiB: give max_tokens");
        else if (status == -ECANCELED)
            mcp_call_fail(call, mcp_call_is_cancelled(call) ? "cancelled" : "out of memory for the answer");
        else
            mcp_call_fail(call, error.text);
    }
    if (inference->text != NULL)
        budget_free(&client_pool, inference->text, inference->size);
    budget_free(&client_pool, inference, sizeof *inference);
}

static void refuse_inference(void *argument)
{
    struct inference *inference = mcp_call_get_context(argument);
    tools_refuse(argument);
    budget_free(&client_pool, inference, sizeof *inference);
}

static void infer(struct mcp_call *call, void *context)
{
    (void)context;
    const char *prompt;
    size_t prompt_length;
    int64_t max_tokens, seed;
    double temperature, top_p;
    if (mcp_call_string(call, "prompt", &prompt, &prompt_length) != 0 ||
        mcp_call_int_or(call, "max_tokens", 0, 1, 65536, &max_tokens) != 0 ||
        mcp_call_double_or(call, "temperature", 0, 0, 10, &temperature) != 0 ||
        mcp_call_double_or(call, "top_p", 1, 0, 1, &top_p) != 0 ||
        mcp_call_int_or(call, "seed", 0, 0, INT64_MAX, &seed) != 0)
        return;
    struct inference *inference = budget_alloc(&client_pool, sizeof *inference);
    if (inference == NULL) {
        tools_overloaded(call, "out of memory for the call");
        return;
    }
    *inference = (struct inference){.call = call,
                                    .request = {.prompt = prompt,
                                                .prompt_length = prompt_length,
                                                .max_tokens = (uint32_t)max_tokens,
                                                .temperature = (float)temperature,
                                                .top_p = (float)top_p,
                                                .seed = (uint64_t)seed}};
    mcp_call_set_context(call, inference);
    tools_queue(run_inference, refuse_inference, call);
}

/* ---- load_model ---- */

/* A hundredth of a file is worth a notification. */
struct told {
    struct mcp_call *call;
    uint64_t next; /* bytes */
};

static void tell_progress(void *context, uint64_t done, uint64_t size)
{
    struct told *told = context;
    if (done < told->next && done < size)
        return;
    told->next = done + size / 100;
    mcp_call_progress(told->call, (double)done, (double)size, "bytes read");
}

static void run_load(void *argument)
{
    struct mcp_call *call = argument;
    const char *path;
    size_t length;
    struct airt_error error = {""};
    if (mcp_call_string(call, "path", &path, &length) != 0)
        return;
    if (length > VIRTIO_FS_PATH_MAX || strlen(path) != length) {
        (void)mcp_call_reject(call, "path",
                              length > VIRTIO_FS_PATH_MAX ? "is longer than 4095 bytes" : "has a NUL");
        return;
    }
    uint64_t start = timer_now_us();
    struct told told = {.call = call, .next = 0};
    model_tell_progress(tell_progress, &told);
    if (model_load(path, &error) != 0) {
        mcp_call_fail(call, error.text);
        return;
    }
    struct airt_description description;
    airt_describe(model_get(), &description);
    struct mcp_json_writer *writer = mcp_call_result(call);
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "status", "loaded");
    mcp_json_member_string(writer, "path", path);
    mcp_json_member_string(writer, "model_name", description.name);
    mcp_json_member_string(writer, "format", description.format);
    mcp_json_member_uint(writer, "entries", description.entries);
    mcp_json_member_uint(writer, "bytes", description.bytes);
    mcp_json_member_double(writer, "latency_ms", (double)(timer_now_us() - start) / 1000.0);
    mcp_json_end_object(writer);
    mcp_call_finish(call);
    connections_notices(true);
    mcp_server_resource_updated(server_of_tools, RESOURCE_MODELS);
    connections_notices(false);
}

static void load_model(struct mcp_call *call, void *context)
{
    (void)context;
    const char *path;
    size_t length;
    if (mcp_call_string(call, "path", &path, &length) != 0)
        return;
    tools_queue(run_load, tools_refuse, call);
}

/* ---- metadata ---- */

static void write_features(struct mcp_json_writer *writer)
{
    const struct cpu_features *cpu = cpu_get_features();
    const struct {
        const char *name;
        bool present;
    } features[] = {
        {"sse2", true},          {"sse4.2", cpu->sse42}, {"avx", cpu->avx},         {"avx2", cpu->avx2},
        {"fma", cpu->fma},       {"f16c", cpu->f16c},    {"avx512f", cpu->avx512f}, {"rdrand", cpu->rdrand},
        {"rdseed", cpu->rdseed}, {"nx", cpu->nx},        {"smep", cpu->smep},       {"smap", cpu->smap},
        {"umip", cpu->umip}};
    mcp_json_key_write(writer, "features");
    mcp_json_begin_array(writer);
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        if (features[i].present)
            mcp_json_string(writer, features[i].name);
    mcp_json_end_array(writer);
}

/* With a share, in the model task: listing it waits for the host. */
static void run_metadata(void *argument)
{
    struct mcp_call *call = argument;
    struct airt_description description = {.name = "", .format = "", .quantization = "", .arch = ""};
    if (model_get() != NULL)
        airt_describe(model_get(), &description);
    struct mcp_json_writer *writer = mcp_call_result(call);
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "model_name", description.name);
    mcp_json_member_string(writer, "format", description.format);
    mcp_json_member_string(writer, "quantization", description.quantization);
    mcp_json_member_string(writer, "arch", description.arch);
    mcp_json_member_uint(writer, "entries", description.entries);
    mcp_json_member_uint(writer, "bytes", description.bytes);
    model_list_write(writer, share_tag() != NULL ? share_get() : NULL);
    write_features(writer);
    mcp_json_key_write(writer, "build");
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "version", MK_VERSION);
    mcp_json_member_string(writer, "compiler", __VERSION__);
    mcp_json_member_string(writer, "cpu", cpu_get_features()->brand);
    mcp_json_member_string(writer, "boot",
                           model_modules()->protocol == BOOT_MULTIBOOT2 ? "multiboot2" : "pvh");
    mcp_json_end_object(writer);
    mcp_json_end_object(writer);
    mcp_call_finish(call);
}

static void metadata(struct mcp_call *call, void *context)
{
    (void)context;
    if (share_tag() == NULL)
        run_metadata(call);
    else
        tools_queue(run_metadata, tools_refuse, call);
}

int tools_model_add(struct mcp_server *server)
{
    static const struct mcp_tool tools[] = {
        {.name = "infer",
         .title = "Ask the model",
         .description = "Answers a prompt with the model that is loaded. A dictionary model answers the "
                        "question that matches best, with "
                        "its score, and says so when nothing matches.",
         .input_schema = "{\"type\":\"object\",\"properties\":{"
                         "\"prompt\":{\"type\":\"string\",\"description\":\"what to answer\"},"
                         "\"max_tokens\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":65536},"
                         "\"temperature\":{\"type\":\"number\",\"minimum\":0,\"maximum\":10},"
                         "\"top_p\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1},"
                         "\"seed\":{\"type\":\"integer\",\"minimum\":0}},"
                         "\"required\":[\"prompt\"],\"additionalProperties\":false}",
         .output_schema = "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"},"
                          "\"tokens\":{\"type\":\"integer\"},\"prompt_tokens\":{\"type\":\"integer\"},"
                          "\"latency_ms\":{\"type\":\"number\"},"
                          "\"finish_reason\":{\"type\":\"string\",\"enum\":[\"stop\",\"length\"]},"
                          "\"matched\":{\"type\":\"boolean\"},\"score\":{\"type\":\"number\"},"
                          "\"match\":{\"type\":\"string\"},\"model\":{\"type\":\"string\"}},"
                          "\"required\":[\"text\",\"tokens\",\"latency_ms\"]}",
         .annotations = "{\"readOnlyHint\":true,\"openWorldHint\":false}",
         .handler = infer},
        {.name = "metadata",
         .title = "About the model and the machine",
         .description = "The loaded model, the models that can be loaded, the CPU's features, and the build.",
         .input_schema = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
         .output_schema = "{\"type\":\"object\",\"properties\":{\"model_name\":{\"type\":\"string\"},"
                          "\"quantization\":{\"type\":\"string\"},\"arch\":{\"type\":\"string\"},"
                          "\"features\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
                          "\"build\":{\"type\":\"object\"}},"
                          "\"required\":[\"model_name\",\"quantization\",\"arch\",\"features\",\"build\"]}",
         .annotations = "{\"readOnlyHint\":true,\"openWorldHint\":false}",
         .handler = metadata},
        {.name = "load_model",
         .title = "Load another model",
         .description = "Replaces the model by a boot module or a file of the share, named as metadata lists "
                        "them; a path "
                        "into the share's folders will do, too. When that fails, the old model stays.",
         .input_schema =
             "{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\",\"description\":\"a name "
             "from metadata's models\"}},\"required\":[\"path\"],\"additionalProperties\":false}",
         .output_schema = "{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\"},"
                          "\"path\":{\"type\":\"string\"}},\"required\":[\"status\",\"path\"]}",
         .annotations = "{\"readOnlyHint\":false,\"destructiveHint\":true,\"idempotentHint\":true,"
                        "\"openWorldHint\":false}",
         .handler = load_model},
    };
    server_of_tools = server;
    return tools_add(server, tools, sizeof tools / sizeof tools[0]);
}
