/* SPDX-License-Identifier: MIT
 *
 * Which era and version a server speaks. A server of 2026-07-28 answers server/discover, or with an error of
 * that version; everything else, and silence, means a server that begins with `initialize` (MCP 2026-07-28,
 * "stdio / Backward Compatibility" and "Streamable HTTP / Backward Compatibility").
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define PROBE_MS 5000 /* a server of the older era may leave server/discover without an answer */

enum { /* MCP 2026-07-28, "Error Codes": errors that servers of that version alone have */
       HEADER_MISMATCH = -32020,
       UNSUPPORTED_VERSION = -32022
};

#define META(name) "io.modelcontextprotocol/" name

static const char stateless_version[] = "2026-07-28";
static const char latest_version[] = "2025-11-25";
/* The versions that begin with `initialize`; what mcp-cli uses of them is the same in all. */
static const char *const known_versions[] = {"2024-11-05", "2025-03-26", "2025-06-18", latest_version};

static const char *known_version(const char *version)
{
    for (size_t i = 0; version && i < sizeof known_versions / sizeof *known_versions; i++) {
        if (strcmp(version, known_versions[i]) == 0)
            return known_versions[i];
    }
    return NULL;
}

static json_t *client_info(void)
{
    return json_pack("{s:s, s:s}", "name", "mcp-cli", "version", MK_VERSION);
}

json_t *client_capabilities(const struct client *client)
{
    json_t *capabilities = json_object();
    if (client->stateless) /* of the older era a request asks for a task, tasks.c has it */
        json_object_set_new(capabilities, "extensions", json_pack("{s:{}}", META("tasks")));
    if (client->options.roots)
        json_object_set_new(capabilities, "roots", json_object());
    if (client->options.hooks.elicit)
        json_object_set_new(capabilities, "elicitation", json_pack("{s:{}, s:{}}", "form", "url"));
    return capabilities;
}

json_t *client_meta(const struct client *client)
{
    return json_pack("{s:s, s:o, s:o}", META("protocolVersion"), stateless_version, META("clientInfo"),
                     client_info(), META("clientCapabilities"), client_capabilities(client));
}

/* The older era. */
static enum status initialise(struct client *client, struct error *error)
{
    struct error cause;
    json_t *response = NULL;
    client->stateless = false;
    json_t *params = json_pack("{s:s, s:o, s:o}", "protocolVersion", latest_version, "capabilities",
                               client_capabilities(client), "clientInfo", client_info());
    enum status status = client_exchange(client, "initialize", params, CLIENT_QUICK,
                                         client->options.timeout_ms, &response, &cause);
    if (status != STATUS_OK) {
        *error = cause;
        return status;
    }
    const json_t *failure = json_object_get(response, "error");
    json_t *result = json_object_get(response, "result");
    if (failure) {
        client_refused(failure, &cause);
        status = error_set(error, STATUS_CONNECTION, "%s: the server refuses to initialise: %.800s",
                           client->options.endpoint.name, cause.text);
    } else if (!json_is_object(result)) {
        status = client_lost(client, error, "the server's answer has neither a result nor an error");
    } else {
        const char *version = json_string_value(json_object_get(result, "protocolVersion"));
        client->version = known_version(version);
        client->server = json_incref(result);
        if (!client->version)
            status = error_set(error, STATUS_CONNECTION,
                               "%s: the server speaks MCP version '%.40s'; mcp-cli knows %s to %s, and %s",
                               client->options.endpoint.name, version ? version : "", known_versions[0],
                               latest_version, stateless_version);
    }
    json_decref(response);
    if (status != STATUS_OK)
        return status;
    if (client->transport->operations->settle)
        client->transport->operations->settle(client->transport, client->version, false);
    return client_send(client,
                       json_pack("{s:s, s:s}", "jsonrpc", "2.0", "method", "notifications/initialized"),
                       client->options.timeout_ms, error);
}

static bool has_version(const json_t *versions, const char *wanted)
{
    for (size_t i = 0; i < json_array_size(versions); i++) {
        const char *version = json_string_value(json_array_get(versions, i));
        if (version && (wanted ? strcmp(version, wanted) == 0 : known_version(version) != NULL))
            return true;
    }
    return false;
}

