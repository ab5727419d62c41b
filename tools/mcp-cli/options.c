/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct option *find(const struct option *table, const char *name, size_t length, char letter)
{
    for (; table && table->name; table++) {
        if (letter ? table->letter == letter
                   : strlen(table->name) == length && memcmp(table->name, name, length) == 0)
            return table;
    }
    return NULL;
}

static enum status assign(const struct option *option, const char *value, struct error *error)
{
    char *end = NULL;
    errno = 0;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)option->target = true;
        break;
    case OPTION_TEXT:
        *(const char **)option->target = value;
        break;
    case OPTION_INTEGER: {
        struct option_integer *integer = option->target;
        integer->value = strtoll(value, &end, 10);
        integer->given = true;
        if (end == value || *end != '\0' || errno != 0)
            return error_set(error, STATUS_USAGE, "--%s takes a whole number, not '%s'", option->name, value);
        break;
    }
    case OPTION_NUMBER: {
        struct option_number *number = option->target;
        number->value = strtod(value, &end);
        number->given = true;
        if (end == value || *end != '\0' || !isfinite(number->value))
            return error_set(error, STATUS_USAGE, "--%s takes a number, not '%s'", option->name, value);
        break;
    }
    }
    return STATUS_OK;
}

enum status options_parse(const struct option *first, const struct option *second, bool until_operand,
                          int *count, char **argv, struct error *error)
{
    int kept = 0;
    int next = 0;
    while (next < *count) {
        char *word = argv[next];
        if (strcmp(word, "--") == 0) {
            next++;
            break;
        }
        if (word[0] != '-' || word[1] == '\0') {
            if (until_operand)
                break;
            argv[kept++] = word;
            next++;
            continue;
        }
        bool is_long = word[1] == '-';
        const char *name = is_long ? word + 2 : word + 1;
        size_t length = is_long ? strcspn(name, "=") : 1;
        char letter = is_long ? '\0' : name[0];
        const struct option *option = find(first, name, length, letter);
        if (!option)
            option = find(second, name, length, letter);
        if (!option)
            return error_set(error, STATUS_USAGE, "unknown option %s here; what is none stands after --",
                             word);
        const char *value = NULL;
        if (name[length] != '\0') /* --name=VALUE, -nVALUE */
            value = name + length + (is_long ? 1 : 0);
        if (option->kind == OPTION_FLAG && value)
            return error_set(error, STATUS_USAGE, "--%s takes no value: %s", option->name, word);
        next++;
        if (option->kind != OPTION_FLAG && !value) {
            if (next == *count)
                return error_set(error, STATUS_USAGE, "%s needs a value", word);
            value = argv[next++];
        }
        enum status status = assign(option, value, error);
        if (status != STATUS_OK)
            return status;
    }
    while (next < *count)
        argv[kept++] = argv[next++];
    *count = kept;
    return STATUS_OK;
}
