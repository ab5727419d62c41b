/* SPDX-License-Identifier: MIT
 *
 * Log messages for clients (MCP 2025-11-25, "Server features / Utilities / Logging"). Those of a call are in
 * call_notify.c.
 */
#include "server_private.h"

static const char *const levels[] = {"debug", "info",     "notice", "warning",
                                     "error", "critical", "alert",  "emergency"};

#define LEVEL_COUNT ((int)(sizeof(levels) / sizeof(levels[0])))

_Static_assert(MCP_LOG_EMERGENCY == sizeof(levels) / sizeof(levels[0]) - 1,
               "the names of enum mcp_log_level");

int level_find(struct mcp_json name)
{
    for (int i = 0; i < LEVEL_COUNT; i++)
        if (mcp_json_equals(name, levels[i]))
            return i;
    return LEVEL_UNSET;
}

void write_log_message(struct message *message, enum mcp_log_level level, const char *logger,
                       const char *text)
{
    int index = (int)level < LEVEL_COUNT ? (int)level : LEVEL_COUNT - 1;

    mcp_json_member_string(&message->writer, "level", levels[index]);
    if (logger != NULL)
        mcp_json_member_string(&message->writer, "logger", logger);
    mcp_json_member_string(&message->writer, "data", text);
}

void mcp_server_log(struct mcp_server *server, enum mcp_log_level level, const char *logger, const char *text)
{
    struct mcp_session *next;

    if (!server->config.logging)
        return;
    if (server->is_logging) {
        server->statistics.lost_notifications++;
        return;
    }
    server->is_logging = true;
    for (struct mcp_session *session = server->sessions; session != NULL; session = next) {
        session_enter(session);
        if (!session->closed && session_may_use(session, server->config.logging_needs) &&
            session->log_level != LEVEL_UNSET && (int)level >= session->log_level) {
            struct message message;

            notification_begin(session, &message, "notifications/message");
            write_log_message(&message, level, logger, text);
            (void)notification_end(session, &message, NULL, 0);
        }
        next = session->next;
        session_leave(session);
    }
    server->is_logging = false;
}

static void handle_set_level(const struct request *request)
{
    int level = level_find(mcp_json_member(request->params, "level"));

    if (level == LEVEL_UNSET) {
        reply_invalid_params(
            &request->reply,
            "level must be debug, info, notice, warning, error, critical, alert or emergency");
        return;
    }
    request->session->log_level = level;
    reply_empty(&request->reply);
}

static void write_logging_capability(const struct mcp_server *server, const struct mcp_version *version,
                                     struct mcp_json_writer *writer)
{
    (void)server;
    (void)version;
    mcp_json_key_write(writer, "logging");
    mcp_json_begin_object(writer);
    mcp_json_end_object(writer);
}

static const struct method methods[] = {
    {.name = "logging/setLevel", .handle = handle_set_level, .versions = INITIALIZE_ERA},
};

const struct feature feature_logging = {.methods = methods,
                                        .method_count = sizeof(methods) / sizeof(methods[0]),
                                        .write_capabilities = write_logging_capability};
