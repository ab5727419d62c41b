/* SPDX-License-Identifier: MIT
 *
 * Command line options from tables: --name VALUE, --name=VALUE, -n VALUE, and `--` before what is none.
 */
#ifndef MCP_CLI_OPTIONS_H
#define MCP_CLI_OPTIONS_H

#include <stdbool.h>

#include "error.h"

enum option_kind {
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* const char *, which points into argv */
    OPTION_INTEGER, /* struct option_integer */
    OPTION_NUMBER   /* struct option_number */
};

struct option_integer {
    bool given;
    long long value;
};

struct option_number {
    bool given;
    double value;
};

struct option {
    const char *name; /* without its dashes; NULL ends the table */
    char letter;      /* or 0 */
    enum option_kind kind;
    void *target;
};

/* Reads the options in argv[0..*count), and moves what is none to its front, in order; *count becomes the
 * number of these. With `until_operand` the first that is no option ends the options. `second` (or NULL) is
 * searched after `first`. STATUS_OK or STATUS_USAGE. */
enum status options_parse(const struct option *first, const struct option *second, bool until_operand,
                          int *count, char **argv, struct error *error);

#endif
