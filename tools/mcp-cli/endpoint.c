/* SPDX-License-Identifier: MIT
 *
 * Where a server is, from the words of --socket, --vsock and --tcp.
 */
#include <stdio.h>
#include <string.h>

#include <mcp/transport.h>

#include "connection.h"

enum status endpoint_unix(struct endpoint *endpoint, const char *path, struct error *error)
{
    *endpoint = (struct endpoint){.kind = ENDPOINT_UNIX};
    size_t length = strlen(path);
    if (length == 0)
        return error_set(error, STATUS_USAGE, "the path of the socket is empty");
    if (length >= sizeof endpoint->path)
        return error_set(error, STATUS_USAGE,
                         "the path of the socket is %zu bytes long; the system takes %zu: %s", length,
                         sizeof endpoint->path - 1, path);
    memcpy(endpoint->path, path, length + 1);
    snprintf(endpoint->name, sizeof endpoint->name, "%s", path);
    return STATUS_OK;
}

static bool parse_u32(const char *text, size_t length, uint32_t *value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text[i] - '0');
        if (number > UINT32_MAX)
            return false;
    }
    *value = (uint32_t)number;
    return length > 0;
}

enum status endpoint_vsock(struct endpoint *endpoint, const char *text, struct error *error)
{
    *endpoint = (struct endpoint){.kind = ENDPOINT_VSOCK, .port = MCP_PORT};
    size_t length = strcspn(text, ":");
    if (!parse_u32(text, length, &endpoint->cid) ||
        (text[length] == ':' && !parse_u32(text + length + 1, strlen(text + length + 1), &endpoint->port)))
        return error_set(error, STATUS_USAGE,
                         "--vsock takes CID or CID:PORT, two numbers (3:5000, say), not '%s'", text);
    snprintf(endpoint->name, sizeof endpoint->name, "vsock %u:%u", endpoint->cid, endpoint->port);
    return STATUS_OK;
}

enum status endpoint_tcp(struct endpoint *endpoint, const char *text, struct error *error)
{
    *endpoint = (struct endpoint){.kind = ENDPOINT_TCP};
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t host_length = colon ? (size_t)(colon - text) : 0;
    if (host_length >= 2 && host[0] == '[' && host[host_length - 1] == ']') {
        host++;
        host_length -= 2;
    } else if (memchr(host, ':', host_length)) {
        host_length = 0; /* an IPv6 address without its brackets: where its port begins is a guess */
    }
    uint32_t port;
    if (host_length == 0 || host_length >= sizeof endpoint->host ||
        !parse_u32(colon + 1, strlen(colon + 1), &port) || port == 0 || port > UINT16_MAX)
        return error_set(error, STATUS_USAGE,
                         "--tcp takes HOST:PORT (127.0.0.1:5000 or [::1]:5000, say), not '%s'", text);
    memcpy(endpoint->host, host, host_length);
    snprintf(endpoint->service, sizeof endpoint->service, "%u", port);
    snprintf(endpoint->name, sizeof endpoint->name, "tcp %s", text);
    return STATUS_OK;
}
