/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "suggest.h"

void commands_common_options(struct session *session, struct option options[3])
{
    options[0] = (struct option){"json", 0, OPTION_FLAG, &session->json};
    options[1] = (struct option){"quiet", 'q', OPTION_FLAG, &session->quiet};
    options[2] = (struct option){NULL, 0, OPTION_FLAG, NULL};
}

enum status command_options(struct session *session, const struct option *options, int *count, char **argv,
                            struct error *error)
{
    struct option common[3];
    commands_common_options(session, common);
    return options_parse(options, common, false, count, argv, error);
}

enum status command_no_operands(struct session *session, const char *name, int count, char **argv,
                                struct error *error)
{
    enum status status = command_options(session, NULL, &count, argv, error);
    if (status == STATUS_OK && count > 0)
        return error_set(error, STATUS_USAGE, "%s takes no argument: %s", name, argv[0]);
    return status;
}

const struct command commands[] = {
    {"infer", "PROMPT", "ask the model; --max-tokens N, --temperature T, --top-p P, --seed N",
     "--max-tokens --temperature --top-p --seed --json", WORDS_NONE, false, command_infer},
    {"tools", "", "list the server's tools and their arguments", "--json", WORDS_NONE, false, command_tools},
    {"call", "NAME key=value...", "call any tool; or --args with a JSON object", "--args --json", WORDS_TOOL,
     false, command_call},
    {"resources", "", "list the resources, and templates of their URIs", "--json", WORDS_NONE, false,
     command_resources},
    {"read", "URI", "print a resource; --output FILE writes its bytes", "--output --json", WORDS_RESOURCE,
     false, command_read},
    {"subscribe", "[URI...]", "tell when they change, or the lists do; --count N ends after N",
     "--count --json", WORDS_SUBSCRIBE, false, command_subscribe},
    {"prompts", "", "list the prompts and their arguments", "--json", WORDS_NONE, false, command_prompts},
    {"prompt", "NAME key=value...", "print the messages of a prompt", "--args --json", WORDS_PROMPT, false,
     command_prompt},
    {"complete", "NAME|URI key=text", "what the server suggests for an argument", "--json", WORDS_COMPLETE,
     false, command_complete},
    {"info", "", "what the server is and can do", "--json", WORDS_NONE, false, command_info},
    {"discover", "", "the same", "--json", WORDS_NONE, false, command_info},
    {"ping", "", "whether the server answers, and how fast", "--json", WORDS_NONE, false, command_ping},
    {"health", "", "how the server is", "--json", WORDS_NONE, false, command_health},
    {"metadata", "", "which model and which build it is", "--json", WORDS_NONE, false, command_metadata},
    {"load-model", "PATH", "change to another model; the path is the VM's", "--json", WORDS_NONE, false,
     command_load_model},
    {"logs", "", "the server's log; -f follows it, --level LEVEL, --cursor N",
     "--follow --level --cursor --json", WORDS_NONE, false, command_logs},
    {"servers", "", "list the servers of the mcpServers files", "--json", WORDS_NONE, true, command_servers},
    {"completion", "bash|zsh|fish", "print the shell's completion script", "", WORDS_SHELL, true,
     command_completion},
    {NULL, NULL, NULL, NULL, WORDS_NONE, false, NULL}};

/* What the completion scripts run; the words of a command line follow. */
static const struct command hidden = {"__complete", "", "", "", WORDS_NONE, true, command_complete_words};

const struct command *command_find(const char *name)
{
    for (const struct command *command = commands; command->name; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return strcmp(name, hidden.name) == 0 ? &hidden : NULL;
}

enum status command_run(struct session *session, int count, char **argv, struct error *error)
{
    const struct command *command = command_find(argv[0]);
    if (!command) {
        struct suggestion suggestion = {.word = argv[0]};
        for (const struct command *each = commands; each->name; each++)
            suggest_offer(&suggestion, each->name);
        error_set(error, STATUS_USAGE, "there is no command '%.200s'", argv[0]);
        suggest_append(&suggestion, error);
        return STATUS_USAGE;
    }
    if (count == 2 && strcmp(argv[1], "--help") == 0) {
        fprintf(session->output.file, "%s %s\n  %s\n", command->name, command->arguments, command->summary);
        return STATUS_OK;
    }
    return command->run(session, count - 1, argv + 1, error);
}
