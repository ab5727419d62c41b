/* SPDX-License-Identifier: MIT */
#include <arch/timer.h>
#include <service/service.h>
#include <tasks/task.h>

int service_start(const struct boot_info *boot, const char *model)
{
    (void)boot;
    (void)model;
    return 0;
}

_Noreturn void service_run(void)
{
    for (;;)
        task_sleep_until(timer_now_us() + 1000000);
}
