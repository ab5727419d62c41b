/* SPDX-License-Identifier: MIT */
#include <arch/timer.h>
#include <hooks/library_memory.h>
#include <hooks/random.h>
#include <logging/log.h>
#include <mcp/server.h>
#include <service/access.h>
#include <service/connections.h>
#include <service/console_listener.h>
#include <service/devices.h>
#include <service/log_export.h>
#include <service/log_notices.h>
#include <service/model.h>
#include <service/policy.h>
#include <service/resources.h>
#include <service/service.h>
#include <service/tools.h>
#include <service/vsock_listener.h>

static const struct listener *const listeners[] = {&vsock_listener, &console_listener};

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

int service_start(const struct boot_info *boot, const struct options *options)
{
    static const struct mcp_server_config config = {
        .name = "microkernelia",
        .title = "microkernelia: a model behind a hardware boundary",
        .version = MK_VERSION,
        .instructions = "Ask the model with infer; health, metadata and logs tell about the machine it runs "
                        "on; load_model changes the model.",
        .logging = true,
        .entropy = entropy,
        .clock_ms = clock_ms,
        .methods_are_tools = true,
        .report = report,
    };
    client_pool_initialise();
    struct mcp_server_config with_memory = config;
    with_memory.memory = kernel_mcp_memory;
    with_memory.logging_needs = policy_needs("logs");
    with_memory.memory_per_session = client_pool.limit / 8;
    struct mcp_server *server;
    int error = mcp_server_create(&with_memory, &server);
    log_export_start(options->log_port);
    devices_start(0);
    if (error == 0)
        error = access_start(&options->policy);
    if (error == 0)
        error = model_start(boot, options->model);
    if (error == 0)
        error = tools_model_add(server);
    if (error == 0)
        error = tools_system_add(server);
    if (error == 0) {
        mcp_server_enable_changes(server, false, true);
        error = resources_add(server);
    }
    if (error == 0) {
        log_notices_start(server);
        connections_start(server, listeners, sizeof listeners / sizeof listeners[0]);
    }
    return error;
}

_Noreturn void service_run(void)
{
    for (;;) {
        uint64_t due = log_notices_poll(), next = connections_poll();
        connections_wait(next < due ? next : due);
    }
}
