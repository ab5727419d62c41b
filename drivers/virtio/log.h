/* SPDX-License-Identifier: MIT
 *
 * The library's way to the embedder's log. VIRTIO_TRACE lines exist only in builds with VIRTIO_VERBOSE.
 */
#ifndef VIRTIO_LOG_H
#define VIRTIO_LOG_H

#include <virtio/os.h>

void virtio_log(const struct virtio_os *os, enum virtio_log_level level, const char *subsystem,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

#ifdef VIRTIO_VERBOSE
#define VIRTIO_TRACE(os, subsystem, ...) virtio_log(os, VIRTIO_LOG_DEBUG, subsystem, __VA_ARGS__)
#else
/* The call stays visible to the compiler, which checks its format and drops it. */
#define VIRTIO_TRACE(os, subsystem, ...)                                                                     \
    do {                                                                                                     \
        if (0)                                                                                               \
            virtio_log(os, VIRTIO_LOG_DEBUG, subsystem, __VA_ARGS__);                                        \
    } while (0)
#endif

#endif
