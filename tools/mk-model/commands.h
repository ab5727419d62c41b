/* SPDX-License-Identifier: MIT
 *
 * The sub-commands of mk-model, and what they share.
 */
#ifndef MK_MODEL_COMMANDS_H
#define MK_MODEL_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "airt/airt.h"

#define EXIT_WRONG 1 /* the model, a file or memory */
#define EXIT_USAGE 2

/* Each takes its own arguments (arguments[0] is its name), and returns the exit status. */
int command_inspect(int count, char **arguments);
int command_make_random(int count, char **arguments);
int command_quantize(int count, char **arguments);
int command_tokenize(int count, char **arguments);
int command_run(int count, char **arguments);
int command_bench(int count, char **arguments);

/* ---- common.c ---- */

/* A file in memory. Says why not, and returns false. */
struct model_file {
    struct airt_source source;
};
bool model_file_open(struct model_file *file, const char *path);
void model_file_close(struct model_file *file);

/* malloc and free. */
extern const struct airt_hooks host_hooks;

/* "mk-model: ..." and a line end on standard error; returns EXIT_WRONG. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends what was written to a file that fopen gave for `path`, or did not (NULL). `rc`: 0; the errno that
 * stopped it; or -1 where that has been said. Says what went wrong, and removes a file that is not whole (a
 * device or a pipe stays). Returns 0 or EXIT_WRONG. */
int close_output(FILE *file, const char *path, int rc);

/* A whole number from `least` to `most`; complains, and returns false, where it is none. */
bool parse_number(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *number);

/* Shows how far long work is, on a terminal: "quantize 42 %". With 100 the line is ended. */
void show_progress(const char *what, uint64_t done, uint64_t all);

#endif
