/* SPDX-License-Identifier: MIT
 *
 * mcp-cli: a client of the Model Context Protocol for people and scripts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "http/http.h"
#include "platform.h"
#include "prompt.h"
#include "stdio/stdio.h"

#define DEFAULT_SOCKET  "/tmp/vm.sock"
#define DEFAULT_TIMEOUT 30.0    /* seconds */
#define TIMEOUT_MAX     86400.0 /* a day */

struct settings {
    const char *socket, *vsock, *tcp, *framing, *colour;
    struct option_number timeout;
    bool help, version;
};

static void print_help(void)
{
    fputs("usage: mcp-cli [OPTION]... [COMMAND [ARGUMENT]...]\n"
          "A client of the Model Context Protocol. Without a command it reads commands, with history and "
          "completion\n"
          "on a terminal.\n\n"
          "commands:\n",
          stdout);
    for (const struct command *command = commands; command->name; command++)
        printf("  %-10s %-18s %s\n", command->name, command->arguments, command->summary);
    fputs("  stdio      [--boot]           an MCP server on standard input and output, for a host program\n"
          "  http       [--listen A:PORT]  a Streamable HTTP server in front of it: see mcp-cli(1)\n"
          "\noptions:\n"
          "  --socket PATH         the server's Unix socket (default: $MCP_SOCKET, then " DEFAULT_SOCKET ")\n"
          "  --vsock CID[:PORT]    the server's vsock address (default port 5000)\n"
          "  --tcp HOST:PORT       the server's TCP address\n"
          "  --timeout SECONDS     how long the server may be silent (default 30)\n"
          "  --json                print JSON\n"
          "  --framing FORM        frames (a length before each message; the default) or lines\n"
          "  --colour WHEN         auto, always or never\n"
          "  --help, --version\n\n"
          "exit status: 0 fine, 1 the tool failed, 2 usage, 3 connection or protocol, 130 Ctrl-C\n",
          stdout);
}

static enum status read_endpoint(const struct settings *settings, struct endpoint *endpoint,
                                 struct error *error)
{
    if ((settings->socket != NULL) + (settings->vsock != NULL) + (settings->tcp != NULL) > 1)
        return error_set(error, STATUS_USAGE, "--socket, --vsock and --tcp exclude each other");
    if (settings->vsock)
        return endpoint_vsock(endpoint, settings->vsock, error);
    if (settings->tcp)
        return endpoint_tcp(endpoint, settings->tcp, error);
    const char *path = settings->socket ? settings->socket : getenv("MCP_SOCKET");
    bool is_set = settings->socket || (path && path[0] != '\0'); /* an empty variable is none */
    return endpoint_unix(endpoint, is_set ? path : DEFAULT_SOCKET, error);
}

/* Takes the settings over into the session. */
static enum status configure(struct session *session, const struct settings *settings, struct error *error)
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

    session->options.form = MCP_FORM_FRAMES;
    if (settings->framing && strcmp(settings->framing, "lines") == 0)
        session->options.form = MCP_FORM_LINES;
    else if (settings->framing && strcmp(settings->framing, "frames") != 0)
        return error_set(error, STATUS_USAGE, "--framing takes frames or lines, not '%s'", settings->framing);

    double seconds = settings->timeout.given ? settings->timeout.value : DEFAULT_TIMEOUT;
    if (!(seconds >= 0.001 && seconds <= TIMEOUT_MAX))
        return error_set(error, STATUS_USAGE, "--timeout takes 0.001 to %g seconds", TIMEOUT_MAX);
    session->options.timeout_ms = (int64_t)(seconds * 1000);
    return read_endpoint(settings, &session->options.endpoint, error);
}

static enum status run(struct session *session, int count, char **argv, struct error *error)
{
    struct settings settings = {0};
    const struct option options[] = {
        {"socket", 0, OPTION_TEXT, &settings.socket},   {"vsock", 0, OPTION_TEXT, &settings.vsock},
        {"tcp", 0, OPTION_TEXT, &settings.tcp},         {"timeout", 0, OPTION_NUMBER, &settings.timeout},
        {"framing", 0, OPTION_TEXT, &settings.framing}, {"colour", 0, OPTION_TEXT, &settings.colour},
        {"color", 0, OPTION_TEXT, &settings.colour},    {"help", 'h', OPTION_FLAG, &settings.help},
        {"version", 0, OPTION_FLAG, &settings.version}, {NULL, 0, OPTION_FLAG, NULL}};
    struct option common[2];
    commands_common_options(session, common);
    enum status status = options_parse(options, common, true, &count, argv, error);
    if (status != STATUS_OK)
        return status;
    if (settings.help) {
        print_help();
        return STATUS_OK;
    }
    if (settings.version) {
        puts("mcp-cli " MK_VERSION);
        return STATUS_OK;
    }
    status = configure(session, &settings, error);
    if (status != STATUS_OK)
        return status;
    if (count > 0 && strcmp(argv[0], "stdio") == 0) /* no command of the prompt, which reads standard input */
        return stdio_run(session, count - 1, argv + 1, error);
    if (count > 0 && strcmp(argv[0], "http") == 0)
        return http_run(session, count - 1, argv + 1, error);
    return count > 0 ? command_run(session, count, argv, error) : prompt_run(session, error);
}

int main(int argc, char **argv)
{
    platform_initialise(&argc, &argv);
    interrupt_initialise();

    struct session session = {0};
    struct waiting waiting = {.output = &session.errors};
    session.options.waiting = waiting_show;
    session.options.waiting_context = &waiting;
    output_initialise(&session.output, stdout, COLOUR_AUTO); /* for what goes wrong before --colour is read */
    output_initialise(&session.errors, stderr, COLOUR_AUTO);

    struct error error;
    error.text[0] = '\0';
    enum status status = run(&session, argc - 1, argv + 1, &error);
    session_release(&session);
    if (status != STATUS_OK && error.text[0] != '\0')
        session_report(&session, &error);
    if (status == STATUS_USAGE)
        fputs("mcp-cli --help lists commands and options\n", stderr);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("mcp-cli: cannot write to standard output");
        return status == STATUS_OK ? STATUS_CONNECTION : (int)status;
    }
    return (int)status;
}
