/* SPDX-License-Identifier: MIT
 *
 * How calls become tasks, and end with them.
 */
#include <errno.h>
#include <string.h>

#include "sha256.h"
#include "task.h"

#define DEFAULT_PER_CLIENT 64u
#define DEFAULT_IN_ALL     1024u
#define DEFAULT_TTL_MS     600000u
#define DEFAULT_POLL_MS    1000u
#define LEAST_TTL_MS       1000u

static void end_call(struct mcp_call *call)
{
    struct task *task = call->task;

    call->task = NULL;
    task_enter(task);
    task->call = NULL;
    task->removed = task->removed || !task->announced;
    task_leave(task);
}

/* Its calls go on as those of any session that has ended. */
static void end_session(struct mcp_session *session)
{
    struct task *task = task_first(session->server);

    while (task != NULL) {
        struct mcp_call *call = task->call;

        if (task->session != session) {
            task = task_next(task);
            continue;
        }
        task_enter(task);
        task->removed = true;
        if (call != NULL) {
            call->task = call->reply.task = NULL;
            task->call = NULL;
        }
        session->held -= sizeof(*task) + task->outcome_size;
        task->session = NULL;
        task_leave(task);
        task = task_first(session->server);
    }
}

/* Whether there may be one more for the owner of `task`. */
static bool is_one_too_many(const struct task *task)
{
    const struct mcp_task_config *config = &task->server->task_config;
    uint32_t count = 0, in_all = 0;

    for (const struct task *each = task_first(task->server); each != NULL; each = task_next(each)) {
        in_all++;
        count += task_has_owner_of(each, task) ? 1 : 0;
    }
    return count > config->tasks_per_client || in_all > config->tasks_in_all;
}

