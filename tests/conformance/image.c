/* SPDX-License-Identifier: MIT
 *
 * The fixtures as a kernel image.
 */
#include <arch/timer.h>
#include <logging/log.h>
#include <panic.h>
#include <service/service.h>
#include <start.h>
#include <tasks/task.h>

#include "fixtures/fixtures.h"

static uint64_t now_ms(void)
{
    return timer_now_us() / 1000;
}

static int add(struct mcp_server *server, const struct boot_info *boot, const struct options *options)
{
    (void)boot;
    (void)options;
    return fixtures_add(server, now_ms, NULL);
}

static uint64_t poll(void)
{
    uint64_t due_ms = fixtures_poll();

    return due_ms == FIXTURES_NEVER ? TASK_FOREVER : due_ms * 1000;
}

_Noreturn void kernel_main(const struct boot_info *boot, const struct options *options)
{
    static const struct service_offer offer = {.name = "conformance-kernel",
                                               .title = "Fixtures for the conformance suite",
                                               .list_ttl_ms = FIXTURES_TTL_MS,
                                               .add = add,
                                               .poll = poll};
    int error = service_start(boot, options, &offer);

    if (error != 0)
        panic_with(PANIC_CODE_BOOT, "cannot start: service failed with error %d", -error);
    log_write(LOG_INFO, "kernel", "ready in %llu us", (unsigned long long)timer_now_us());
    service_run();
}
