/* SPDX-License-Identifier: MIT
 *
 * The life of connections. The listeners' events only set marks; the task then serves each marked connection
 * in turn, a bounded piece at a time, so that one client's flood does not keep the others waiting.
 */
#include <arch/interrupts.h>
#include <arch/timer.h>
#include <hooks/library_memory.h>
#include <logging/log.h>
#include <service/access.h>
#include <service/connection.h>
#include <service/connections.h>
#include <string.h>
#include <tasks/task.h>

#define OUTPUT_HIGH_MAX (256u * 1024)

/* Who makes room for others when there is none: connections on which nothing happens. */
#define IDLE_US    UINT64_C(60000000) /* and that wait for nothing */
#define STALLED_US UINT64_C(30000000) /* in the middle of a message, or with answers that nobody reads */

#define REFUSAL_LOG_US UINT64_C(1000000) /* refusals between two lines of the log are counted only */

static struct mcp_server *mcp;
static const struct listener *const *listeners;
static size_t listener_count;
static struct connection *connections;
static struct interrupt_event activity;
static struct connections_statistics statistics;

/* What one connection may hold back: when all do, together it is half of the client pool at most. */
size_t connections_input_share(size_t most)
{
    size_t share = client_pool.limit / 2 / CONNECTIONS_MAX;
    return share < most ? share : most;
}

/* ---- life and death ---- */

/* One line for many, because whoever is refused may try again at once. */
static void count_refusal(const char *kind, uint64_t cid, uint32_t port, const char *why)
{
    static uint64_t logged_at, unlogged;
    uint64_t now = timer_now_us();
    statistics.refused++;
    unlogged++;
    if (logged_at != 0 && now - logged_at < REFUSAL_LOG_US)
        return;
    log_write(LOG_WARNING, "service",
              "connection from %s %llu:%u refused: %s (%llu since the last such line)", kind,
              (unsigned long long)cid, port, why, (unsigned long long)unlogged);
    logged_at = now;
    unlogged = 0;
}

static struct connection *refuse(const struct stream *stream, const char *why)
{
    count_refusal(stream->kind, stream->peer_cid, stream->peer_port, why);
    stream->operations->abort(stream->handle);
    return NULL;
}

static uint32_t count_of_rule(const struct policy_rule *rule)
{
    uint32_t count = 0;
    for (const struct connection *connection = connections; connection != NULL; connection = connection->next)
        count += connection->rule == rule && !connection->dead ? 1 : 0;
    return count;
}

/* Returns the client's rule; NULL when it must stay out, and why. */
static const struct policy_rule *find_rule(const char *kind, uint64_t cid, uint32_t port, const char **why)
{
    const struct policy_rule *rule = policy_find(access_policy(), kind, cid, port);
    if (rule == NULL)
        *why = "the policy does not let it in";
    else if (rule->connections_max == 0 || count_of_rule(rule) < rule->connections_max)
        return rule;
    else
        *why = "as many as its rule allows are open";
    return NULL;
}

bool connection_is_welcome(const char *kind, uint64_t peer_cid, uint32_t peer_port)
{
    const char *why;
    if (find_rule(kind, peer_cid, peer_port, &why) != NULL)
        return true;
    count_refusal(kind, peer_cid, peer_port, why);
    return false;
}

/* A client's tasks and states are its own: those of its kind of stream, its address and the policy's rule for
 * it, on any connection. */
static void identify(const struct connection *connection)
{
    struct {
        char kind[16];
        uint64_t cid, rule;
    } client = {.cid = connection->stream.peer_cid,
                .rule = (uint64_t)(connection->rule - access_policy()->rules)};

    (void)strncpy(client.kind, connection->stream.kind, sizeof client.kind - 1);
    mcp_session_identify(connection->session, &client, sizeof client);
}

static struct connection *create(const struct stream *stream, const struct policy_rule *rule)
{
    struct connection *connection = budget_alloc(&client_pool, sizeof *connection);
    if (connection == NULL)
        return NULL;
    *connection = (struct connection){
        .number = statistics.accepted + 1, .stream = *stream, .rule = rule, .progress_at = timer_now_us()};
    mcp_reader_initialise(&connection->reader, &kernel_transport_memory);
    if (rule->message_max != 0)
        mcp_reader_limit(&connection->reader, rule->message_max);
    if (mcp_session_open(mcp, connection_send_message, connection, &connection->session) == 0) {
        mcp_session_allow(connection->session, rule->tools);
        identify(connection);
        return connection;
    }
    budget_free(&client_pool, connection, sizeof *connection);
    return NULL;
}

struct connection *connection_open(const struct stream *stream)
{
    const char *why;
    const struct policy_rule *rule = find_rule(stream->kind, stream->peer_cid, stream->peer_port, &why);
    if (rule == NULL)
        return refuse(stream, why);
    if (statistics.open >= CONNECTIONS_MAX && !connections_make_room())
        return refuse(stream, "all connections are in use");
    struct connection *connection = create(stream, rule);
    if (connection == NULL) {
        (void)connections_make_room();
        return refuse(stream, "out of memory");
    }
    connection->next = connections;
    connections = connection;
    statistics.open++;
    statistics.accepted++;
    log_write(LOG_DEBUG, "service", "connection from %s %llu:%u", stream->kind,
              (unsigned long long)stream->peer_cid, stream->peer_port);
    return connection;
}

