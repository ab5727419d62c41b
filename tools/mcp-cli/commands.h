/* SPDX-License-Identifier: MIT
 *
 * The commands, as a table: the command line and the prompt run the same ones.
 */
#ifndef MCP_CLI_COMMANDS_H
#define MCP_CLI_COMMANDS_H

#include <stdbool.h>

#include "error.h"
#include "options.h"
#include "session.h"

#define JSON_PRETTY JSON_INDENT(2)

/* What the words after a command are, for completion. */
enum command_words {
    WORDS_NONE,
    WORDS_TOOL,      /* a tool, then its arguments */
    WORDS_PROMPT,    /* a prompt, then its arguments */
    WORDS_RESOURCE,  /* a URI */
    WORDS_SUBSCRIBE, /* URIs that one may subscribe to */
    WORDS_COMPLETE,  /* a prompt or the template of a URI, then its arguments */
    WORDS_SHELL      /* bash, zsh, fish */
};

struct command {
    const char *name;      /* NULL ends the table */
    const char *arguments; /* for people */
    const char *summary;
    const char *options; /* its own long options, for completion: "--a --b", or "" */
    enum command_words words;
    bool is_local; /* it asks no server */
    /* argv[0..count) is what follows the name */
    enum status (*run)(struct session *session, int count, char **argv, struct error *error);
};

extern const struct command commands[];

/* NULL when there is none. */
const struct command *command_find(const char *name);

/* Options that every command takes after its name, too: where the connection goes is settled by then. */
void commands_common_options(struct session *session, struct option options[3]);

/* Runs the command argv[0]. Nothing is printed for an error. STATUS_USAGE for an unknown command. */
enum status command_run(struct session *session, int count, char **argv, struct error *error);

/* For the files of the commands. */

/* Reads the options of one command; `options` may be NULL. */
enum status command_options(struct session *session, const struct option *options, int *count, char **argv,
                            struct error *error);
/* The same for a command that takes nothing else. */
enum status command_no_operands(struct session *session, const char *name, int count, char **argv,
                                struct error *error);

/* Prints a tool's result as --json and as people read it. */
void print_result(const struct session *session, const json_t *result);
/* One block of content. */
void print_content(const struct session *session, const json_t *block);
/* The contents of a resource, of which a result or a block has one. */
void print_contents(const struct session *session, const json_t *contents);
/* Text that a server gave for one column, and what fills it. */
void print_padded(const struct output *output, const char *text, size_t width);

/* command_kernel.c */
enum status command_infer(struct session *session, int count, char **argv, struct error *error);
enum status command_health(struct session *session, int count, char **argv, struct error *error);
enum status command_metadata(struct session *session, int count, char **argv, struct error *error);
enum status command_load_model(struct session *session, int count, char **argv, struct error *error);
/* logs.c */
enum status command_logs(struct session *session, int count, char **argv, struct error *error);
/* command_tools.c */
enum status command_tools(struct session *session, int count, char **argv, struct error *error);
enum status command_call(struct session *session, int count, char **argv, struct error *error);
/* command_resources.c */
enum status command_resources(struct session *session, int count, char **argv, struct error *error);
enum status command_read(struct session *session, int count, char **argv, struct error *error);
/* command_subscribe.c */
enum status command_subscribe(struct session *session, int count, char **argv, struct error *error);
/* command_prompts.c */
enum status command_prompts(struct session *session, int count, char **argv, struct error *error);
enum status command_prompt(struct session *session, int count, char **argv, struct error *error);
enum status command_complete(struct session *session, int count, char **argv, struct error *error);
/* command_server.c */
enum status command_info(struct session *session, int count, char **argv, struct error *error);
enum status command_ping(struct session *session, int count, char **argv, struct error *error);
enum status command_servers(struct session *session, int count, char **argv, struct error *error);
/* shell_completion.c */
enum status command_completion(struct session *session, int count, char **argv, struct error *error);
enum status command_complete_words(struct session *session, int count, char **argv, struct error *error);

#endif
