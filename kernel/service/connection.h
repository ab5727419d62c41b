/* SPDX-License-Identifier: MIT
 *
 * One connection, private to connections.c (its life), connection_input.c and connection_output.c.
 */
#ifndef KERNEL_SERVICE_CONNECTION_H
#define KERNEL_SERVICE_CONNECTION_H

#include <stdbool.h>

#include <mcp/server.h>
#include <mcp/transport.h>
#include <service/output_queue.h>
#include <service/policy.h>
#include <service/stream.h>

struct connection {
    struct connection *next;
    uint64_t number; /* connections_current */
    struct stream stream;
    const struct policy_rule *rule;
    struct mcp_session *session;
    struct mcp_reader reader;
    struct output_queue output;
    uint64_t progress_at;    /* when bytes last came or went */
    uint64_t rate_at;        /* how far its requests have used up its rate (see connection_input.c) */
    bool readable, writable; /* marks: look at it */
    bool ended;              /* the client sends no more; what it asked is still answered */
    bool closing;            /* the stream broke a rule: no more input, close when the output is out */
    bool dead;               /* reset, or out of memory for an answer: close at once */
};

/* mcp_send; `context` is the connection. Any task. */
int connection_send_message(void *context, const char *message, size_t length);

/* Sends what waits, as far as the stream takes it. */
void connection_flush(struct connection *connection);

/* Reads and handles what has come, for one turn at most. */
void connection_read(struct connection *connection);

/* Whether connection_read has something to do: 0 for at once, TASK_FOREVER for no, or when (of
 * timer_now_us). */
uint64_t connection_read_time(const struct connection *connection);

/* ---- connections.c ---- */

struct mcp_server *connections_server(void);

/* Whether so many bytes of output that wait are enough to read no more requests of that client. */
bool connections_output_is_high(size_t size);

/* Ends the connection on which nothing has happened for longest, where there is one that has been silent
 * long enough, so that another has its place and memory soon. Returns whether there is. */
bool connections_make_room(void);

/* For output when there is no memory for it: ends the connection with the most output waiting, where that is
 * more than waits for the one that asks. Returns whether memory came free. */
bool connections_drop_output(const struct connection *asking);

void connections_count_missed(void);

#endif
