/* SPDX-License-Identifier: MIT
 *
 * mk-model: looks into models, and makes them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

static const struct command {
    const char *name;
    const char *summary;
    int (*run)(int count, char **arguments);
} commands[] = {
    {"inspect", "MODEL [--json]: what a model's file holds, and whether it is sound", command_inspect},
    {"make-random", "--arch A -o OUT [...]: a model with random weights", command_make_random},
    {"quantize", "IN OUT TYPE: the same model with smaller weights", command_quantize},
    {"tokenize", "MODEL < TEXT: the ids of its tokens", command_tokenize},
    {"run", "MODEL --prompt TEXT [...]: continues a text", command_run},
    {"bench", "MODEL [...]: tokens per second", command_bench},
};

static void print_help(FILE *out)
{
    fputs("Usage: mk-model COMMAND ...\nLooks into GGUF models, and makes them.\n\n", out);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fputs("\nmk-model COMMAND --help says more of each; --version.\n"
          "Exit status: 0 done, 1 the model or a file is wrong, 2 usage.\n",
          out);
}

/* What is still in the buffer counts, too. */
static int end_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    complain("standard output: %s", strerror(errno));
    return status != 0 ? status : EXIT_WRONG;
}

int main(int count, char **arguments)
{
    if (count >= 2 && strcmp(arguments[1], "--help") == 0) {
        print_help(stdout);
        return end_output(0);
    }
    if (count >= 2 && strcmp(arguments[1], "--version") == 0) {
        puts("mk-model " MK_VERSION);
        return 0;
    }
    for (size_t i = 0; count >= 2 && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(arguments[1], commands[i].name) == 0)
            return end_output(commands[i].run(count - 1, arguments + 1));
    if (count >= 2)
        complain("%s: no such command", arguments[1]);
    print_help(stderr);
    return EXIT_USAGE;
}
