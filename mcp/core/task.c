/* SPDX-License-Identifier: MIT
 *
 * The life of a task behind its beginning (task_call.c): it tells its client what has come of it, and is
 * forgotten when its time is over or its session ends. A task whose call still runs then is hidden, and
 * counts until that has ended.
 */
#include "task.h"

#include <string.h>

#include "sha256.h"

static const char no_room[] = "Overloaded: no memory for the result of this task";
static const char no_room_error[] =
    "{\"code\":-32000,\"message\":\"Overloaded: no memory for the result of this task\"}";

uint64_t task_clock(const struct mcp_server *server)
{
    return server->config.clock_ms(server->config.hook_context);
}

uint64_t task_date(const struct mcp_server *server)
{
    return server->task_config.unix_time_ms != NULL
               ? server->task_config.unix_time_ms(server->config.hook_context)
               : task_clock(server);
}

bool task_is_over(const struct task *task)
{
    return task->status >= TASK_COMPLETED;
}

bool task_is_of(const struct task *task, const struct mcp_session *session, bool stateless)
{
    if (task->removed || !task->announced)
        return false;
    if (!stateless)
        return task->session == session;
    return task->session == NULL &&
           equal_in_constant_time(task->principal, session->principal, PRINCIPAL_SIZE);
}

struct task *task_first(const struct mcp_server *server)
{
    return (struct task *)server->tasks.first;
}

struct task *task_next(const struct task *task)
{
    return (struct task *)task->item.next;
}

/* ---- memory ---- */

/* Of a task that belongs to a principal: what it holds, in bytes. */
static size_t held_by(const struct task *task)
{
    bool has_call = task->call != NULL && task->call->reply.session == NULL;

    return sizeof(*task) + task->outcome_size + (has_call ? call_held(task->call) : 0);
}

bool task_has_owner_of(const struct task *a, const struct task *b)
{
    return a->session == b->session &&
           (a->session != NULL || memcmp(a->principal, b->principal, PRINCIPAL_SIZE) == 0);
}

bool task_has_room(const struct task *task, size_t size)
{
    size_t limit = task->server->config.memory_per_session;
    size_t held = 0;

    if (task->session != NULL)
        return session_has_room(task->session, size);
    for (const struct task *each = task_first(task->server); each != NULL && limit != 0;
         each = task_next(each))
        held += task_has_owner_of(each, task) ? held_by(each) : 0;
    return limit == 0 || (held <= limit && size <= limit - held);
}

/* What a client was told must not be found in memory that it is given to another. */
static void wipe(void *memory, size_t size)
{
    volatile unsigned char *byte = memory;

    while (size-- > 0)
        *byte++ = 0;
}

void task_free(struct task *task)
{
    const struct mcp_memory memory = task->server->config.memory;

    registry_remove(&task->server->tasks, &task->item);
    task->server->statistics.tasks--;
    if (task->session != NULL)
        task->session->held -= sizeof(*task) + task->outcome_size;
    if (task->block != NULL) {
        wipe(task->block, task->outcome_size);
        memory.release(memory.context, task->block, task->outcome_size);
    }
    wipe(task, sizeof(*task));
    memory.release(memory.context, task, sizeof(*task));
}

void task_enter(struct task *task)
{
    task->busy++;
}

void task_leave(struct task *task)
{
    if (--task->busy == 0 && task->removed && task->call == NULL)
        task_free(task);
}

/* ---- what its client hears ---- */

static struct mcp_call *find_waiter(const struct task *task)
{
    struct mcp_call *call = task->session != NULL ? task->session->calls : NULL;

    while (call != NULL && (call->kind != CALL_TASK_RESULT || call->task != task))
        call = call->next;
    return call;
}

const char *task_stream(const struct mcp_call *call, size_t *length)
{
    const struct mcp_call *waiter = call->task != NULL ? find_waiter(call->task) : NULL;

    *length = waiter != NULL ? waiter->reply.id_length : 0;
    return waiter != NULL ? waiter->reply.id : NULL;
}

static void tell(struct task *task)
{
    struct mcp_session *session = task->session;
    const struct mcp_call *waiter = find_waiter(task);
    struct message message;

    if (task->removed)
        return;
    if (session == NULL) {
        if (task->server->tell_task != NULL)
            task->server->tell_task(task);
        return;
    }
    notification_begin(session, &message, "notifications/tasks/status");
    task_write(&message.writer, task);
    (void)notification_end(session, &message, waiter != NULL ? waiter->reply.id : NULL,
                           waiter != NULL ? waiter->reply.id_length : 0);
}

