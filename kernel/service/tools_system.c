/* SPDX-License-Identifier: MIT
 *
 * health, logs.
 */
#include <string.h>

#include <arch/interrupts.h>
#include <arch/timer.h>
#include <hooks/library_memory.h>
#include <hooks/random.h>
#include <logging/log.h>
#include <memory/frames.h>
#include <memory/heap.h>
#include <service/connections.h>
#include <service/model.h>
#include <service/tools.h>
#include <tasks/task.h>

#define LOGS_DEFAULT 100
#define LOGS_MAX     1000

static struct mcp_server *server_of_tools;

/* ---- health ---- */

static void write_memory(struct mcp_json_writer *writer)
{
    struct frames_statistics frames;
    struct heap_statistics heap;
    frames_get_statistics(&frames);
    heap_get_statistics(&heap);
    mcp_json_key_write(writer, "memory");
    mcp_json_begin_object(writer);
    mcp_json_member_uint(writer, "total", frames.total);
    mcp_json_member_uint(writer, "free", frames.free);
    mcp_json_member_uint(writer, "heap_used", heap.used);
    mcp_json_member_uint(writer, "heap_blocks", heap.blocks);
    mcp_json_member_uint(writer, "client_pool_limit", client_pool.limit);
    mcp_json_member_uint(writer, "client_pool_used", client_pool.used);
    mcp_json_member_uint(writer, "client_pool_peak", client_pool.peak);
    mcp_json_member_uint(writer, "failures", frames.failures + heap.failures + client_pool.refusals);
    mcp_json_end_object(writer);
}

static void write_traffic(struct mcp_json_writer *writer)
{
    struct connections_statistics connections;
    struct mcp_server_statistics server;
    connections_get_statistics(&connections);
    mcp_server_get_statistics(server_of_tools, &server);
    mcp_json_key_write(writer, "connections");
    mcp_json_begin_object(writer);
    mcp_json_member_uint(writer, "open", connections.open);
    mcp_json_member_uint(writer, "max", CONNECTIONS_MAX);
    mcp_json_member_uint(writer, "accepted", connections.accepted);
    mcp_json_member_uint(writer, "refused", connections.refused);
    mcp_json_member_uint(writer, "evicted", connections.evicted);
    mcp_json_member_uint(writer, "missed_notices", connections.missed);
    mcp_json_member_uint(writer, "device_resets", connections.device_resets);
    mcp_json_member_uint(writer, "device_stalls", connections.device_stalls);
    mcp_json_end_object(writer);
    mcp_json_key_write(writer, "requests");
    mcp_json_begin_object(writer);
    mcp_json_member_uint(writer, "received", server.requests);
    mcp_json_member_uint(writer, "errors", server.errors);
    mcp_json_member_uint(writer, "pending", server.pending);
    mcp_json_end_object(writer);
}

static void write_tasks(struct mcp_json_writer *writer)
{
    struct task_statistics tasks;
    tasks_get_statistics(&tasks);
    mcp_json_key_write(writer, "tasks");
    mcp_json_begin_object(writer);
    mcp_json_member_uint(writer, "count", tasks.count);
    mcp_json_member_uint(writer, "switches", tasks.switches);
    mcp_json_member_uint(writer, "idle_us", tasks.idle_us);
    mcp_json_member_uint(writer, "spurious_interrupts", interrupts_spurious());
    mcp_json_end_object(writer);
}

static void write_log_counts(struct mcp_json_writer *writer)
{
    struct log_statistics log;
    log_get_statistics(&log);
    mcp_json_key_write(writer, "log");
    mcp_json_begin_object(writer);
    mcp_json_member_uint(writer, "written", log.written);
    mcp_json_member_uint(writer, "lost", log.lost);
    mcp_json_end_object(writer);
}

static void write_entropy(struct mcp_json_writer *writer)
{
    static const char *const names[] = {"rdseed", "rdrand", "virtio-rng"};
    unsigned sources = kernel_random_sources();
    mcp_json_key_write(writer, "entropy");
    mcp_json_begin_array(writer);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if ((sources >> i & 1) != 0)
            mcp_json_string(writer, names[i]);
    mcp_json_end_array(writer);
}

