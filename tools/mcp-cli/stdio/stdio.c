/* SPDX-License-Identifier: MIT */
#include "stdio/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "options.h"
#include "pump.h"

/* ENDPOINT: a path, or unix:PATH, vsock:CID[:PORT], tcp:HOST:PORT. */
static enum status read_endpoint(struct endpoint *endpoint, const char *words, struct error *error)
{
    if (strncmp(words, "vsock:", 6) == 0)
        return endpoint_vsock(endpoint, words + 6, error);
    if (strncmp(words, "tcp:", 4) == 0)
        return endpoint_tcp(endpoint, words + 4, error);
    if (strncmp(words, "unix:", 5) == 0)
        return endpoint_unix(endpoint, words + 5, error);
    if (strchr(words, '/'))
        return endpoint_unix(endpoint, words, error);
    return error_set(error, STATUS_USAGE,
                     "--server takes unix:PATH, vsock:CID[:PORT] or tcp:HOST:PORT, not '%s'", words);
}

/* A socket that takes the number of standard output would be written to itself. */
static enum status check_descriptors(struct error *error)
{
    if (fcntl(STDIN_FILENO, F_GETFD) < 0 || fcntl(STDOUT_FILENO, F_GETFD) < 0)
        return error_set(error, STATUS_USAGE,
                         "standard input or output is closed: they are what the host speaks through");
    if (fcntl(STDERR_FILENO, F_GETFD) < 0)
        (void)open("/dev/null", O_WRONLY); /* takes the lowest number that is free, which is its own */
    return STATUS_OK;
}

static enum status carry(const struct session *session, const struct endpoint *endpoint, bool booted,
                         struct error *error)
{
    struct connection connection;
    int cause;
    enum status status = connection_open(&connection, endpoint, session->options.timeout_ms, error);
    if (status != STATUS_OK)
        return status;
    interrupt_ends(true); /* as any other signal does: nothing is left behind, a pipe's end tells the VM */
    enum pump_end end = pump_run(STDIN_FILENO, STDOUT_FILENO, connection.fd, &cause);
    connection_close(&connection);
    switch (end) {
    case PUMP_ANSWERED:
    case PUMP_HOST_GONE:
        return STATUS_OK;
    case PUMP_SERVER_ENDED:
        return error_set(error, STATUS_CONNECTION, "%s: the server has closed the connection. %s",
                         endpoint->name,
                         booted ? "Its VM may have ended; the next start makes another one"
                                : "If the VM has ended, tools/run --detach starts another one");
    case PUMP_INPUT:
        return error_set(error, STATUS_CONNECTION, "cannot read standard input: %s", strerror(cause));
    case PUMP_OUTPUT:
        return error_set(error, STATUS_CONNECTION, "cannot write to standard output: %s", strerror(cause));
    case PUMP_SYSTEM:
        break;
    }
    return error_set(error, STATUS_CONNECTION, "cannot wait for input: %s", strerror(cause));
}

/* In a VM of its own; the words are options of tools/run. */
static enum status run_booted(const struct session *session, int count, char **argv, struct error *error)
{
    struct boot boot;
    struct endpoint endpoint;
    char words[sizeof endpoint.name];
    enum status status = boot_start(&boot, argv, (size_t)count, words, sizeof words, error);
    if (status != STATUS_OK)
        return status;
    status = read_endpoint(&endpoint, words, error);
    if (status == STATUS_OK)
        status = carry(session, &endpoint, true, error);
    boot_end(&boot);
    return status;
}

enum status stdio_run(struct session *session, int count, char **argv, struct error *error)
{
    const char *server = NULL;
    bool help = false;
    const struct option options[] = {
        {"server", 0, OPTION_TEXT, &server}, {"help", 'h', OPTION_FLAG, &help}, {NULL, 0, OPTION_FLAG, NULL}};
    bool boots = count > 0 && strcmp(argv[0], "--boot") == 0;
    if (boots) {
        count--;
        argv++;
    } else {
        enum status status = options_parse(options, NULL, false, &count, argv, error);
        if (status != STATUS_OK)
            return status;
        if (help) {
            fputs("stdio [--server ENDPOINT]\n"
                  "stdio --boot [OPTION of tools/run]...\n"
                  "  an MCP server on standard input and output: the VM's; or one of a VM of its own\n",
                  stdout);
            return STATUS_OK;
        }
        if (count > 0)
            return error_set(error, STATUS_USAGE, "stdio takes no '%s'", argv[0]);
    }
    enum status status = check_descriptors(error);
    if (status != STATUS_OK)
        return status;
    interrupt_ends(true);
    (void)signal(SIGPIPE, SIG_IGN);
    if (boots)
        return run_booted(session, count, argv, error);
    struct endpoint endpoint = session->options.endpoint;
    if (server)
        status = read_endpoint(&endpoint, server, error);
    else if (endpoint.kind != ENDPOINT_UNIX && endpoint.kind != ENDPOINT_VSOCK &&
             endpoint.kind != ENDPOINT_TCP)
        status =
            error_set(error, STATUS_USAGE, "stdio needs a server on a socket: --socket, --vsock or --tcp");
    return status == STATUS_OK ? carry(session, &endpoint, false, error) : status;
}
