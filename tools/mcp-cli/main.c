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
#include "settings.h"
#include "stdio/stdio.h"

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
          "  http       [--listen A:PORT]  a Streamable HTTP server in front of it: see mcp-cli-http(1)\n"
          "\nthe server:\n"
          "  --server WHERE        a URL (https://...), a socket's path, unix:, vsock: or tcp: and an "
          "address, or\n"
          "                        the name of a server (mcp-cli servers lists them)\n"
          "  --command WORDS       a program that speaks MCP on its standard input and output\n"
          "  --socket PATH         its Unix socket (default: $MCP_SOCKET, then " DEFAULT_SOCKET ")\n"
          "  --vsock CID[:PORT]    its vsock address (default port 5000)\n"
          "  --tcp HOST:PORT       its TCP address\n"
          "\noptions:\n"
          "  --servers FILE        an mcpServers file, instead of $XDG_CONFIG_HOME/mcp-cli/servers.json, "
          ".mcp.json\n"
          "  --token-file FILE     the bearer token for a URL\n"
          "  --protocol-era ERA    auto, initialize (up to 2025-11-25) or stateless (2026-07-28)\n"
          "  --root FOLDER         a folder that the server may know of\n"
          "  --timeout SECONDS     how long the server may be silent (default 30)\n"
          "  --json                print JSON\n"
          "  -q, --quiet           neither progress nor what the server says beside the protocol\n"
          "  --framing FORM        frames (a length before each message; the default) or lines\n"
          "  --colour WHEN         auto, always or never\n"
          "  --help, --version\n\n"
          "exit status: 0 fine, 1 the tool failed, 2 usage, 3 connection or protocol, 130 Ctrl-C\n",
          stdout);
}

static enum status run(struct session *session, int count, char **argv, struct error *error)
{
    struct settings settings;
    enum status status = settings_read(&settings, session, &count, argv, error);
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
    status = settings_apply_output(&settings, session, error);
    if (status != STATUS_OK)
        return status;
    session_initialise(session);
    const struct command *command = count > 0 ? command_find(argv[0]) : NULL;
    if (count == 0 || !command || !command->is_local)
        status = settings_apply(&settings, session, true, error);
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

    static struct session session;
    output_initialise(&session.output, stdout, COLOUR_AUTO); /* for what goes wrong before --colour is read */
    output_initialise(&session.errors, stderr, COLOUR_AUTO);

    struct error error;
    error.text[0] = '\0';
    enum status status = run(&session, argc - 1, argv + 1, &error);
    fflush(stdout);
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
