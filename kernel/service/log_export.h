/* SPDX-License-Identifier: MIT
 *
 * The log as lines of text to a port of the host, over a vsock connection that the kernel makes (the word
 * log=vsock:PORT). It starts at the oldest line that the log's ring has; each connection begins with a line
 * that says where, and what the ring lost while nobody read is counted in the stream. The ring is all the
 * memory there is for it, so a slow reader, or none, costs nothing.
 *
 * A line counts as sent when vsock has taken it: those on their way when a reader dies are lost with it. A
 * panic's report does not get out this way.
 *
 * All of it runs in the service's task, called by the vsock listener.
 */
#ifndef KERNEL_SERVICE_LOG_EXPORT_H
#define KERNEL_SERVICE_LOG_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <virtio/vsock.h>

/* To `port`; 0: no export. Once, before the rest. */
void log_export_start(uint32_t port);

/* After each vsock_poll: connects when it is time to, and sends what there is. Returns when to be called
 * again at the latest (of timer_now_us; TASK_FOREVER: after the next vsock_poll). */
uint64_t log_export_poll(struct vsock *vsock);

/* For each event of vsock. Returns false when the connection is somebody else's. */
bool log_export_event(struct vsock_connection *connection, enum vsock_event event);

/* The device goes, and the connection with it. */
void log_export_drop(void);
/* There is no vsock device: says so once, if the log was to go there. */
void log_export_no_device(void);

#endif
