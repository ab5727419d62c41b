/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "commands.h"
#include "platform.h"
#include "servers.h"

#define DEFAULT_TIMEOUT 30.0    /* seconds */
#define TIMEOUT_MAX     86400.0 /* a day */
#define TOKEN_MAX       65536   /* bytes */

const char settings_options[] =
    "--server --socket --vsock --tcp --command --servers --token-file --protocol-era "
    "--root --timeout --json --quiet --framing --colour --help --version";

enum status settings_read(struct settings *settings, struct session *session, int *count, char **argv,
                          struct error *error)
{
    struct option common[3];
    const struct option options[] = {{"server", 's', OPTION_TEXT, &settings->server},
                                     {"socket", 0, OPTION_TEXT, &settings->socket},
                                     {"vsock", 0, OPTION_TEXT, &settings->vsock},
                                     {"tcp", 0, OPTION_TEXT, &settings->tcp},
                                     {"command", 'c', OPTION_TEXT, &settings->command},
                                     {"servers", 0, OPTION_TEXT, &settings->servers},
                                     {"token-file", 0, OPTION_TEXT, &settings->token_file},
                                     {"protocol-era", 0, OPTION_TEXT, &settings->era},
                                     {"root", 0, OPTION_TEXT, &settings->root},
                                     {"timeout", 0, OPTION_NUMBER, &settings->timeout},
                                     {"framing", 0, OPTION_TEXT, &settings->framing},
                                     {"colour", 0, OPTION_TEXT, &settings->colour},
                                     {"color", 0, OPTION_TEXT, &settings->colour},
                                     {"help", 'h', OPTION_FLAG, &settings->help},
                                     {"version", 0, OPTION_FLAG, &settings->version},
                                     {NULL, 0, OPTION_FLAG, NULL}};
    *settings = (struct settings){0};
    commands_common_options(session, common);
    return options_parse(options, common, true, count, argv, error);
}

enum status settings_apply_output(const struct settings *settings, struct session *session,
                                  struct error *error)
{
    enum colour_choice colour = COLOUR_AUTO;
    if (settings->colour && strcmp(settings->colour, "always") == 0)
        colour = COLOUR_ALWAYS;
    else if (settings->colour && strcmp(settings->colour, "never") == 0)
        colour = COLOUR_NEVER;
    else if (settings->colour && strcmp(settings->colour, "auto") != 0)
        return error_set(error, STATUS_USAGE, "--colour takes auto, always or never, not '%s'",
                         settings->colour);
    output_initialise(&session->output, stdout, colour);
    output_initialise(&session->errors, stderr, colour);
    session->servers_file = settings->servers;
    return STATUS_OK;
}

/* --server: an address if it looks like one, else a name of the files. */
static enum status read_server(const struct settings *settings, struct endpoint *endpoint, bool may_start,
                               struct error *error)
{
    const char *text = settings->server;
    json_t *servers = NULL;
    if (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0)
        return endpoint_url(endpoint, text, error);
    if (strncmp(text, "unix:", 5) == 0)
        return endpoint_unix(endpoint, text + 5, error);
    if (strncmp(text, "vsock:", 6) == 0)
        return endpoint_vsock(endpoint, text + 6, error);
    if (strncmp(text, "tcp:", 4) == 0)
        return endpoint_tcp(endpoint, text + 4, error);
    if (strstr(text, "://"))
        return error_set(error, STATUS_USAGE,
                         "--server knows http:// and https://, unix:, vsock: and tcp:, not '%s'", text);
    if (strchr(text, '/'))
        return endpoint_unix(endpoint, text, error);
    enum status status = servers_read(settings->servers, &servers, error);
    for (size_t i = 0; i < json_array_size(servers) && status == STATUS_OK && !may_start; i++) {
        const json_t *each = json_array_get(servers, i);
        if (strcmp(json_string_value(json_object_get(each, "name")), text) == 0 &&
            json_is_true(json_object_get(each, "project")))
            status = error_set(error, STATUS_USAGE, "%s is a server of a project's file", text);
    }
    if (status == STATUS_OK)
        status = servers_find(servers, text, endpoint, error);
    json_decref(servers);
    return status;
}

static enum status read_endpoint(const struct settings *settings, struct endpoint *endpoint, bool may_start,
                                 struct error *error)
{
    const char *const given[] = {settings->server, settings->socket, settings->vsock, settings->tcp,
                                 settings->command};
    int count = 0;
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        count += given[i] != NULL;
    if (count > 1)
        return error_set(error, STATUS_USAGE,
                         "--server, --socket, --vsock, --tcp and --command exclude each other");
    if (settings->server)
        return read_server(settings, endpoint, may_start, error);
    if (settings->command)
        return endpoint_command(endpoint, settings->command, error);
    if (settings->vsock)
        return endpoint_vsock(endpoint, settings->vsock, error);
    if (settings->tcp)
        return endpoint_tcp(endpoint, settings->tcp, error);
    const char *path = settings->socket ? settings->socket : getenv("MCP_SOCKET");
    bool is_set = settings->socket || (path && path[0] != '\0'); /* an empty variable is none */
    return endpoint_unix(endpoint, is_set ? path : DEFAULT_SOCKET, error);
}

