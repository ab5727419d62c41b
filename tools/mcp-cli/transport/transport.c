/* SPDX-License-Identifier: MIT */
#include "transport.h"

#include <stdlib.h>

enum status transport_open(struct transport **transport, const struct transport_options *options,
                           struct error *error)
{
    switch (options->endpoint->kind) {
    case ENDPOINT_COMMAND:
        return child_open(transport, options, error);
    case ENDPOINT_HTTP:
        return http_open(transport, options, error);
    case ENDPOINT_UNIX:
    case ENDPOINT_VSOCK:
    case ENDPOINT_TCP:
        break;
    }
    return stream_open(transport, options, error);
}

enum status transport_encode(const json_t *message, size_t maximum, char **text, size_t *length,
                             struct error *error)
{
    *length = message ? json_dumpb(message, NULL, 0, JSON_COMPACT) : 0;
    *text = NULL;
    if (*length == 0)
        return error_set(error, STATUS_USAGE, "the request cannot be written as JSON (is its text UTF-8?)");
    if (*length > maximum)
        return error_set(error, STATUS_USAGE, "the request would be %zu bytes long; a message holds %zu",
                         *length, maximum);
    *text = malloc(*length);
    if (!*text)
        return error_set(error, STATUS_CONNECTION, "out of memory");
    json_dumpb(message, *text, *length, JSON_COMPACT);
    return STATUS_OK;
}

enum status transport_decode(const char *text, size_t length, json_t **message, struct error *error)
{
    json_error_t cause;
    *message = json_loadb(text, length, JSON_ALLOW_NUL, &cause);
    if (*message)
        return STATUS_OK;
    return error_set(error, STATUS_CONNECTION, "the server's answer is not JSON: %s (byte %d)", cause.text,
                     cause.position);
}
