/* SPDX-License-Identifier: MIT
 *
 * Tasks: which calls are some, and what clients ask about them (MCP 2025-11-25, "Basic / Utilities / Tasks";
 * extension io.modelcontextprotocol/tasks).
 */
#include "task.h"

#include <errno.h>

static const char needs_extension[] =
    "{\"requiredCapabilities\":{\"extensions\":{\"" TASKS_EXTENSION "\":{}}}}";

/* ---- calls of tools ---- */

static bool has_extension(const struct request *request)
{
    struct mcp_json can = mcp_json_member(request->meta, "io.modelcontextprotocol/clientCapabilities");
    struct mcp_json extension = mcp_json_member(mcp_json_member(can, "extensions"), TASKS_EXTENSION);

    return mcp_json_type(extension) == MCP_JSON_OBJECT;
}

bool task_may_use(const struct request *request)
{
    if (!request->reply.version->stateless || has_extension(request))
        return true;
    reply_error(&request->reply, MCP_ERROR_MISSING_CAPABILITY,
                "Missing required client capability: extension " TASKS_EXTENSION, needs_extension);
    return false;
}

static enum task_choice refuse(const struct request *request, const struct tool_entry *entry, const char *why)
{
    struct text text = {0};

    text_add(&text, "Method not found: tool ");
    text_add(&text, entry->tool.name);
    text_add(&text, why);
    reply_error(&request->reply, MCP_ERROR_METHOD_NOT_FOUND, text.bytes, NULL);
    return TASK_REFUSED;
}

/* 2025-11-25: the client says so. */
static enum task_choice choose_as_told(const struct request *request, const struct tool_entry *entry)
{
    struct mcp_json task = mcp_json_member(request->params, "task");
    struct mcp_json ttl = mcp_json_member(task, "ttl");
    int64_t ttl_ms;

    if (mcp_json_type(task) == MCP_JSON_NONE && entry->tool.tasks == MCP_TASKS_REQUIRED)
        return refuse(request, entry, " must be called as a task: params.task is missing");
    if (mcp_json_type(task) == MCP_JSON_NONE)
        return TASK_NO;
    if (entry->tool.tasks == MCP_TASKS_FORBIDDEN)
        return refuse(request, entry, " cannot be called as a task");
    if (mcp_json_type(task) == MCP_JSON_OBJECT &&
        (mcp_json_type(ttl) == MCP_JSON_NONE || (mcp_json_get_int(ttl, &ttl_ms) == 0 && ttl_ms >= 0)))
        return TASK_YES;
    reply_invalid_params(&request->reply, "task must be an object, and its ttl whole milliseconds");
    return TASK_REFUSED;
}

enum task_choice task_choose(const struct request *request, const struct tool_entry *entry)
{
    const struct mcp_version *version = request->reply.version;

    if (version->task_requests)
        return choose_as_told(request, entry);
    if (!version->task_extension || entry->tool.tasks == MCP_TASKS_FORBIDDEN)
        return TASK_NO;
    if (has_extension(request))
        return TASK_YES;
    if (entry->tool.tasks == MCP_TASKS_OPTIONAL)
        return TASK_NO;
    (void)task_may_use(request);
    return TASK_REFUSED;
}

/* ---- requests about tasks ---- */

/* The task that the request names; or NULL, and it is answered. */
static struct task *named(const struct request *request)
{
    struct mcp_json id = mcp_json_member(request->params, "taskId");
    struct task *task = NULL;

    if (!task_may_use(request))
        return NULL;
    tasks_expire(request->session->server);
    if (mcp_json_type(id) != MCP_JSON_STRING) {
        reply_invalid_params(&request->reply, "taskId must be a string");
    } else {
        task = task_hooks.find(request->session, request->reply.version->stateless, id);
        if (task == NULL)
            reply_invalid_params(&request->reply, "there is no such task, or it has expired");
    }
    return task;
}

static void reply_task(const struct request *request, const struct task *task)
{
    struct message message;

    reply_result_begin(&request->reply, &message);
    if (request->reply.version->stateless)
        task_write_detailed(&message.writer, task);
    else
        task_write(&message.writer, task);
    (void)reply_result_end(&request->reply, &message, NULL, 0);
}

static void handle_get(const struct request *request)
{
    const struct task *task = named(request);

    if (task != NULL)
        reply_task(request, task);
}

/* The client is gone, or does not want it any more. */
static void forget_waiter(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_finish(call);
}

