/* SPDX-License-Identifier: MIT
 *
 * What the server is, whether it answers, and which servers there are.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "servers.h"

enum status command_info(struct session *session, int count, char **argv, struct error *error)
{
    enum status status = command_no_operands(session, "info", count, argv, error);
    if (status == STATUS_OK)
        status = session_connect(session, error);
    if (status != STATUS_OK)
        return status;
    static const char *const members[] = {"serverInfo", "capabilities", "supportedVersions", "instructions"};
    const struct client *client = &session->client;
    json_t *answer =
        json_pack("{s:s, s:s, s:s}", "endpoint", session->options.endpoint.name, "protocolVersion",
                  client->version, "era", client->stateless ? "stateless" : "initialize");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *member = json_object_get(client->server, members[i]);
        if (member)
            json_object_set(answer, members[i], member);
    }
    if (session->json)
        output_json(&session->output, answer, JSON_PRETTY);
    else
        output_value(&session->output, answer);
    json_decref(answer);
    return STATUS_OK;
}

enum status command_ping(struct session *session, int count, char **argv, struct error *error)
{
    enum status status = command_no_operands(session, "ping", count, argv, error);
    if (status == STATUS_OK)
        status = session_connect(session, error);
    if (status != STATUS_OK)
        return status;
    json_t *result;
    struct error cause;
    /* 2026-07-28 has no ping: the request that every server answers */
    const char *method = session->client.stateless ? "server/discover" : "ping";
    double begin = clock_exact_ms();
    status = client_request(&session->client, method, NULL, CLIENT_QUICK, &result, &cause);
    double elapsed = round((clock_exact_ms() - begin) * 1000) / 1000; /* whole microseconds */
    json_decref(result);
    if (status == STATUS_TOOL)
        return error_set(error, STATUS_CONNECTION, "the server refuses a ping: %.900s", cause.text);
    if (status != STATUS_OK) {
        *error = cause;
        return status;
    }
    json_t *answer =
        json_pack("{s:s, s:f}", "endpoint", session->options.endpoint.name, "milliseconds", elapsed);
    if (session->json)
        output_json(&session->output, answer, JSON_PRETTY);
    else
        fprintf(session->output.file, "%s answers after %.3f ms\n", session->options.endpoint.name, elapsed);
    json_decref(answer);
    return STATUS_OK;
}

/* The URL, or the command as it is typed. */
static void print_entry(const struct output *output, const json_t *entry)
{
    const char *url = json_string_value(json_object_get(entry, "url"));
    const char *command = json_string_value(json_object_get(entry, "command"));
    const json_t *words = json_object_get(entry, "args");
    const char *text = url ? url : command ? command : "neither a command nor a url";
    output_text(output, text, strlen(text));
    for (size_t i = 0; !url && i < json_array_size(words); i++) {
        text = json_string_value(json_array_get(words, i));
        fputc(' ', output->file);
        output_text(output, text ? text : "?", text ? strlen(text) : 1);
    }
}

enum status command_servers(struct session *session, int count, char **argv, struct error *error)
{
    const struct output *output = &session->output;
    json_t *servers = NULL;
    size_t width = 0;
    enum status status = command_no_operands(session, "servers", count, argv, error);
    if (status == STATUS_OK)
        status = servers_read(session->servers_file, &servers, error);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < json_array_size(servers); i++) {
        size_t each = output_width(json_string_value(json_object_get(json_array_get(servers, i), "name")));
        width = each > width ? each : width;
    }
    for (size_t i = 0; i < json_array_size(servers) && !session->json; i++) {
        const json_t *server = json_array_get(servers, i);
        const char *file = json_string_value(json_object_get(server, "file"));
        print_padded(output, json_string_value(json_object_get(server, "name")), width);
        print_entry(output, json_object_get(server, "entry"));
        fputs("  (", output->file);
        output_text(output, file, strlen(file));
        fputs(")\n", output->file);
    }
    if (session->json)
        output_json(output, servers, JSON_PRETTY);
    json_decref(servers);
    return STATUS_OK;
}
