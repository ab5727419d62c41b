/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arch/timer.h>
#include <logging/log.h>
#include <service/access.h>
#include <service/connection.h>
#include <service/log_notices.h>
#include <mcp/task.h>
#include <service/tools.h>
#include <service/workers.h>

#include "fake_clients.h"
#include "memory_fixture.h"

struct client clients[CLIENTS_MAX];
struct policy policy;
struct mcp_server *server;
uint64_t now, listener_due = TASK_FOREVER;
struct job model_jobs[MODEL_JOBS];
size_t model_job_count;

/* ---- the machine ---- */

uint64_t timer_now_us(void)
{
    return now;
}

void interrupt_event_raise(struct interrupt_event *event)
{
    (void)event;
}

int interrupt_event_wait(struct interrupt_event *event, uint64_t deadline)
{
    (void)event;
    (void)deadline;
    fail_msg("connections_poll does not wait");
    return 0;
}

void task_yield(void)
{
    fail_msg("connections_poll does not yield");
}

const struct policy *access_policy(void)
{
    return &policy;
}

int workers_queue(enum workers_kind kind, const struct job *job)
{
    (void)kind;
    if (model_job_count == MODEL_JOBS)
        return -EAGAIN;
    model_jobs[model_job_count++] = *job;
    return 0;
}

size_t workers_jobs_of(uint64_t owner)
{
    size_t count = 0;
    for (size_t i = 0; i < model_job_count; i++)
        count += model_jobs[i].owner == owner;
    return count;
}

void run_model_jobs(void)
{
    for (size_t i = 0; i < model_job_count; i++)
        model_jobs[i].run(model_jobs[i].argument);
    model_job_count = 0;
}

/* ---- streams ---- */

static size_t request_length(const struct client *client)
{
    return client->length != 0 ? client->length : strlen(client->request);
}

static int64_t peek(void *handle, const void **bytes)
{
    struct client *client = handle;
    if (client->requests_left == 0)
        return client->ended ? 0 : -EAGAIN;
    *bytes = client->request + client->at;
    return (int64_t)(request_length(client) - client->at);
}

static void take(void *handle, size_t size)
{
    struct client *client = handle;
    client->at += size;
    if (size > 0 && client->at == request_length(client)) {
        client->at = 0;
        client->requests_left--;
    }
}

static int64_t send_bytes(void *handle, const void *bytes, size_t length)
{
    struct client *client = handle;
    const char *text = bytes;
    if (client->gone)
        return -EPIPE;
    if (length > client->window)
        length = client->window;
    client->window -= length;
    for (size_t i = 0; i < length; i++)
        client->answers += text[i] == '\n' ? 1 : 0;
    if (length == 0)
        return 0;
    size_t kept = length < sizeof client->last - 1 ? length : sizeof client->last - 1;
    memcpy(client->last, text, kept);
    client->last[kept] = '\0';
    return (int64_t)length;
}

static void close_stream(void *handle)
{
    ((struct client *)handle)->closed = true;
}

static void abort_stream(void *handle)
{
    ((struct client *)handle)->aborted = true;
}

const struct stream_operations client_operations = {peek, take, send_bytes, close_stream, abort_stream};

struct client *come(unsigned number, const char *request, uint64_t count)
{
    struct client *client = &clients[number];
    *client = (struct client){.request = request, .requests_left = count, .window = SIZE_MAX};
    const struct stream stream = {.operations = &client_operations,
                                  .handle = client,
                                  .kind = "vsock",
                                  .peer_cid = 2,
                                  .peer_port = number};
    client->connection = connection_open(&stream);
    if (client->connection != NULL)
        connection_readable(client->connection);
    return client;
}

void ask(struct client *client, const char *request)
{
    client->request = request;
    client->length = 0;
    client->at = 0;
    client->requests_left = 1;
    connection_readable(client->connection);
    while (connections_poll() == 0)
        ;
}

void use_version(struct client *client, const char *version)
{
    char request[300];
    (void)snprintf(request, sizeof request,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
                   "\"%s\",\"capabilities\":{},\"clientInfo\":{\"name\":\"x\",\"version\":\"1\"}}}\n",
                   version);
    ask(client, request);
}

static bool announce(void)
{
    return true;
}

static uint64_t poll(void)
{
    return listener_due;
}

/* ---- tools ---- */

static void run_infer(void *call)
{
    mcp_call_text(call, "done", 4);
    mcp_call_finish(call);
}

static void infer(struct mcp_call *call, void *context)
{
    (void)context;
    tools_queue(run_infer, tools_refuse, call);
}

static void health(struct mcp_call *call, void *context)
{
    static char text[100000];
    (void)context;
    memset(text, 'x', sizeof text);
    mcp_call_text(call, text, sizeof text);
    mcp_call_finish(call);
}

static void logs(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_finish(call);
}

static int add_tools(void)
{
    static const struct mcp_tool tools[] = {
        {.name = "infer",
         .input_schema = "{\"type\":\"object\"}",
         .tasks = MCP_TASKS_OPTIONAL,
         .handler = infer},
        {.name = "health", .input_schema = "{\"type\":\"object\"}", .handler = health},
        {.name = "logs", .input_schema = "{\"type\":\"object\"}", .handler = logs}};
    return tools_add(server, tools, sizeof tools / sizeof tools[0]);
}

/* ---- fixture ---- */

static int count_up(void *context, void *bytes, size_t size)
{
    static uint8_t number;
    (void)context;
    memset(bytes, ++number, size);
    return 0;
}

static uint64_t clock_ms(void *context)
{
    (void)context;
    return now / 1000;
}

void set_policy(const char *text)
{
    char error[160];
    assert_int_equal(policy_parse(&policy, text, strlen(text), error, sizeof error), 0);
}

struct connections_statistics get_statistics(void)
{
    struct connections_statistics statistics;
    connections_get_statistics(&statistics);
    return statistics;
}

int start(void **state)
{
    static _Alignas(16) char ring[65536];
    const struct log_config log = {.ring = ring, .ring_size = sizeof ring, .level = LOG_INFO};
    static const struct listener listener = {announce, poll};
    static const struct listener *const listeners[] = {&listener};
    const struct mcp_server_config config = {.name = "test",
                                             .version = "1",
                                             .memory = kernel_mcp_memory,
                                             .logging = true,
                                             .logging_needs = policy_needs("logs"),
                                             .entropy = count_up,
                                             .clock_ms = clock_ms};
    (void)state;
    memset(clients, 0, sizeof clients);
    model_job_count = 0;
    now += 5000000;
    set_policy("any=all");
    if (log_initialise(&log) != 0 || start_memory(64 * MIB) != 0 ||
        mcp_server_create(&config, &server) != 0 || mcp_server_enable_tasks(server, NULL) != 0 ||
        add_tools() != 0)
        return -1;
    log_notices_start(server);
    connections_start(server, listeners, 1);
    return 0;
}

int end(void **state)
{
    (void)state;
    connections_drop(&client_operations);
    run_model_jobs();
    assert_int_equal(get_statistics().open, 0);
    mcp_server_end_tasks(server);
    mcp_server_destroy(server);
    end_memory();
    return 0;
}
