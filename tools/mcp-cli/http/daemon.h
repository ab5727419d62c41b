/* SPDX-License-Identifier: MIT
 *
 * The sockets of the gateway: HTTP by libmicrohttpd, the server by connections of our own, all in one loop of
 * epoll.
 */
#ifndef MCP_HTTP_DAEMON_H
#define MCP_HTTP_DAEMON_H

#include <stdint.h>

#include "../connection.h"
#include "../error.h"
#include "gateway.h"

struct daemon_config {
    int listen_fd; /* taken over */
    struct endpoint server;
    unsigned connections_max; /* of HTTP */
    uint64_t drain_ms;        /* from SIGTERM on, for what is under way */
    struct gateway_config gateway;
};

/* Serves until SIGTERM or SIGINT. */
enum status daemon_run(const struct daemon_config *config, struct error *error);

#endif
