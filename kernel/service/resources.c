/* SPDX-License-Identifier: MIT
 *
 * A client needs the tool that tells the same: logs for the log, metadata for the models, infer for the
 * prompt.
 */
#include <errno.h>
#include <string.h>

#include <hooks/library_memory.h>
#include <logging/log.h>
#include <service/model.h>
#include <service/model_list.h>
#include <service/policy.h>
#include <service/resources.h>
#include <service/share.h>
#include <service/tools.h>

#define LISTING_SIZE_MAX (512u * 1024) /* bytes of JSON */

/* ---- logs://kernel ---- */

/* Writes the lines that the log remembers, as far as they fit, and returns how long that is; without a text,
 * how long all are. */
static size_t write_lines(char *text, size_t size)
{
    uint64_t cursor = 0;
    struct log_entry entry;
    size_t length = 0;
    while (log_read(&cursor, LOG_DEBUG, &entry, NULL) == 1) {
        char line[LOG_FORMATTED_MAX + 1];
        size_t line_length = log_line_format(&entry, line, sizeof line);
        if (text != NULL) {
            if (line_length > size - length)
                break; /* said since the size was taken */
            memcpy(text + length, line, line_length);
        }
        length += line_length;
    }
    return length;
}

static void read_log(struct mcp_call *call, void *context)
{
    (void)context;
    if (!tools_admit(call))
        return;
    size_t size = write_lines(NULL, 0);
    char *text = budget_alloc(&client_pool, size);
    if (text == NULL) {
        tools_overloaded(call, "out of memory for the log");
        return;
    }
    mcp_call_text(call, text, write_lines(text, size));
    budget_free(&client_pool, text, size);
    mcp_call_finish(call);
}

/* ---- models:// and models://{+path} ---- */

static struct virtio_fs *working_share(void)
{
    return share_tag() != NULL ? share_get() : NULL;
}

/* Runs a job with the call now, or where it waits for the host in the worker that may. */
static void run_or_queue(struct mcp_call *call, void (*run)(void *argument))
{
    if (!tools_admit(call))
        return;
    if (share_tag() == NULL)
        run(call);
    else
        tools_queue(run, tools_refuse, call);
}

/* Answers with the object that is in the writer, which is released. */
static void finish_with_json(struct mcp_call *call, struct mcp_json_writer *writer)
{
    const char *text;
    size_t length;
    mcp_json_end_object(writer);
    if (mcp_json_finish(writer, &text, &length) == 0) {
        mcp_call_text(call, text, length);
        mcp_call_finish(call);
    } else {
        mcp_call_fail(call, "the list of models is too long, or memory is short");
    }
    mcp_json_writer_release(writer);
}

static void begin_json(struct mcp_json_writer *writer)
{
    mcp_json_writer_initialise(writer, &kernel_mcp_memory, LISTING_SIZE_MAX);
    mcp_json_begin_object(writer);
}

static void run_read_models(void *argument)
{
    struct airt_description description = {.name = "", .format = ""};
    struct mcp_json_writer writer;
    if (model_get() != NULL)
        airt_describe(model_get(), &description);
    begin_json(&writer);
    mcp_json_member_string(&writer, "loaded", description.name);
    model_list_write(&writer, working_share());
    finish_with_json(argument, &writer);
}

static void read_models(struct mcp_call *call, void *context)
{
    (void)context;
    run_or_queue(call, run_read_models);
}

struct sought {
    const char *path;
    uint64_t size;
    bool from_share;
};

static int compare_entry(void *context, const char *path, uint64_t size, bool from_share)
{
    struct sought *sought = context;
    if (strcmp(path, sought->path) != 0)
        return 0;
    sought->size = size;
    sought->from_share = from_share;
    return 1;
}

static void run_read_model(void *argument)
{
    struct mcp_call *call = argument;
    struct sought sought = {.from_share = false};
    size_t length;
    if (mcp_call_string(call, "path", &sought.path, &length) != 0)
        return;
    bool found = strlen(sought.path) == length && model_list(NULL, compare_entry, &sought) == 1;
    struct virtio_fs *share = working_share();
    struct virtio_fs_attributes attributes;
    if (!found && strlen(sought.path) == length && share != NULL &&
        virtio_fs_stat(share, sought.path, &attributes) == 0 && attributes.type == VIRTIO_FS_FILE) {
        sought.size = attributes.size;
        sought.from_share = found = true;
    }
    if (!found) {
        mcp_call_not_found(call);
        return;
    }
    struct mcp_json_writer writer;
    begin_json(&writer);
    mcp_json_member_string(&writer, "path", sought.path);
    mcp_json_member_uint(&writer, "size", sought.size);
    mcp_json_member_string(&writer, "from", sought.from_share ? "share" : "boot module");
    finish_with_json(call, &writer);
}

