/* SPDX-License-Identifier: MIT
 *
 * The image that serves a model.
 */
#include <arch/timer.h>
#include <logging/log.h>
#include <mcp/task.h>
#include <panic.h>
#include <service/log_notices.h>
#include <service/model.h>
#include <service/resources.h>
#include <service/service.h>
#include <service/tools.h>
#include <start.h>

static int add(struct mcp_server *server, const struct boot_info *boot, const struct options *options)
{
    int error = model_start(boot, options->model, options->instructions);
    if (error == 0)
        error = mcp_server_enable_tasks(server, NULL);
    if (error == 0)
        error = tools_model_add(server);
    if (error == 0)
        error = tools_system_add(server);
    mcp_server_enable_changes(server, false, true);
    if (error == 0)
        error = resources_add(server);
    log_notices_start(server);
    return error;
}

_Noreturn void kernel_main(const struct boot_info *boot, const struct options *options)
{
    static const struct service_offer offer = {
        .name = "microkernelia",
        .title = "microkernelia: a model behind a hardware boundary",
        .instructions = "Ask the model with infer; health, metadata and logs tell about the machine it runs "
                        "on; load_model changes the model; tokenize and embed show how it reads a text.",
        .methods_are_tools = true,
        .add = add,
        .poll = log_notices_poll,
    };
    int error = service_start(boot, options, &offer);
    if (error != 0)
        panic_with(PANIC_CODE_BOOT, "cannot start: service failed with error %d", -error);
    log_write(LOG_INFO, "kernel", "ready in %llu us", (unsigned long long)timer_now_us());
    service_run();
}
