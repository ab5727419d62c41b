/* SPDX-License-Identifier: MIT
 *
 * The image that serves.
 */
#include <arch/timer.h>
#include <logging/log.h>
#include <panic.h>
#include <service/service.h>
#include <start.h>

_Noreturn void kernel_main(const struct boot_info *boot, const struct options *options)
{
    int error = service_start(boot, options);
    if (error != 0)
        panic_with(PANIC_CODE_BOOT, "cannot start: service failed with error %d", -error);
    log_write(LOG_INFO, "kernel", "ready in %llu us", (unsigned long long)timer_now_us());
    service_run();
}
