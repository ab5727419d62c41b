/* SPDX-License-Identifier: MIT */
#include <arch/timer.h>
#include <service/restart.h>

static void later(struct restart *restart)
{
    restart->at = timer_now_us() + restart->delay;
    restart->delay = restart->delay < RESTART_DELAY_MAX_US / 2 ? restart->delay * 2 : RESTART_DELAY_MAX_US;
}

void restart_begin(struct restart *restart)
{
    restart->started_at = timer_now_us();
}

void restart_after_break(struct restart *restart)
{
    if (timer_now_us() - restart->started_at >= RESTART_DELAY_MAX_US)
        restart->delay = RESTART_DELAY_US;
    later(restart);
}

bool restart_is_due(const struct restart *restart)
{
    return timer_now_us() >= restart->at;
}

void restart_tried(struct restart *restart, bool started)
{
    if (started)
        restart->at = TASK_FOREVER;
    else
        later(restart);
}
