/* SPDX-License-Identifier: MIT
 *
 * MCP sessions over the clients' streams. All of it runs in the task that calls connections_poll; answers may
 * come from other tasks.
 */
#ifndef KERNEL_SERVICE_CONNECTIONS_H
#define KERNEL_SERVICE_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <mcp/server.h>
#include <service/listener.h>
#include <service/policy.h>
#include <service/stream.h>

#define CONNECTIONS_MAX 64

struct connection;

/* Serves `server` from here on, to the clients of `count` listeners; both must stay. Says in the log where
 * they connect. */
void connections_start(struct mcp_server *server, const struct listener *const *all, size_t count);

/* One round: asks each listener, and gives each connection its turn. Returns when the next is due: 0 for at
 * once, TASK_FOREVER for when it is woken. */
uint64_t connections_poll(void);
/* Lets other tasks run, until then or until connections_wake. */
void connections_wait(uint64_t due);

/* ---- for listeners, from within their poll ---- */

/* Has connections_wait return: the `wake` of a device. Any context. */
void connections_wake(void *context);

/* Whether the policy lets the client in at the moment; counts and logs it when not. For devices that can ask
 * before they answer the client; connection_open asks again. */
bool connection_is_welcome(const char *kind, uint64_t peer_cid, uint32_t peer_port);

/* Begins a session with a client. Returns NULL when it is refused: then the stream is aborted. */
struct connection *connection_open(const struct stream *stream);

/* The stream can be read (or has ended), takes bytes again, or is dead. */
void connection_readable(struct connection *connection);
void connection_writable(struct connection *connection);
void connection_reset(struct connection *connection);

/* Ends at once all that have these operations, before their device goes. */
void connections_drop(const struct stream_operations *operations);

/* How much a stream may keep for its connection until that reads it, at most `most` bytes. */
size_t connections_input_share(size_t most);

/* ---- for tools, while a request is being handled ---- */

/* The number of the connection that asks, which no other ever has; 0 outside of a handler. */
uint64_t connections_current(void);
/* Why it may not have this call done too, for an overload error; NULL when it may. */
const char *connections_current_excess(void);

/* ---- for notices ---- */

/* What is sent between a call with true and one with false are notices: they reach those clients alone who
 * read what they get. */
void connections_notices(bool begin);

/* ---- for everybody ---- */

struct connections_statistics {
    uint32_t open;
    uint64_t accepted, refused;
    uint64_t evicted;       /* ended to make room */
    uint64_t missed;        /* notices, by clients that do not read */
    uint64_t device_resets; /* times a broken device was started again, */
    uint64_t device_stalls; /* of these, because it took nothing any more */
};
void connections_get_statistics(struct connections_statistics *result);
void connections_count_device_reset(void);
void connections_count_device_stall(void);

#endif
