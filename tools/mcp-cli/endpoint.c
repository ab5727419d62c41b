/* SPDX-License-Identifier: MIT
 *
 * Where a server is, from the words of --socket, --vsock, --tcp, --server and --command, and from the entries
 * of an mcpServers file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mcp/transport.h>

#include "connection.h"
#include "expand.h"
#include "line.h"

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

enum status endpoint_url(struct endpoint *endpoint, const char *url, struct error *error)
{
    *endpoint = (struct endpoint){.kind = ENDPOINT_HTTP};
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return error_set(error, STATUS_USAGE, "'%s' is no URL of HTTP (http://127.0.0.1:8080/mcp, say)", url);
    for (const char *next = url; *next; next++) {
        if (*next <= ' ' || *next > '~') /* which curl might take for something else */
            return error_set(error, STATUS_USAGE, "the URL has a character that must be escaped: %s", url);
    }
    endpoint->entry = json_pack("{s:s}", "url", url);
    snprintf(endpoint->name, sizeof endpoint->name, "%s", url);
    return STATUS_OK;
}

enum status endpoint_command(struct endpoint *endpoint, const char *words, struct error *error)
{
    *endpoint = (struct endpoint){.kind = ENDPOINT_COMMAND};
    char *copy = strdup(words);
    if (!copy)
        return error_set(error, STATUS_USAGE, "out of memory");
    struct line line;
    enum status status = line_read_words(copy, &line, error);
    json_t *arguments = json_array();
    for (int i = 1; status == STATUS_OK && i < line.count; i++) {
        if (json_array_append_new(arguments, json_string(line.words[i])) < 0)
            status = error_set(error, STATUS_USAGE, "the command is not UTF-8");
    }
    if (status == STATUS_OK && line.count == 0)
        status = error_set(error, STATUS_USAGE, "--command needs a program: --command \"server --option\"");
    if (status == STATUS_OK) {
        endpoint->entry = json_pack("{s:s, s:O}", "command", line.words[0], "args", arguments);
        snprintf(endpoint->name, sizeof endpoint->name, "%s", line.words[0]);
    }
    json_decref(arguments);
    free(copy);
    return status;
}

enum status endpoint_entry(struct endpoint *endpoint, const char *name, const json_t *entry,
                           struct error *error)
{
    const char *type = json_string_value(json_object_get(entry, "type"));
    *endpoint = (struct endpoint){.kind = ENDPOINT_COMMAND};
    snprintf(endpoint->name, sizeof endpoint->name, "%s", name);
    if (type && strcmp(type, "sse") == 0)
        return error_set(error, STATUS_USAGE,
                         "%s: the transport 'sse' of 2024-11-05 is not supported; most servers have a "
                         "Streamable HTTP one beside it",
                         name);
    json_t *expanded = NULL;
    enum status status = expand_all(entry, name, &expanded, error);
    if (status != STATUS_OK)
        return status;
    const char *url = json_string_value(json_object_get(expanded, "url"));
    const char *command = json_string_value(json_object_get(expanded, "command"));
    if (url && !command) {
        status = endpoint_url(endpoint, url, error);
        json_decref(endpoint->entry);
        snprintf(endpoint->name, sizeof endpoint->name, "%s (%.200s)", name, url);
    } else if (!command || url) {
        status =
            error_set(error, STATUS_USAGE, "%s: an entry has either a command or a url, both texts", name);
    }
    endpoint->entry = status == STATUS_OK ? json_incref(expanded) : NULL;
    json_decref(expanded);
    return status;
}

void endpoint_release(struct endpoint *endpoint)
{
    json_decref(endpoint->entry);
    endpoint->entry = NULL;
}
