/* SPDX-License-Identifier: MIT */
#include "log.h"

void virtio_log(const struct virtio_os *os, enum virtio_log_level level, const char *subsystem,
                const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    os->log(os->context, level, subsystem, format, arguments);
    va_end(arguments);
}
