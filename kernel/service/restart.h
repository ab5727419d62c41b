/* SPDX-License-Identifier: MIT
 *
 * When a device that broke is started again: after a second, and twice as long each time, up to a minute,
 * until it has worked for a minute.
 */
#ifndef KERNEL_SERVICE_RESTART_H
#define KERNEL_SERVICE_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include <tasks/task.h>

#define RESTART_DELAY_US     UINT64_C(1000000)
#define RESTART_DELAY_MAX_US UINT64_C(60000000)

/* Begins as {.at = TASK_FOREVER, .delay = RESTART_DELAY_US}. */
struct restart {
    uint64_t at; /* of timer_now_us; TASK_FOREVER: the device works, or was never there */
    uint64_t delay;
    uint64_t started_at;
};
/* The device is about to be started. */
void restart_begin(struct restart *restart);
/* It broke. */
void restart_after_break(struct restart *restart);
/* It is time to try. */
bool restart_is_due(const struct restart *restart);
/* That was tried. */
void restart_tried(struct restart *restart, bool started);

#endif