static void read_model(struct mcp_call *call, void *context)
{
    (void)context;
    run_or_queue(call, run_read_model);
}

static int suggest_entry(void *context, const char *path, uint64_t size, bool from_share)
{
    const char *name, *value;
    size_t length;
    (void)size;
    (void)from_share;
    mcp_call_completing(context, &name, &value, &length);
    if (strlen(path) >= length && memcmp(path, value, length) == 0)
        mcp_call_suggest(context, path);
    return 0;
}

static void run_complete_path(void *argument)
{
    (void)model_list(working_share(), suggest_entry, argument);
    mcp_call_finish(argument);
}

static void complete_path(struct mcp_call *call, void *context)
{
    (void)context;
    run_or_queue(call, run_complete_path);
}

/* ---- the prompt ---- */

static void prompt_ask(struct mcp_call *call, void *context)
{
    const char *question;
    size_t length;
    (void)context;
    if (!tools_admit(call) || mcp_call_string(call, "question", &question, &length) != 0)
        return;
    struct airt_description description = {.name = "the model"};
    if (model_get() != NULL)
        airt_describe(model_get(), &description);
    char text[200];
    (void)log_format(
        text, sizeof text,
        "Ask %.100s with the tool `infer`, and tell me its answer. The question is:", description.name);
    mcp_call_text(call, text, strlen(text));
    mcp_call_text(call, question, length);
    mcp_call_finish(call);
}

static int discard(void *context, const char *text, size_t length)
{
    (void)context;
    (void)text;
    (void)length;
    return 0;
}

/* A dictionary says which of its questions is nearest to what is there so far. */
static void run_complete_question(void *argument)
{
    struct mcp_call *call = argument;
    const char *name;
    struct airt_request request = {.max_tokens = 1, .top_p = 1};
    struct airt_result result;
    struct airt_description description;
    mcp_call_completing(call, &name, &request.prompt, &request.prompt_length);
    struct airt_model *model = model_hold();
    if (model != NULL && request.prompt_length > 0) {
        airt_describe(model, &description);
        if (description.entries > 0 && airt_infer(model, &request, discard, NULL, &result, NULL) == 0 &&
            result.matched)
            mcp_call_suggest(call, result.match);
    }
    model_release(model);
    mcp_call_finish(call);
}

static void complete_question(struct mcp_call *call, void *context)
{
    (void)context;
    if (tools_admit(call))
        tools_queue_inference(run_complete_question, tools_refuse, call);
}

/* ---- all ---- */

int resources_add(struct mcp_server *server)
{
    const uint32_t log = policy_needs("logs"), models = policy_needs("metadata");
    const struct mcp_resource resources[] = {
        {.uri = RESOURCE_LOG,
         .name = "kernel log",
         .title = "The kernel's log",
         .description = "All lines that the log remembers, the oldest first.",
         .mime_type = "text/plain",
         .needs = log,
         .handler = read_log},
        {.uri = RESOURCE_MODELS,
         .name = "models",
         .title = "Models that can be loaded",
         .description = "The boot modules and the files of the share, with sizes, and which is loaded.",
         .mime_type = "application/json",
         .needs = models,
         .handler = read_models},
        {.uri = RESOURCE_MODELS "{+path}",
         .name = "model",
         .title = "One model that can be loaded",
         .description = "Where it is, and its size.",
         .mime_type = "application/json",
         .needs = models,
         .handler = read_model,
         .complete = complete_path},
    };
    static const struct mcp_prompt_argument arguments[] = {
        {.name = "question", .description = "what to ask", .required = true}};
    const struct mcp_prompt prompt = {.name = "ask",
                                      .title = "Ask the model in the machine",
                                      .description = "Has a question answered by the model that the "
                                                     "machine has loaded, by its tool infer.",
                                      .arguments = arguments,
                                      .argument_count = 1,
                                      .needs = policy_needs("infer"),
                                      .handler = prompt_ask,
                                      .complete = complete_question};
    int error = 0;
    for (size_t i = 0; error == 0 && i < sizeof resources / sizeof resources[0]; i++)
        error = mcp_server_add_resource(server, &resources[i]);
    return error == 0 ? mcp_server_add_prompt(server, &prompt) : error;
}