static int make_id(struct task *task)
{
    const struct mcp_server_config *config = &task->server->config;
    uint8_t bytes[TASK_ID_LENGTH / 2];

    if (config->entropy(config->hook_context, bytes, sizeof(bytes)) != 0)
        return -ENOSYS;
    for (size_t i = 0; i < TASK_ID_LENGTH; i++)
        task->id[i] = "0123456789abcdef"[bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    return 0;
}

static int create(struct mcp_call *call, uint32_t ttl_ms)
{
    struct mcp_server *server = call->server;
    struct mcp_session *session = call->reply.session;
    bool stateless = call->reply.version->stateless;
    struct task *task = server->config.memory.allocate(server->config.memory.context, sizeof(*task));
    int result;

    if (task == NULL)
        return -ENOMEM;
    *task = (struct task){.server = server,
                          .item.listed_size = TASK_BRIEF_MAX,
                          .session = stateless ? NULL : session,
                          .ttl_ms = ttl_ms,
                          .created = task_clock(server)};
    task->created_at = task->updated_at = task_date(server);
    memcpy(task->principal, session->principal, PRINCIPAL_SIZE);
    result = make_id(task);
    registry_append(&server->tasks, &task->item);
    server->statistics.tasks++;
    if (!stateless) {
        task->item.serial = ++session->last_task;
        session->held += sizeof(*task);
    }
    if (result == 0 && (is_one_too_many(task) || !task_has_room(task, stateless ? call_held(call) : 0)))
        result = -EAGAIN;
    if (result != 0) {
        task_free(task);
        return result;
    }
    call->task = task;
    task->call = call;
    return 0;
}

/* In the stateless era the server may do without. */
static bool begin(struct mcp_call *call, const struct request *request)
{
    const struct mcp_server *server = call->server;
    bool stateless = call->reply.version->stateless;
    uint32_t ttl_ms = server->task_config.ttl_ms;
    int64_t wanted;
    int result;

    tasks_expire(call->server);
    if (!stateless &&
        mcp_json_get_int(mcp_json_member(mcp_json_member(request->params, "task"), "ttl"), &wanted) == 0 &&
        wanted < ttl_ms)
        ttl_ms = wanted > LEAST_TTL_MS ? (uint32_t)wanted : LEAST_TTL_MS;
    result = create(call, ttl_ms);
    if (result == -ENOSYS && (!stateless || call->tool->tool.tasks == MCP_TASKS_REQUIRED)) {
        mcp_call_error(call, MCP_ERROR_INTERNAL, "Internal error: there is no entropy for the id of a task");
        return false;
    }
    if (result != 0 && (!stateless || call->tool->tool.tasks == MCP_TASKS_REQUIRED)) {
        mcp_call_error(call, MCP_ERROR_OVERLOADED,
                       result == -ENOMEM
                           ? "Overloaded: out of memory for this task"
                           : "Overloaded: too many tasks of this client, or they hold too much memory");
        return false;
    }
    if (stateless || result != 0)
        return true;
    /* The hook may end the session: no handler has the call yet, then. */
    call->waiting = call->sending = true;
    task_hooks.announce(call);
    call->waiting = call->sending = false;
    if (!call->cancelled)
        return true;
    mcp_call_finish(call);
    return false;
}

static void announce(struct mcp_call *call)
{
    struct task *task = call->task;
    struct mcp_session *session = call->reply.session;
    struct reply reply = call->reply;
    struct message message;
    bool stateless = reply.version->stateless;

    session_enter(session);
    task_enter(task);
    task->announced = call->answered = true;
    call->reply.task = task;
    if (stateless) {
        call_unlink(session, call);
        call->reply.session = NULL;
    }
    reply_result_begin_as(&reply, &message, "task");
    if (!stateless) {
        mcp_json_key_write(&message.writer, "task");
        mcp_json_begin_object(&message.writer);
    }
    task_write(&message.writer, task);
    if (!stateless)
        mcp_json_end_object(&message.writer);
    if (reply_result_end(&reply, &message, NULL, 0) != 0)
        task_remove(task); /* the client got an error */
    task_leave(task);
    session_leave(session);
}

static struct task *find(const struct mcp_session *session, bool stateless, struct mcp_json id)
{
    struct task *task = task_first(session->server);
    char text[TASK_ID_LENGTH + 1];

    if (mcp_json_get_string(id, text, sizeof(text)) != TASK_ID_LENGTH)
        return NULL;
    while (task != NULL &&
           (!task_is_of(task, session, stateless) || !equal_in_constant_time(text, task->id, TASK_ID_LENGTH)))
        task = task_next(task);
    return task;
}

const struct task_hooks task_hooks = {.choose = task_choose,
                                      .begin = begin,
                                      .announce = announce,
                                      .keep = task_keep,
                                      .fail = task_fail,
                                      .set_waiting = task_set_waiting,
                                      .describe = task_describe,
                                      .has_room = task_has_room,
                                      .end_call = end_call,
                                      .end_session = end_session,
                                      .stream = task_stream,
                                      .is_of = task_is_of,
                                      .find = find,
                                      .may_use = task_may_use,
                                      .write = task_write_detailed};

/* ---- the embedder's ---- */

int mcp_server_enable_tasks(struct mcp_server *server, const struct mcp_task_config *config)
{
    struct mcp_task_config *own = &server->task_config;

    if (server->config.entropy == NULL || server->config.clock_ms == NULL)
        return -ENOSYS;
    if (server->tools.last_serial > 0)
        return -EINVAL;
    if (config != NULL)
        *own = *config;
    if (own->tasks_per_client == 0)
        own->tasks_per_client = DEFAULT_PER_CLIENT;
    if (own->tasks_in_all == 0)
        own->tasks_in_all = DEFAULT_IN_ALL;
    if (own->ttl_ms == 0)
        own->ttl_ms = DEFAULT_TTL_MS;
    if (own->poll_ms == 0)
        own->poll_ms = DEFAULT_POLL_MS;
    server->task_hooks = &task_hooks;
    server_use(server, &feature_tasks);
    return 0;
}

void mcp_server_expire_tasks(struct mcp_server *server)
{
    if (server->task_hooks != NULL)
        tasks_expire(server);
}

void mcp_server_end_tasks(struct mcp_server *server)
{
    tasks_remove_all(server);
}