enum probe { PROBE_STATELESS, PROBE_OLDER, PROBE_NEITHER };

/* What an answer to server/discover says. `versions` are the server's, where it says them. */
static enum probe judge(const json_t *response, const json_t **versions)
{
    const json_t *failure = json_object_get(response, "error");
    json_int_t code = json_integer_value(json_object_get(failure, "code"));
    const json_t *result = json_object_get(response, "result");
    *versions = json_object_get(result, "supportedVersions");
    if (code == UNSUPPORTED_VERSION)
        *versions = json_object_get(json_object_get(failure, "data"), "supported");
    if (json_is_array(*versions)) {
        if (has_version(*versions, stateless_version) && !failure)
            return PROBE_STATELESS;
        return has_version(*versions, NULL) ? PROBE_OLDER : PROBE_NEITHER;
    }
    if (code <= HEADER_MISMATCH && code >= UNSUPPORTED_VERSION)
        return PROBE_NEITHER;
    return PROBE_OLDER;
}

/* serverInfo stands in _meta of a result of the stateless era: to where `initialize` has it. */
static void take_server(struct client *client, json_t *result)
{
    json_t *info = json_object_get(json_object_get(result, "_meta"), META("serverInfo"));
    client->server = json_copy(result);
    json_object_set_new(client->server, "protocolVersion", json_string(stateless_version));
    if (info && !json_object_get(client->server, "serverInfo"))
        json_object_set(client->server, "serverInfo", info);
    client->version = stateless_version;
    if (client->transport->operations->settle)
        client->transport->operations->settle(client->transport, stateless_version, true);
}

static enum status no_version(const struct client *client, const json_t *response, const json_t *versions,
                              struct error *error)
{
    struct error cause = {.text = ""};
    char *list = versions ? json_dumps(versions, JSON_COMPACT) : NULL;
    if (json_object_get(response, "error"))
        client_refused(json_object_get(response, "error"), &cause);
    enum status status =
        error_set(error, STATUS_CONNECTION,
                  "%s: no version of MCP in common: mcp-cli knows %s to %s and %s; the server %.300s%.400s",
                  client->options.endpoint.name, known_versions[0], latest_version, stateless_version,
                  list ? list : "says: ", list ? "" : cause.text);
    free(list);
    return status;
}

enum status client_handshake(struct client *client, struct error *error)
{
    const json_t *versions = NULL;
    json_t *response = NULL;
    enum client_era era = client->options.era;
    if (era == CLIENT_ERA_INITIALIZE)
        return initialise(client, error);
    int64_t patience = client->options.timeout_ms;
    if (era == CLIENT_ERA_AUTO && patience / 2 < PROBE_MS)
        patience /= 2;
    else if (era == CLIENT_ERA_AUTO)
        patience = PROBE_MS;
    client->stateless = true;
    enum status status =
        client_exchange(client, "server/discover", NULL, CLIENT_QUICK, patience, &response, error);
    if (status == STATUS_CONNECTION && era == CLIENT_ERA_AUTO && (client->open || client->may_be_older)) {
        /* silence, or a server that ended at what it does not know */
        if (!client->open)
            status = client_connect(client, error);
        else
            status = STATUS_OK;
        return status == STATUS_OK ? initialise(client, error) : status;
    }
    if (status != STATUS_OK)
        return status;
    enum probe probe = judge(response, &versions);
    if (probe == PROBE_STATELESS)
        take_server(client, json_object_get(response, "result"));
    else if (probe == PROBE_NEITHER)
        status = no_version(client, response, versions, error);
    else if (era == CLIENT_ERA_STATELESS)
        status = error_set(error, STATUS_CONNECTION,
                           "%s: the server does not speak %s; --protocol-era initialize or auto is for it",
                           client->options.endpoint.name, stateless_version);
    json_decref(response);
    if (status == STATUS_OK && probe == PROBE_OLDER)
        status = initialise(client, error);
    return status;
}
