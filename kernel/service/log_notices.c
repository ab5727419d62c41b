/* SPDX-License-Identifier: MIT */
#include <arch/timer.h>
#include <logging/log.h>
#include <service/connections.h>
#include <service/log_notices.h>
#include <service/resources.h>
#include <tasks/task.h>

#define UPDATE_INTERVAL_US UINT64_C(1000000)
#define LINES_PER_POLL     32

static struct mcp_server *server;
static uint64_t cursor;    /* in the log: of the first line that is not told */
static uint64_t update_at; /* when the next update of the resource may be told */
static bool updated;       /* and whether there is one */

/* A sink: sending is for the service's task, and may log. */
static void on_line(void *context, enum log_level level, const char *line, size_t length)
{
    (void)level;
    (void)line;
    (void)length;
    connections_wake(context);
}

void log_notices_start(struct mcp_server *of)
{
    struct log_statistics log;
    server = of;
    log_get_statistics(&log);
    cursor = log.written; /* what was said before the first client came, the resource tells */
    if (log_add_sink(on_line, NULL) != 0)
        log_write(LOG_ERROR, "log", "no place for the sink that tells clients");
}

static void tell_line(const struct log_entry *entry)
{
    static const enum mcp_log_level levels[] = {[LOG_ERROR] = MCP_LOG_ERROR,
                                                [LOG_WARNING] = MCP_LOG_WARNING,
                                                [LOG_INFO] = MCP_LOG_INFO,
                                                [LOG_DEBUG] = MCP_LOG_DEBUG};
    connections_notices(true);
    mcp_server_log(server, levels[entry->level], entry->subsystem, entry->text);
    connections_notices(false);
}

uint64_t log_notices_poll(void)
{
    struct log_entry entry;
    unsigned told = 0;
    while (told < LINES_PER_POLL && log_read(&cursor, LOG_DEBUG, &entry, NULL) == 1) {
        told++;
        tell_line(&entry);
        updated = true;
    }
    if (told == LINES_PER_POLL)
        return 0;
    if (!updated)
        return TASK_FOREVER;
    uint64_t now = timer_now_us();
    if (now < update_at)
        return update_at;
    updated = false;
    update_at = now + UPDATE_INTERVAL_US;
    connections_notices(true);
    mcp_server_resource_updated(server, RESOURCE_LOG);
    connections_notices(false);
    return TASK_FOREVER;
}