/* Answers the requests tasks/result that wait for it. */
static void answer_waiters(struct task *task)
{
    struct mcp_call *call;

    while (task->session != NULL && !task->session->closed && (call = find_waiter(task)) != NULL) {
        if (!call_begin_answer(call))
            continue;
        if (task->outcome != NULL)
            reply_kept(&call->reply, task->outcome_is_error, task->outcome, task->outcome_length);
        else if (task->status == TASK_CANCELLED)
            reply_invalid_params(&call->reply, "the task was cancelled: it has no result");
        else
            reply_invalid_params(&call->reply, "the task has expired");
        call_end_answer(call);
    }
}

static void change(struct task *task, enum task_status status)
{
    task_enter(task);
    task->status = status;
    task->updated_at = task_date(task->server);
    tell(task);
    if (task_is_over(task))
        answer_waiters(task);
    task_leave(task);
}

/* ---- what comes of it ---- */

void task_keep(struct task *task, const char *text, size_t length, const char *failure)
{
    const struct mcp_memory *memory = &task->server->config.memory;
    char *copy;

    if (task_is_over(task))
        return;
    copy = task_has_room(task, length) ? memory->allocate(memory->context, length) : NULL;
    if (copy != NULL) {
        memcpy(copy, text, length);
        task->outcome = task->block = copy;
        task->outcome_length = task->outcome_size = length;
        if (task->session != NULL)
            task->session->held += length;
    } else {
        task->outcome = no_room_error;
        task->outcome_length = sizeof(no_room_error) - 1;
        failure = no_room;
    }
    task->outcome_is_error = failure != NULL;
    if (failure != NULL || !task->tool_failed)
        task->message = (struct text){0};
    if (failure != NULL)
        text_add(&task->message, failure);
    /* A tool's own failure is a failed task in 2025-11-25, and a completed one since. */
    change(task,
           failure != NULL || (task->tool_failed && task->session != NULL) ? TASK_FAILED : TASK_COMPLETED);
}

void task_fail(struct task *task, const char *message)
{
    task->tool_failed = true;
    task->message = (struct text){0};
    text_add(&task->message, message);
}

void task_set_waiting(struct task *task, bool waiting)
{
    enum task_status status = waiting ? TASK_INPUT_REQUIRED : TASK_WORKING;

    if (task->announced && !task_is_over(task) && task->status != status)
        change(task, status);
}

/* For those who poll; nobody is told of it. */
void task_describe(struct task *task, double progress, double total, const char *message)
{
    if (task_is_over(task))
        return;
    task->message = (struct text){0};
    if (message != NULL) {
        text_add(&task->message, message);
    } else {
        text_add_double(&task->message, progress);
        if (total > 0 && total - total == 0) {
            text_add(&task->message, " of ");
            text_add_double(&task->message, total);
        }
    }
    task->updated_at = task_date(task->server);
}

void task_cancel(struct task *task)
{
    task_enter(task);
    task->status = TASK_CANCELLED; /* whatever the handler answers from here on */
    task->message = (struct text){0};
    text_add(&task->message, "The task was cancelled by request.");
    if (task->call != NULL)
        call_cancel(task->call);
    change(task, TASK_CANCELLED);
    task_leave(task);
}

/* Nobody finds it from here on. */
void task_remove(struct task *task)
{
    task_enter(task);
    task->removed = true;
    answer_waiters(task);
    if (task->call != NULL && !task_is_over(task))
        call_cancel(task->call);
    task_leave(task);
}

static bool is_expired(const struct task *task, uint64_t now)
{
    return !task->removed && now - task->created >= task->ttl_ms;
}

void tasks_expire(struct mcp_server *server)
{
    uint64_t now = task_clock(server);
    struct task *task = task_first(server);

    while (task != NULL) {
        if (is_expired(task, now)) {
            task_remove(task);
            task = task_first(server); /* a hook may have changed the list */
        } else {
            task = task_next(task);
        }
    }
}

void tasks_remove_all(struct mcp_server *server)
{
    struct task *task = task_first(server);

    while (task != NULL) {
        if (!task->removed) {
            task_remove(task);
            task = task_first(server);
        } else {
            task = task_next(task);
        }
    }
}
