/* SPDX-License-Identifier: MIT */
#include <arch/timer.h>
#include <hooks/library_memory.h>
#include <hooks/random.h>
#include <logging/log.h>
#include <mcp/server.h>
#include <mcp/task.h>
#include <service/access.h>
#include <service/connections.h>
#include <service/console_listener.h>
#include <service/devices.h>
#include <service/log_export.h>
#include <service/policy.h>
#include <service/service.h>
#include <service/vsock_listener.h>

static const struct listener *const listeners[] = {&vsock_listener, &console_listener};
static const struct service_offer *offered;
static struct mcp_server *server;
static uint64_t expire_at_us; /* look then for tasks whose time is over */

#define EXPIRE_US 10000000

static void report(void *context, const char *line)
{
    (void)context;
    log_write(LOG_ERROR, "service", "%s", line);
}

static int entropy(void *context, void *bytes, size_t size)
{
    (void)context;
    return kernel_random(bytes, size);
}

static uint64_t clock_ms(void *context)
{
    (void)context;
    return timer_now_us() / 1000;
}

int service_start(const struct boot_info *boot, const struct options *options,
                  const struct service_offer *offer)
{
    client_pool_initialise();
    const struct mcp_server_config config = {
        .name = offer->name,
        .title = offer->title,
        .version = MK_VERSION,
        .instructions = offer->instructions,
        .memory = kernel_mcp_memory,
        .memory_per_session = client_pool.limit / 8,
        .list_ttl_ms = offer->list_ttl_ms,
        .logging = true,
        .logging_needs = policy_needs("logs"),
        .methods_are_tools = offer->methods_are_tools,
        .entropy = entropy,
        .clock_ms = clock_ms,
        .report = report,
    };
    int error = mcp_server_create(&config, &server);
    offered = offer;
    log_export_start(options->log_port);
    devices_start(0);
    if (error == 0)
        error = access_start(&options->policy);
    if (error == 0)
        error = offer->add(server, boot, options);
    if (error == 0)
        connections_start(server, listeners, sizeof listeners / sizeof listeners[0]);
    return error;
}

_Noreturn void service_run(void)
{
    for (;;) {
        /* What clients ask for may become due at once: so they first. */
        uint64_t next = connections_poll(), due = offered->poll();
        if (timer_now_us() >= expire_at_us) {
            mcp_server_expire_tasks(server);
            expire_at_us = timer_now_us() + EXPIRE_US;
        }
        struct mcp_server_statistics statistics;
        mcp_server_get_statistics(server, &statistics);
        if (statistics.tasks > 0 && due > expire_at_us)
            due = expire_at_us;
        connections_wait(next < due ? next : due);
    }
}
