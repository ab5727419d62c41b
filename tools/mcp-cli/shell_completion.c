/* SPDX-License-Identifier: MIT
 *
 * Completion in a shell: the script, and what it runs at each Tab: `mcp-cli __complete -- WORD...`, the last
 * word being the one that is typed. The answer is a word per line; one that ends with a blank is whole.
 */
#include "shell_completion.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "completion.h"
#include "servers.h"
#include "settings.h"

#define PATIENCE_MS 3000 /* for a server, while somebody waits for a Tab */

enum status command_completion(struct session *session, int count, char **argv, struct error *error)
{
    static const struct {
        const char *shell, *script;
    } scripts[] = {{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
    enum status status = command_options(session, NULL, &count, argv, error);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; count == 1 && i < sizeof scripts / sizeof *scripts; i++) {
        if (strcmp(argv[0], scripts[i].shell) == 0) {
            fputs(scripts[i].script, session->output.file);
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_USAGE, "completion takes bash, zsh or fish");
}

/* The value of an option of the program. */
static void offer_setting(struct session *session, json_t *offers, const char *option, const char *stem)
{
    static const struct {
        const char *option, *values;
    } known[] = {{"--protocol-era", "auto initialize stateless"},
                 {"--framing", "frames lines"},
                 {"--colour", "auto always never"}};
    struct error ignored;
    json_t *servers = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(option, known[i].option) == 0)
            completion_offer_all(offers, stem, known[i].values);
    }
    if (strcmp(option, "--server") == 0 || strcmp(option, "-s") == 0)
        servers_read(session->servers_file, &servers, &ignored);
    for (size_t i = 0; i < json_array_size(servers); i++)
        completion_offer(offers, stem, json_string_value(json_object_get(json_array_get(servers, i), "name")),
                         " ");
    json_decref(servers);
}

/* Whether the word is an option that wants a value in the next one. */
static bool wants_value(const char *word)
{
    static const char flags[] = " --json --quiet -q --help -h --version -- ";
    char padded[80];
    if (word[0] != '-' || strchr(word, '=') || strlen(word) > sizeof padded - 3)
        return false;
    snprintf(padded, sizeof padded, " %s ", word);
    return strstr(flags, padded) == NULL;
}

enum status command_complete_words(struct session *session, int count, char **argv, struct error *error)
{
    struct settings settings;
    int before = 0; /* options of the program, and their values */
    if (count > 0 && strcmp(argv[0], "--") == 0) {
        argv++;
        count--;
    }
    if (count == 0)
        return error_set(error, STATUS_USAGE, "__complete is for the completion scripts");
    const char *stem = argv[--count];
    while (before < count && argv[before][0] == '-')
        before += wants_value(argv[before]) ? 2 : 1;
    json_t *offers = NULL;
    if (before > count || (before == count && stem[0] == '-')) {
        offers = json_array();
        if (before > count)
            offer_setting(session, offers, argv[count - 1], stem);
        else
            completion_offer_all(offers, stem, settings_options);
    } else if (settings_read(&settings, session, &count, argv, error) == STATUS_OK) {
        session->servers_file = settings.servers;
        enum status status = settings_apply(&settings, session, false, error);
        if (status == STATUS_OK && session->options.timeout_ms > PATIENCE_MS)
            session->options.timeout_ms = PATIENCE_MS;
        session->quiet = true;
        session->options.hooks.elicit = NULL;
        if (status == STATUS_OK || count == 0)
            offers = completion_words(session, count, argv, stem);
        if (count == 0) /* of the shell alone */
            completion_offer_all(offers, stem, "stdio http");
    }
    for (size_t i = 0; i < json_array_size(offers); i++)
        fprintf(session->output.file, "%s\n", json_string_value(json_array_get(offers, i)));
    json_decref(offers);
    return STATUS_OK; /* a message would stand in the midst of the line */
}