/* The token of the file, as a header. Its bytes stay out of the command line, which everybody can read. */
static enum status read_token(const char *path, struct endpoint *endpoint, struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    const char *url = json_string_value(json_object_get(endpoint->entry, "url"));
    if (endpoint->kind != ENDPOINT_HTTP)
        return error_set(error, STATUS_USAGE, "--token-file is for a server at a URL");
    if (!http_is_private(url))
        return error_set(error, STATUS_USAGE, "the token would travel unencrypted: %s is no https:// URL",
                         url);
    enum status status = arguments_read_file(path, &text, &length, error);
    if (status != STATUS_OK)
        return status;
    size_t end = strcspn(text, " \t\r\n");
    if (end == 0 || end > TOKEN_MAX || strspn(text + end, " \t\r\n") != length - end) {
        status = error_set(error, STATUS_USAGE, "%s holds no token: one word, as HTTP takes it", path);
    } else {
        json_t *headers = json_object_get(endpoint->entry, "headers");
        headers = headers ? json_copy(headers) : json_object();
        text[end] = '\0';
        json_object_set_new(headers, "Authorization", json_sprintf("Bearer %s", text));
        json_object_set_new(endpoint->entry, "headers", headers);
    }
    free(text);
    return status;
}

/* file:// and the absolute path; what a URI does not take is escaped. */
static enum status read_root(const char *path, json_t **roots, struct error *error)
{
    char *full = platform_full_path(path);
    char *uri = full ? malloc(strlen(full) * 3 + sizeof "file://") : NULL;
    enum status status = STATUS_OK;
    if (!uri) {
        status = error_set(error, STATUS_USAGE, "--root %s: there is no such folder", path);
    } else {
        char *to = uri + sprintf(uri, "file://"); // NOLINT(clang-analyzer-security.insecureAPI.strcpy)
        for (const char *from = full; *from; from++) {
            bool is_plain = (*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z') ||
                            (*from >= '0' && *from <= '9') || strchr("/-._~", *from);
            to += is_plain ? (*to = *from, 1) : sprintf(to, "%%%02X", (unsigned char)*from);
        }
        *to = '\0';
        const char *name = strrchr(full, '/') + 1;
        *roots = json_pack("[{s:s, s:s}]", "uri", uri, "name", *name ? name : "/");
        if (!*roots)
            status = error_set(error, STATUS_USAGE, "--root %s is not UTF-8", path);
    }
    free(uri);
    free(full);
    return status;
}

static enum status read_words(const struct settings *settings, struct client_options *options,
                              struct error *error)
{
    options->form = MCP_FORM_FRAMES;
    if (settings->framing && strcmp(settings->framing, "lines") == 0)
        options->form = MCP_FORM_LINES;
    else if (settings->framing && strcmp(settings->framing, "frames") != 0)
        return error_set(error, STATUS_USAGE, "--framing takes frames or lines, not '%s'", settings->framing);

    options->era = CLIENT_ERA_AUTO;
    if (settings->era && strcmp(settings->era, "initialize") == 0)
        options->era = CLIENT_ERA_INITIALIZE;
    else if (settings->era && strcmp(settings->era, "stateless") == 0)
        options->era = CLIENT_ERA_STATELESS;
    else if (settings->era && strcmp(settings->era, "auto") != 0)
        return error_set(error, STATUS_USAGE, "--protocol-era takes auto, initialize or stateless, not '%s'",
                         settings->era);

    double seconds = settings->timeout.given ? settings->timeout.value : DEFAULT_TIMEOUT;
    if (!(seconds >= 0.001 && seconds <= TIMEOUT_MAX))
        return error_set(error, STATUS_USAGE, "--timeout takes 0.001 to %g seconds", TIMEOUT_MAX);
    options->timeout_ms = (int64_t)(seconds * 1000);
    return STATUS_OK;
}

enum status settings_apply(const struct settings *settings, struct session *session, bool may_start,
                           struct error *error)
{
    struct client_options *options = &session->options;
    enum status status = read_words(settings, options, error);
    if (status == STATUS_OK)
        status = read_endpoint(settings, &options->endpoint, may_start, error);
    if (status == STATUS_OK && settings->token_file)
        status = read_token(settings->token_file, &options->endpoint, error);
    if (status == STATUS_OK && settings->root)
        status = read_root(settings->root, &options->roots, error);
    return status;
}
