/* SPDX-License-Identifier: MIT
 *
 * Servers and sessions.
 */
#include "mcp/server.h"

#include <errno.h>
#include <string.h>

#include "server_private.h"

#define DEFAULT_MESSAGE_MAX       ((size_t)1024 * 1024)
#define DEFAULT_CALLS_PER_SESSION 64u

/* Smaller limits cannot hold the answers that every server must give. */
#define LEAST_MESSAGE_MAX 1024u

int mcp_server_create(const struct mcp_server_config *config, struct mcp_server **server)
{
    struct mcp_server *created;

    if (config->name == NULL || config->version == NULL || config->memory.allocate == NULL ||
        config->memory.release == NULL ||
        (config->message_max != 0 && config->message_max < LEAST_MESSAGE_MAX))
        return -EINVAL;
    created = config->memory.allocate(config->memory.context, sizeof(*created));
    if (created == NULL)
        return -ENOMEM;
    *created = (struct mcp_server){.config = *config};
    if (created->config.message_max == 0)
        created->config.message_max = DEFAULT_MESSAGE_MAX;
    if (created->config.calls_per_session == 0)
        created->config.calls_per_session = DEFAULT_CALLS_PER_SESSION;
    *server = created;
    return 0;
}

void mcp_server_destroy(struct mcp_server *server)
{
    if (server == NULL)
        return;
    tools_release(server);
    server->config.memory.release(server->config.memory.context, server, sizeof(*server));
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
    *opened = (struct mcp_session){.server = server, .send = send, .context = context};
    server->statistics.sessions++;
    *session = opened;
    return 0;
}

void session_enter(struct mcp_session *session)
{
    session->busy++;
}

void session_leave(struct mcp_session *session)
{
    struct mcp_memory memory = session->server->config.memory;

    if (--session->busy == 0 && session->closed) {
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
    call_orphan_all(session);
    session_leave(session);
}

uint32_t mcp_session_pending(const struct mcp_session *session)
{
    return session->pending;
}

void session_send(struct mcp_session *session, const char *message, size_t length)
{
    if (session->closed)
        return;
    session_enter(session);
    (void)session->send(session->context, message, length); /* lost only where the connection is, too */
    session_leave(session);
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
    struct reply reply = {.session = session, .id = "null", .id_length = 4};

    session_enter(session);
    reply_error(&reply, code, message, data);
    session_leave(session);
}
