/* SPDX-License-Identifier: MIT
 *
 * Tasks as their clients see them.
 */
#include "json_private.h"
#include "task.h"

const char *task_status_name(const struct task *task)
{
    static const char *const names[] = {[TASK_WORKING] = "working",
                                        [TASK_INPUT_REQUIRED] = "input_required",
                                        [TASK_COMPLETED] = "completed",
                                        [TASK_FAILED] = "failed",
                                        [TASK_CANCELLED] = "cancelled"};

    return names[task->status];
}

static void add_digits(struct text *text, uint32_t value, uint32_t digits)
{
    char number[5] = {0};

    for (uint32_t i = digits; i > 0; i--) {
        number[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    text_add(text, number);
}

/* Milliseconds since 1970 UTC by RFC 3339, section 5.6: 2026-07-28T12:00:00.000Z. The year is counted from
 * March, so that the day that only some years have is their last. */
static void write_date(struct mcp_json_writer *writer, const char *name, uint64_t date)
{
    uint64_t days = date / 86400000 + 719468; /* since March 1 of the year 0 */
    uint32_t time = (uint32_t)(date % 86400000);
    uint32_t day = (uint32_t)(days % 146097); /* of the 400 years that the calendar repeats after */
    uint32_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint32_t month; /* 0: March */
    struct text text = {0};

    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    year += (uint32_t)(days / 146097) * 400 + (month >= 10 ? 1 : 0);
    add_digits(&text, year, 4);
    text_add(&text, "-");
    add_digits(&text, month < 10 ? month + 3 : month - 9, 2);
    text_add(&text, "-");
    add_digits(&text, day - (153 * month + 2) / 5 + 1, 2);
    text_add(&text, "T");
    add_digits(&text, time / 3600000, 2);
    text_add(&text, ":");
    add_digits(&text, time / 60000 % 60, 2);
    text_add(&text, ":");
    add_digits(&text, time / 1000 % 60, 2);
    text_add(&text, ".");
    add_digits(&text, time % 1000, 3);
    text_add(&text, "Z");
    mcp_json_member_string(writer, name, text.bytes);
}

void task_write_brief(struct mcp_json_writer *writer, const struct task *task)
{
    bool stateless = task->session == NULL;

    mcp_json_member_string(writer, "taskId", task->id);
    mcp_json_member_string(writer, "status", task_status_name(task));
    write_date(writer, "createdAt", task->created_at);
    write_date(writer, "lastUpdatedAt", task->updated_at);
    mcp_json_member_uint(writer, stateless ? "ttlMs" : "ttl", task->ttl_ms);
    mcp_json_member_uint(writer, stateless ? "pollIntervalMs" : "pollInterval",
                         task->server->task_config.poll_ms);
}

void task_write(struct mcp_json_writer *writer, const struct task *task)
{
    task_write_brief(writer, task);
    if (task->message.length > 0)
        mcp_json_member_string(writer, "statusMessage", task->message.bytes);
}

void task_write_detailed(struct mcp_json_writer *writer, const struct task *task)
{
    task_write(writer, task);
    if (task->status == TASK_INPUT_REQUIRED) {
        mcp_json_key_write(writer, "inputRequests");
        task->call->ask_hooks->write_open(task->call, writer);
    } else if (task->outcome != NULL) {
        mcp_json_key_write(writer, task->outcome_is_error ? "error" : "result");
        json_write_trusted(writer, task->outcome, task->outcome_length);
    }
}
