/* SPDX-License-Identifier: MIT
 *
 * Servers and sessions.
 */
#include "mcp/server.h"

#include <errno.h>
#include <string.h>

#include "call_private.h"
#include "task.h"

#define DEFAULT_MESSAGE_MAX       ((size_t)1024 * 1024)
#define DEFAULT_CALLS_PER_SESSION 64u
#define DEFAULT_SUBSCRIPTIONS     64u
#define DEFAULT_STATE_TTL_MS      600000u

/* Smaller limits cannot hold the answers that every server must give. */
#define LEAST_MESSAGE_MAX 1024u

/* The server as it stands in each result of the stateless era, written once. */
static int write_info(struct mcp_server *server)
{
    const struct mcp_memory *memory = &server->config.memory;
    struct mcp_json_writer writer;
    const char *text;
    int result;

    mcp_json_writer_initialise(&writer, memory, server->config.message_max / 2);
    write_server_info(&writer, &server->config, version_newest(EVERY_VERSION));
    result = mcp_json_finish(&writer, &text, &server->info_length);
    if (result != 0) {
        mcp_json_writer_release(&writer);
        return result == -ENOMEM ? result : -EINVAL;
    }
    server->info = writer.text;
    server->info_size = writer.size;
    return 0;
}

int mcp_server_create(const struct mcp_server_config *config, struct mcp_server **server)
{
    struct mcp_server *created;
    int result;

    if (config->name == NULL || config->version == NULL || config->memory.allocate == NULL ||
        config->memory.release == NULL ||
        (config->message_max != 0 && config->message_max < LEAST_MESSAGE_MAX) ||
        (config->icons != NULL && !is_array_text(config->icons)))
        return -EINVAL;
    created = config->memory.allocate(config->memory.context, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    *created = (struct mcp_server){.config = *config};
    if (created->config.message_max == 0)
        created->config.message_max = DEFAULT_MESSAGE_MAX;
    if (created->config.calls_per_session == 0)
        created->config.calls_per_session = DEFAULT_CALLS_PER_SESSION;
    if (created->config.subscriptions_per_session == 0)
        created->config.subscriptions_per_session = DEFAULT_SUBSCRIPTIONS;
    if (created->config.state_ttl_ms == 0)
        created->config.state_ttl_ms = DEFAULT_STATE_TTL_MS;
    server_use(created, &feature_calls);
    server_use(created, &feature_tools);
    server_use(created, &feature_initialize);
    server_use(created, &feature_stateless);
    if (created->config.logging)
        server_use(created, &feature_logging);
    result = write_info(created);
    if (result != 0) {
        mcp_server_destroy(created);
        return result;
    }
    *server = created;
    return 0;
}

void mcp_server_destroy(struct mcp_server *server)
{
    struct mcp_memory memory;

    if (server == NULL)
        return;
    memory = server->config.memory;
    for (uint32_t i = 0; i < server->feature_count; i++)
        if (server->features[i]->release != NULL)
            server->features[i]->release(server);
    if (server->info != NULL)
        memory.release(memory.context, server->info, server->info_size);
    memory.release(memory.context, server, sizeof(*server));
}

void mcp_server_get_statistics(const struct mcp_server *server, struct mcp_server_statistics *statistics)
{
    *statistics = server->statistics;
}

int mcp_session_open(struct mcp_server *server, mcp_send send, void *context, struct mcp_session **session)
{
    struct mcp_session *opened =
        server->config.memory.allocate(server->config.memory.context, sizeof(*opened));

    if (opened == NULL)
        return -ENOMEM;
    *opened = (struct mcp_session){.server = server,
                                   .send = send,
                                   .context = context,
                                   .next = server->sessions,
                                   .log_level = LEVEL_UNSET,
                                   .allowed = UINT32_MAX};
    if (opened->next != NULL)
        opened->next->previous = opened;
    server->sessions = opened;
    server->statistics.sessions++;
    *session = opened;
    return 0;
}

void mcp_session_allow(struct mcp_session *session, uint32_t allowed)
{
    session->allowed = allowed;
}

bool session_may_use(const struct mcp_session *session, uint32_t needs)
{
    return (needs & ~session->allowed) == 0;
}

bool request_may_use(const struct request *request, uint32_t needs, const char *name)
{
    struct text text = {0};

    if (session_may_use(request->session, needs))
        return true;
    text_add(&text, "Forbidden: this client may not use ");
    text_add(&text, name);
    reply_error(&request->reply, MCP_ERROR_FORBIDDEN, text.bytes, NULL);
    return false;
}

void session_enter(struct mcp_session *session)
{
    session->busy++;
}

static void unlink_session(struct mcp_session *session)
{
    if (session->previous != NULL)
        session->previous->next = session->next;
    else
        session->server->sessions = session->next;
    if (session->next != NULL)
        session->next->previous = session->previous;
}

/* A closed session stays in the list until nothing works with it, so that who walks the list finds on. */
void session_leave(struct mcp_session *session)
{
    struct mcp_memory memory = session->server->config.memory;

    if (--session->busy == 0 && session->closed) {
        unlink_session(session);
        subscriptions_release(session);
        session->server->statistics.sessions--;
        memory.release(memory.context, session, sizeof(*session));
    }
}

void mcp_session_close(struct mcp_session *session)
{
    if (session == NULL || session->closed)
        return;
    session->closed = true;
    session_enter(session);
    if (session->server->task_hooks != NULL)
        session->server->task_hooks->end_session(session);
    call_orphan_all(session);
    session_leave(session);
}

uint32_t mcp_session_pending(const struct mcp_session *session)
{
    uint32_t pending = session->pending;

    for (const struct mcp_call *call = session->calls; call != NULL; call = call->next)
        if (call->waiting || call->answered)
            pending--;
    return pending;
}

void session_send(struct mcp_session *session, const char *message, size_t length, const char *id,
                  size_t id_length)
{
    const char *outer = session->sending_id; /* the hook may come back, and send again */
    size_t outer_length = session->sending_id_length;

    if (session->closed)
        return;
    session_enter(session);
    session->sending_id = id;
    session->sending_id_length = id_length;
    (void)session->send(session->context, message, length); /* lost only where the connection is, too */
    session->sending_id = outer;
    session->sending_id_length = outer_length;
    session_leave(session);
}

const char *mcp_session_sending_for(const struct mcp_session *session, size_t *length)
{
    *length = session->sending_id_length;
    return session->sending_id;
}

bool session_has_room(const struct mcp_session *session, size_t size)
{
    size_t limit = session->server->config.memory_per_session;

    return limit == 0 || session->held + size <= limit;
}

static void parse_error(struct mcp_session *session, const struct mcp_json_error *error)
{
    struct text text = {0};

    text_add(&text, "Parse error: ");
    text_add(&text, error->message);
    text_add(&text, " at byte ");
    text_add_uint(&text, error->offset);
    mcp_session_report(session, MCP_ERROR_PARSE, text.bytes, NULL);
}

void mcp_session_receive(struct mcp_session *session, const char *message, size_t length)
{
    struct mcp_json_document *document;
    struct mcp_json_error error;
    int result;

    if (session->closed)
        return;
    session_enter(session);
    result = mcp_json_parse(&session->server->config.memory, message, length, &document, &error);
    if (result == 0) {
        dispatch_message(session, mcp_json_root(document));
        mcp_json_free(document);
    } else if (result == -ENOMEM) {
        dispatch_without_memory(session, message, length);
    } else {
        parse_error(session, &error);
    }
    session_leave(session);
}

void mcp_session_report(struct mcp_session *session, int code, const char *message, const char *data)
{
    struct reply reply = {.server = session->server, .session = session, .id = "null", .id_length = 4};

    session_enter(session);
    reply_error(&reply, code, message, data);
    session_leave(session);
}
