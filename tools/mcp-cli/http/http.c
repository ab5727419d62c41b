/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon.h"
#include "../options.h"

#define DEFAULT_LISTEN "127.0.0.1:8080"
#define LIST_MAX       32
#define TOKEN_MIN      16
#define TOKEN_MAX      512

struct http_settings {
    const char *listen, *token_file, *allow_origin, *allow_host;
    bool no_token, help;
    struct option_integer connections, clients, sessions, session_idle, stream_seconds, drain;
};

/* ---- where to listen ---- */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
    return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
}

static int listen_at(const struct addrinfo *address)
{
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Where it listens, with the port that the system chose for 0. */
static void announce(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((const struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    bool brackets = address.ss_family == AF_INET6;
    printf("http://%s%s%s:%s/mcp\n", brackets ? "[" : "", host, brackets ? "]" : "", port);
    fflush(stdout);
}

/* ADDRESS:PORT or [ADDRESS]:PORT; NULL when it is neither. */
static struct addrinfo *find_address(const char *text)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *found = NULL;
    char host[256];
    const char *colon = strrchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : 0;
    if (length == 0 || length >= sizeof host || colon[1] == '\0' || strlen(colon + 1) > 5 ||
        strtol(colon + 1, NULL, 10) > 65535)
        return NULL;
    bool brackets = text[0] == '[' && text[length - 1] == ']';
    (void)snprintf(host, sizeof host, "%.*s", (int)(length - (brackets ? 2 : 0)), text + (brackets ? 1 : 0));
    return getaddrinfo(host, colon + 1, &hints, &found) == 0 ? found : NULL;
}

static enum status open_listener(const struct http_settings *settings, int *fd, struct error *error)
{
    const char *text = settings->listen != NULL ? settings->listen : DEFAULT_LISTEN;
    struct addrinfo *found = find_address(text);
    enum status status = STATUS_OK;
    if (found == NULL)
        return error_set(error, STATUS_USAGE, "--listen takes ADDRESS:PORT, not '%s'", text);
    if (!is_loopback(found->ai_addr) && settings->token_file == NULL && !settings->no_token)
        status =
            error_set(error, STATUS_USAGE,
                      "--listen %s: others could use the server: give --token-file, or --no-token if that is "
                      "meant",
                      text);
    *fd = status == STATUS_OK ? listen_at(found) : -1;
    if (status == STATUS_OK && *fd < 0)
        status = error_set(error, STATUS_CONNECTION, "cannot listen on %s: %s", text, strerror(errno));
    freeaddrinfo(found);
    return status;
}

/* ---- who may ask ---- */

/* Cuts a copy of the text at its commas. `list` has room for LIST_MAX and the NULL. */
static enum status read_list(const char *option, const char *text, char **copy, const char **list,
                             struct error *error)
{
    size_t count = 0;
    list[0] = NULL;
    if (text == NULL)
        return STATUS_OK;
    *copy = strdup(text);
    if (*copy == NULL)
        return error_set(error, STATUS_CONNECTION, "out of memory");
    for (char *rest = *copy, *item; (item = strsep(&rest, ",")) != NULL;) {
        if (count == LIST_MAX)
            return error_set(error, STATUS_USAGE, "--%s takes at most %d, with commas between", option,
                             LIST_MAX);
        if (*item != '\0')
            list[count++] = item;
    }
    list[count] = NULL;
    return STATUS_OK;
}

/* The first line of the file. */
static enum status read_token(const char *path, char token[TOKEN_MAX + 2], struct error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(error, STATUS_USAGE, "%s: %s", path, strerror(errno));
    if (fgets(token, TOKEN_MAX + 2, file) == NULL)
        token[0] = '\0';
    fclose(file);
    token[strcspn(token, "\r\n")] = '\0';
    size_t length = strlen(token);
    if (length < TOKEN_MIN || length > TOKEN_MAX)
        return error_set(error, STATUS_USAGE, "%s: the token must have %d to %d characters", path, TOKEN_MIN,
                         TOKEN_MAX);
    for (const char *at = token; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~')
            return error_set(error, STATUS_USAGE, "%s: the token holds a character that no header may", path);
    return STATUS_OK;
}

/* ---- numbers ---- */

static enum status read_number(const char *option, const struct option_integer *given, long long least,
                               long long most, uint64_t *value, struct error *error)
{
    if (!given->given)
        return STATUS_OK;
    if (given->value < least || given->value > most)
        return error_set(error, STATUS_USAGE, "--%s takes %lld to %lld", option, least, most);
    *value = (uint64_t)given->value;
    return STATUS_OK;
}

static enum status read_numbers(const struct http_settings *settings, struct daemon_config *config,
                                struct error *error)
{
    uint64_t links = 32, clients = 512, sessions = 4096, idle = 1800, seconds = 0, drain = 10;
    const struct {
        const char *option;
        const struct option_integer *given;
        long long least, most;
        uint64_t *value;
    } numbers[] = {{"connections", &settings->connections, 1, 1024, &links},
                   {"clients", &settings->clients, 1, 65536, &clients},
                   {"sessions", &settings->sessions, 1, 1000000, &sessions},
                   {"session-idle", &settings->session_idle, 1, 31536000, &idle},
                   {"stream-seconds", &settings->stream_seconds, 1, 86400, &seconds},
                   {"drain", &settings->drain, 0, 3600, &drain}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        enum status status = read_number(numbers[i].option, numbers[i].given, numbers[i].least,
                                         numbers[i].most, numbers[i].value, error);
        if (status != STATUS_OK)
            return status;
    }
    config->connections_max = (unsigned)clients;
    config->drain_ms = drain * 1000;
    config->gateway = (struct gateway_config){.links_max = links,
                                              .sessions_max = sessions,
                                              .requests_max = 64,
                                              .waiting_max = 256,
                                              .waiting_ms = 10000,
                                              .body_max = MCP_MESSAGE_MAX,
                                              .bodies_max = (size_t)64 * 1024 * 1024,
                                              .events_max = (size_t)256 * 1024,
                                              .buffer_max = (size_t)64 * 1024 * 1024,
                                              .session_idle_ms = idle * 1000,
                                              .grace_ms = 50,
                                              .comment_ms = 15000,
                                              .retain_ms = 60000,
                                              .stream_ms = seconds * 1000,
                                              .retry_ms = 1000};
    return STATUS_OK;
}

/* ---- the command ---- */

/* A descriptor for each client and each connection to the server. */
static void raise_descriptors(const struct daemon_config *config)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)config->connections_max + (rlim_t)config->gateway.links_max + 64;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static enum status serve(const struct http_settings *settings, struct daemon_config *config,
                         struct error *error)
{
    static char token[TOKEN_MAX + 2];
    const char *origins[LIST_MAX + 1], *hosts[LIST_MAX + 1];
    char *origin_text = NULL, *host_text = NULL;
    enum status status = read_list("allow-origin", settings->allow_origin, &origin_text, origins, error);
    if (status == STATUS_OK)
        status = read_list("allow-host", settings->allow_host, &host_text, hosts, error);
    if (status == STATUS_OK && settings->token_file != NULL)
        status = read_token(settings->token_file, token, error);
    if (status == STATUS_OK)
        status = open_listener(settings, &config->listen_fd, error);
    if (status == STATUS_OK) {
        config->gateway.rules = (struct head_rules){
            .hosts = hosts, .origins = origins, .token = settings->token_file != NULL ? token : NULL};
        raise_descriptors(config);
        announce(config->listen_fd);
        status = daemon_run(config, error);
    }
    free(origin_text);
    free(host_text);
    return status;
}

enum status http_run(struct session *session, int count, char **argv, struct error *error)
{
    struct http_settings settings = {0};
    struct daemon_config config = {.server = session->options.endpoint};
    const struct option options[] = {{"listen", 0, OPTION_TEXT, &settings.listen},
                                     {"token-file", 0, OPTION_TEXT, &settings.token_file},
                                     {"no-token", 0, OPTION_FLAG, &settings.no_token},
                                     {"allow-origin", 0, OPTION_TEXT, &settings.allow_origin},
                                     {"allow-host", 0, OPTION_TEXT, &settings.allow_host},
                                     {"connections", 0, OPTION_INTEGER, &settings.connections},
                                     {"clients", 0, OPTION_INTEGER, &settings.clients},
                                     {"sessions", 0, OPTION_INTEGER, &settings.sessions},
                                     {"session-idle", 0, OPTION_INTEGER, &settings.session_idle},
                                     {"stream-seconds", 0, OPTION_INTEGER, &settings.stream_seconds},
                                     {"drain", 0, OPTION_INTEGER, &settings.drain},
                                     {"help", 'h', OPTION_FLAG, &settings.help},
                                     {NULL, 0, OPTION_FLAG, NULL}};
    enum status status = options_parse(options, NULL, false, &count, argv, error);
    if (status == STATUS_OK && settings.help) {
        fputs("http [--listen ADDRESS:PORT] [OPTION...]\n  serves MCP by HTTP in front of the server: "
              "mcp-cli-http(1) has the options\n",
              stdout);
        return STATUS_OK;
    }
    if (status == STATUS_OK && count > 0)
        status = error_set(error, STATUS_USAGE, "http takes options only, not '%s'", argv[0]);
    if (status == STATUS_OK && config.server.kind != ENDPOINT_UNIX && config.server.kind != ENDPOINT_VSOCK &&
        config.server.kind != ENDPOINT_TCP)
        status =
            error_set(error, STATUS_USAGE, "http needs a server on a socket: --socket, --vsock or --tcp");
    if (status == STATUS_OK)
        status = read_numbers(&settings, &config, error);
    return status == STATUS_OK ? serve(&settings, &config, error) : status;
}
