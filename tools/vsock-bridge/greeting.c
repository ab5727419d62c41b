/* SPDX-License-Identifier: MIT */
#include "greeting.h"

#include <errno.h>
#include <string.h>

static const char command[] = "CONNECT ";

int greeting_parse(const char *bytes, size_t size, struct greeting *greeting)
{
    const size_t prefix = sizeof command - 1;
    const char *end;
    uint64_t port = 0;

    *greeting = (struct greeting){0};
    if (bytes[0] != command[0])
        return 0;
    if (memcmp(bytes, command, size < prefix ? size : prefix) != 0)
        return -EINVAL;
    end = memchr(bytes, '\n', size < GREETING_MAX ? size : GREETING_MAX);
    if (end == NULL)
        return size < GREETING_MAX ? -EAGAIN : -EINVAL;
    if (bytes + prefix == end)
        return -EINVAL;
    for (const char *digit = bytes + prefix; digit < end; digit++) {
        if (*digit < '0' || *digit > '9')
            return -EINVAL;
        port = port * 10 + (uint64_t)(*digit - '0');
        /* The greatest value means "any port" to those who listen (VMADDR_PORT_ANY). */
        if (port >= UINT32_MAX)
            return -EINVAL;
    }
    greeting->handshake = true;
    greeting->port = (uint32_t)port;
    greeting->length = (size_t)(end - bytes) + 1;
    return 0;
}