static void health(struct mcp_call *call, void *context)
{
    (void)context;
    bool model = model_get() != NULL;
    struct mcp_json_writer *writer = mcp_call_result(call);
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "status", model ? "ok" : "degraded");
    mcp_json_member_double(writer, "uptime_ms", (double)timer_now_us() / 1000.0);
    mcp_json_key_write(writer, "details");
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "model", model ? "loaded" : "none is loaded");
    write_memory(writer);
    write_traffic(writer);
    write_tasks(writer);
    write_log_counts(writer);
    write_entropy(writer);
    mcp_json_end_object(writer);
    mcp_json_end_object(writer);
    mcp_call_finish(call);
}

/* ---- logs ---- */

static void logs(struct mcp_call *call, void *context)
{
    (void)context;
    const char *name;
    size_t name_length;
    int64_t start, limit;
    enum log_level level;
    if (mcp_call_string_or(call, "level", "debug", &name, &name_length) != 0 ||
        mcp_call_int_or(call, "cursor", 0, 0, INT64_MAX, &start) != 0 ||
        mcp_call_int_or(call, "limit", LOGS_DEFAULT, 1, LOGS_MAX, &limit) != 0)
        return;
    /* strlen: a NUL in it would hide what follows. */
    if (strlen(name) != name_length || log_level_parse(name, &level) != 0) {
        (void)mcp_call_reject(call, "level", "must be error, warning, info or debug");
        return;
    }

    struct mcp_json_writer *writer = mcp_call_result(call);
    uint64_t cursor = (uint64_t)start, lost_in_all = 0, lost;
    struct log_entry entry;
    mcp_json_begin_object(writer);
    mcp_json_key_write(writer, "lines");
    mcp_json_begin_array(writer);
    for (int64_t i = 0; i < limit; i++) {
        int found = log_read(&cursor, level, &entry, &lost);
        lost_in_all += lost; /* before the end of the log, too */
        if (found == 0)
            break;
        mcp_json_begin_object(writer);
        mcp_json_member_uint(writer, "sequence", entry.sequence);
        mcp_json_member_uint(writer, "time_us", entry.time_us);
        mcp_json_member_string(writer, "level", log_level_name(entry.level));
        mcp_json_member_string(writer, "subsystem", entry.subsystem);
        mcp_json_member_string(writer, "text", entry.text);
        mcp_json_end_object(writer);
    }
    mcp_json_end_array(writer);
    mcp_json_member_uint(writer, "cursor", cursor);
    mcp_json_member_uint(writer, "lost", lost_in_all);
    mcp_json_end_object(writer);
    mcp_call_finish(call);
}

int tools_system_add(struct mcp_server *server)
{
    static const struct mcp_tool tools[] = {
        {.name = "health",
         .title = "How the machine is",
         .description = "Whether the machine can answer, and its memory, connections, requests, tasks and "
                        "log in figures.",
         .input_schema = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
         .output_schema = "{\"type\":\"object\",\"properties\":{"
                          "\"status\":{\"type\":\"string\",\"enum\":[\"ok\",\"degraded\"]},"
                          "\"uptime_ms\":{\"type\":\"number\"},\"details\":{\"type\":\"object\"}},"
                          "\"required\":[\"status\",\"details\"]}",
         .annotations = "{\"readOnlyHint\":true,\"openWorldHint\":false}",
         .handler = health},
        {.name = "logs",
         .title = "The kernel's log",
         .description = "Log lines from a cursor on, the oldest first. Call again with the returned cursor "
                        "for what came since.",
         .input_schema = "{\"type\":\"object\",\"properties\":{"
                         "\"level\":{\"type\":\"string\",\"enum\":[\"error\",\"warning\",\"info\",\"debug\"],"
                         "\"description\":\"lines of this level and worse; default debug\"},"
                         "\"cursor\":{\"type\":\"integer\",\"minimum\":0},"
                         "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}},"
                         "\"additionalProperties\":false}",
         .output_schema = "{\"type\":\"object\",\"properties\":{\"lines\":{\"type\":\"array\",\"items\":{"
                          "\"type\":\"object\"}},"
                          "\"cursor\":{\"type\":\"integer\"},\"lost\":{\"type\":\"integer\"}},"
                          "\"required\":[\"lines\",\"cursor\",\"lost\"]}",
         .annotations = "{\"readOnlyHint\":true,\"openWorldHint\":false}",
         .handler = logs},
    };
    server_of_tools = server;
    return tools_add(server, tools, sizeof tools / sizeof tools[0]);
}
