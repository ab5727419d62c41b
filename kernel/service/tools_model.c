/* SPDX-License-Identifier: MIT
 *
 * metadata, load_model.
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

static struct mcp_server *server_of_tools;

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

static void write_generator(struct mcp_json_writer *writer, const struct airt_description *description)
{
    mcp_json_member_uint(writer, "parameters", description->parameters);
    mcp_json_member_uint(writer, "context_length", description->context_length);
    mcp_json_member_uint(writer, "embedding_length", description->embedding_length);
    mcp_json_member_uint(writer, "layers", description->layers);
    mcp_json_member_uint(writer, "vocabulary", description->vocabulary);
    mcp_json_member_uint(writer, "cache_bytes_per_token", description->cache_bytes_per_token);
    mcp_json_member_string(writer, "template", description->template_family);
    mcp_json_member_string(writer, "instruction_set", description->instruction_set);
    mcp_json_member_string(writer, "sha256", description->sha256);
}

/* With a share, in its worker: listing it waits for the host. */
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
    if (description.vocabulary > 0)
        write_generator(writer, &description);
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
         .tasks = MCP_TASKS_OPTIONAL,
         .handler = load_model},
    };
    server_of_tools = server;
    int error = tools_infer_add(server);
    if (error == 0)
        error = tools_add(server, tools, sizeof tools / sizeof tools[0]);
    return error == 0 ? tools_tokens_add(server) : error;
}
