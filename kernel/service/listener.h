/* SPDX-License-Identifier: MIT
 *
 * Where clients connect: a device that makes streams of them. The list of listeners is in service.c; each
 * takes its device in devices.c.
 */
#ifndef KERNEL_SERVICE_LISTENER_H
#define KERNEL_SERVICE_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

struct listener {
    /* Says in the log where clients connect. Returns false when there is no device. */
    bool (*announce)(void);
    /* Handles what the device has done, and hands it on: connection_open and the marks. A device that broke
     * is started again. Called whenever connections_wake was, and at the time that it returned last (of
     * timer_now_us; TASK_FOREVER: only when woken). */
    uint64_t (*poll)(void);
};

#endif