static void handle_result(const struct request *request)
{
    struct task *task = named(request);
    struct mcp_call *call;

    if (task == NULL)
        return;
    if (task->outcome != NULL) {
        reply_kept(&request->reply, task->outcome_is_error, task->outcome, task->outcome_length);
    } else if (task_is_over(task)) {
        reply_invalid_params(&request->reply, "the task was cancelled: it has no result");
    } else {
        call = call_begin(request, CALL_TASK_RESULT, NULL, forget_waiter, NULL, (struct mcp_json){0});
        if (call != NULL)
            call->task = task;
    }
}

static void cancel_and_tell(const struct request *request, struct task *task)
{
    struct text text = {0};

    if (task_is_over(task)) {
        text_add(&text, "the task cannot be cancelled: it is ");
        text_add(&text, task_status_name(task));
        reply_invalid_params(&request->reply, text.bytes);
        return;
    }
    task_cancel(task);
    reply_task(request, task);
}

static void handle_cancel(const struct request *request)
{
    struct task *task = named(request);

    if (task == NULL)
        return;
    task_enter(task);
    if (!request->reply.version->stateless) {
        cancel_and_tell(request, task);
    } else {
        if (!task_is_over(task))
            task_cancel(task);
        reply_empty(&request->reply);
    }
    task_leave(task);
}

static void update(const struct request *request, struct task *task, struct mcp_json answers)
{
    int result = 0;

    if (task->status == TASK_INPUT_REQUIRED)
        result = task->call->ask_hooks->take_answers(task->call, answers);
    if (result == -EINVAL)
        reply_invalid_params(&request->reply, "each of inputResponses must be an object");
    else if (result != 0)
        reply_overloaded(&request->reply, "Overloaded: no memory for these answers");
    else
        reply_empty(&request->reply);
    if (task->call != NULL && task->status == TASK_INPUT_REQUIRED)
        task->call->ask_hooks->go_on(task->call);
}

static void handle_update(const struct request *request)
{
    struct mcp_json answers = mcp_json_member(request->params, "inputResponses");
    struct task *task = named(request);

    if (task == NULL)
        return;
    if (mcp_json_type(answers) != MCP_JSON_OBJECT) {
        reply_invalid_params(&request->reply, "inputResponses must be an object");
        return;
    }
    task_enter(task);
    update(request, task, answers);
    task_leave(task);
}

/* ---- the list of a session's tasks ---- */

static void write_item(struct mcp_json_writer *writer, const struct item *item,
                       const struct mcp_version *version)
{
    (void)version;
    mcp_json_begin_object(writer);
    task_write_brief(writer, (const struct task *)item);
    mcp_json_end_object(writer);
}

static bool is_listed(const struct request *request, const struct item *item)
{
    return task_is_of((const struct task *)item, request->session, false);
}

static void handle_list(const struct request *request)
{
    static const struct list_kind kind = {.member = "tasks", .write = write_item, .is_listed = is_listed};
    struct mcp_server *server = request->session->server;
    struct registry own;

    tasks_expire(server);
    own = (struct registry){.first = server->tasks.first, .last_serial = request->session->last_task};
    registry_list(request, &own, &kind);
}

static void write_tasks_capability(const struct mcp_server *server, const struct mcp_version *version,
                                   struct mcp_json_writer *writer)
{
    static const char requests[] = "{\"list\":{},\"cancel\":{},\"requests\":{\"tools\":{\"call\":{}}}}";
    static const char extensions[] = "{\"" TASKS_EXTENSION "\":{}}";

    (void)server;
    if (version->task_requests)
        write_json_member(writer, "tasks", requests);
    if (version->task_extension)
        write_json_member(writer, "extensions", extensions);
}

static const struct method methods[] = {
    {.name = "tasks/get", .handle = handle_get, .versions = V2025_11_25 | V2026_07_28},
    {.name = "tasks/cancel", .handle = handle_cancel, .versions = V2025_11_25 | V2026_07_28},
    {.name = "tasks/result", .handle = handle_result, .versions = V2025_11_25},
    {.name = "tasks/list", .handle = handle_list, .versions = V2025_11_25},
    {.name = "tasks/update", .handle = handle_update, .versions = V2026_07_28},
};

const struct feature feature_tasks = {.methods = methods,
                                      .method_count = sizeof(methods) / sizeof(methods[0]),
                                      .write_capabilities = write_tasks_capability,
                                      .release = tasks_remove_all};
