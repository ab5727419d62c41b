/* SPDX-License-Identifier: MIT
 *
 * Tells clients that want to know what the log says: each line to those that asked for its level by
 * logging/setLevel, and, once a second at most, that logs://kernel has changed. Whom the policy does not give
 * the tool logs is told nothing, and who does not read misses some.
 */
#ifndef KERNEL_SERVICE_LOG_NOTICES_H
#define KERNEL_SERVICE_LOG_NOTICES_H

#include <mcp/server.h>

void log_notices_start(struct mcp_server *of);

/* In the service's task. Returns when to be called again at the latest (of timer_now_us), or TASK_FOREVER:
 * when it is woken. */
uint64_t log_notices_poll(void);

#endif
