/* SPDX-License-Identifier: MIT
 *
 * What a client may send, and how fast. Whoever sends too much at once is not answered with errors but read
 * more slowly: its stream fills up, and it waits.
 */
#include <errno.h>

#include <arch/timer.h>
#include <logging/log.h>
#include <service/connection.h>
#include <service/connections.h>
#include <service/workers.h>
#include <tasks/task.h>

/* Of one connection, before it is the next one's turn. Small enough that one that floods does not keep
 * others waiting, large enough that the rounds do not cost much. */
#define TURN_SIZE     (64u * 1024)
#define TURN_REQUESTS 16

#define SECOND_US UINT64_C(1000000)

static const struct connection *current;

uint64_t connections_current(void)
{
    return current != NULL ? current->number : 0;
}

/* One message can hold many calls, so they are counted here, too. */
const char *connections_current_excess(void)
{
    if (current == NULL)
        return NULL;
    uint32_t calls_max = current->rule->calls_max;
    /* This call is among those that are pending. What became a task is not, and is worked for all the same.
     */
    if (calls_max != 0 &&
        (mcp_session_pending(current->session) > calls_max || workers_jobs_of(current->number) >= calls_max))
        return "as many calls as the policy allows are not answered yet";
    if (connections_output_is_high(current->output.size))
        return "read the answers that wait first";
    return NULL;
}

static void report_too_long(struct connection *connection, size_t limit)
{
    char message[60], data[40];
    (void)log_format(message, sizeof message, "message longer than %zu bytes", limit);
    (void)log_format(data, sizeof data, "{\"limit\":%zu}", limit);
    mcp_session_report(connection->session, MCP_ERROR_TOO_LARGE, message, data);
}

static size_t message_limit(const struct connection *connection)
{
    return connection->rule->message_max != 0 ? connection->rule->message_max : MCP_MESSAGE_MAX;
}

static void handle_event(struct connection *connection, enum mcp_reader_event event)
{
    struct mcp_reader *reader = &connection->reader;
    switch (event) {
    case MCP_READER_MESSAGE:
        if (reader->tag_length > 0) {
            mcp_session_report(connection->session, MCP_ERROR_INVALID_REQUEST,
                               "the tag of a client's frame must be empty", NULL);
            connection->closing = true;
        } else {
            mcp_session_receive(connection->session, reader->message, reader->message_length);
        }
        break;
    case MCP_READER_TOO_LONG:
        report_too_long(connection, message_limit(connection));
        break;
    case MCP_READER_NO_MEMORY:
        mcp_session_report(connection->session, MCP_ERROR_OVERLOADED, "out of memory for the message",
                           "{\"retryAfterMs\":1000}");
        connections_make_room();
        break;
    case MCP_READER_REFUSED:
        mcp_session_report(connection->session, MCP_ERROR_PARSE,
                           "neither a length-prefixed frame nor JSON: this is an MCP server", NULL);
        connection->closing = true;
        break;
    case MCP_READER_CLOSE:
        if (reader->announced_length > MCP_DRAIN_MAX)
            report_too_long(connection, message_limit(connection));
        connection->closing = true;
        break;
    case MCP_READER_MORE:
        break;
    }
}

/* ---- the rate ---- */

/* Each request moves `rate_at` on by the time that the rate gives it; a second's worth of requests may come
 * at once. (The generic cell rate algorithm, ITU-T I.371, as a virtual schedule.) */
static void charge_rate(struct connection *connection, uint64_t requests)
{
    uint32_t rate = connection->rule->requests_per_second;
    if (rate == 0 || requests == 0)
        return;
    uint64_t now = timer_now_us();
    if (connection->rate_at < now)
        connection->rate_at = now;
    connection->rate_at += requests * SECOND_US / rate;
}

/* 0, or when the rate lets the connection be read again. */
static uint64_t rate_pause(const struct connection *connection)
{
    if (connection->rule->requests_per_second == 0 || connection->rate_at <= timer_now_us() + SECOND_US)
        return 0;
    return connection->rate_at - SECOND_US;
}

uint64_t connection_read_time(const struct connection *connection)
{
    /* With output waiting `readable` stays set, and the output's progress brings us back. */
    if (!connection->readable || connection->dead || connection->closing || connection->ended ||
        connections_output_is_high(connection->output.size))
        return TASK_FOREVER;
    return rate_pause(connection);
}

/* ---- reading ---- */

/* Handles what the reader found. Returns how many requests it was: a batch holds many, and what is wrong
 * counts, too. */
static uint64_t handle_counted(struct connection *connection, enum mcp_reader_event event)
{
    struct mcp_server_statistics before, after;
    if (event == MCP_READER_MORE)
        return 0;
    mcp_server_get_statistics(connections_server(), &before);
    current = connection;
    handle_event(connection, event);
    current = NULL;
    mcp_server_get_statistics(connections_server(), &after);
    uint64_t count = after.requests - before.requests + after.notifications - before.notifications;
    return count > 0 ? count : 1;
}

void connection_read(struct connection *connection)
{
    const struct stream *stream = &connection->stream;
    size_t size = 0;
    uint64_t requests = 0;
    while (size < TURN_SIZE && requests < TURN_REQUESTS && connection_read_time(connection) == 0) {
        const void *bytes;
        enum mcp_reader_event event;
        size_t consumed = 0;
        int64_t received = stream->operations->peek(stream->handle, &bytes);
        if (received == -EAGAIN) {
            connection->readable = false;
            return;
        }
        if (received < 0) {
            connection->dead = true;
            return;
        }
        if (received == 0) {
            event = mcp_reader_end(&connection->reader);
            connection->ended = true;
        } else {
            event = mcp_reader_feed(&connection->reader, bytes, (size_t)received, &consumed);
            connection->progress_at = timer_now_us();
        }
        uint64_t count = handle_counted(connection, event);
        charge_rate(connection, count);
        mcp_reader_trim(&connection->reader);
        stream->operations->take(stream->handle, consumed);
        size += consumed;
        requests += count;
    }
}