static void close_connection(struct connection *connection)
{
    for (struct connection **at = &connections; *at != NULL; at = &(*at)->next) {
        if (*at == connection) {
            *at = connection->next;
            break;
        }
    }
    mcp_session_close(connection->session);
    mcp_reader_release(&connection->reader);
    output_queue_clear(&connection->output);
    const struct stream *stream = &connection->stream;
    if (connection->dead)
        stream->operations->abort(stream->handle);
    else
        stream->operations->close(stream->handle);
    budget_free(&client_pool, connection, sizeof *connection);
    statistics.open--;
}

static bool is_finished(const struct connection *connection)
{
    if (connection->dead)
        return true;
    if (connection->output.size > 0)
        return false;
    return connection->closing || (connection->ended && mcp_session_pending(connection->session) == 0);
}

/* How long nothing has happened on a connection that others may take the place of; 0 for one that works. */
static uint64_t time_wasted(const struct connection *connection, uint64_t now)
{
    uint64_t quiet = now - connection->progress_at;
    bool stalled = connection->output.size > 0 || mcp_reader_in_message(&connection->reader);
    if (connection->dead)
        return 0;
    if (stalled)
        return quiet >= STALLED_US ? quiet : 0;
    return mcp_session_pending(connection->session) == 0 && quiet >= IDLE_US ? quiet : 0;
}

static void end_for_others(struct connection *victim, const char *why)
{
    log_write(LOG_INFO, "service", "connection from %s %llu:%u ended to make room: %s", victim->stream.kind,
              (unsigned long long)victim->stream.peer_cid, victim->stream.peer_port, why);
    victim->dead = true;
    statistics.evicted++;
    connections_wake(NULL);
}

bool connections_make_room(void)
{
    struct connection *victim = NULL;
    uint64_t now = timer_now_us(), most = 0;
    for (struct connection *connection = connections; connection != NULL; connection = connection->next) {
        uint64_t wasted = time_wasted(connection, now);
        if (wasted > most) {
            most = wasted;
            victim = connection;
        }
    }
    if (victim == NULL)
        return false;
    end_for_others(victim, "nothing has happened on it for long");
    return true;
}

bool connections_drop_output(const struct connection *asking)
{
    struct connection *victim = NULL;
    size_t most = asking->output.size;
    for (struct connection *connection = connections; connection != NULL; connection = connection->next) {
        if (connection->output.size > most) {
            most = connection->output.size;
            victim = connection;
        }
    }
    if (victim == NULL)
        return false;
    output_queue_clear(&victim->output);
    end_for_others(victim, "its answers take the memory that others need");
    return true;
}

void connections_drop(const struct stream_operations *operations)
{
    for (struct connection *connection = connections, *next; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->stream.operations == operations) {
            connection->dead = true;
            close_connection(connection);
        }
    }
}

void connection_readable(struct connection *connection)
{
    connection->readable = true;
}

void connection_writable(struct connection *connection)
{
    connection->writable = true;
}

void connection_reset(struct connection *connection)
{
    connection->dead = true;
}

INTERRUPT_CODE void connections_wake(void *context)
{
    (void)context;
    interrupt_event_raise(&activity);
}

/* ---- the task ---- */

void connections_start(struct mcp_server *server, const struct listener *const *all, size_t count)
{
    mcp = server;
    listeners = all;
    listener_count = count;
    bool reachable = false;
    for (size_t i = 0; i < count; i++)
        if (listeners[i]->announce())
            reachable = true;
    if (!reachable)
        log_write(LOG_WARNING, "service", "no vsock device: nobody can reach this machine");
}

/* One turn for everybody. Returns when the next is due: 0 for at once. */
static uint64_t serve_connections(void)
{
    uint64_t due = TASK_FOREVER;
    for (struct connection *connection = connections, *next; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->writable) {
            connection->writable = false;
            connection_flush(connection);
        }
        connection_read(connection);
        if (is_finished(connection)) {
            close_connection(connection);
            continue;
        }
        uint64_t again = connection_read_time(connection);
        if (again < due)
            due = again;
    }
    return due;
}

uint64_t connections_poll(void)
{
    uint64_t due = TASK_FOREVER;
    for (size_t i = 0; i < listener_count; i++) {
        uint64_t next = listeners[i]->poll();
        if (next < due)
            due = next;
    }
    uint64_t next = serve_connections();
    return next < due ? next : due;
}

void connections_wait(uint64_t due)
{
    if (due == 0)
        task_yield();
    else
        (void)interrupt_event_wait(&activity, due);
}

bool connections_output_is_high(size_t size)
{
    /* Half of its share: the answer that takes it there comes on top. */
    return size > connections_input_share(2 * OUTPUT_HIGH_MAX) / 2;
}

struct mcp_server *connections_server(void)
{
    return mcp;
}

void connections_get_statistics(struct connections_statistics *result)
{
    *result = statistics;
}

void connections_count_missed(void)
{
    statistics.missed++;
}

void connections_count_device_reset(void)
{
    statistics.device_resets++;
}

void connections_count_device_stall(void)
{
    statistics.device_stalls++;
}
