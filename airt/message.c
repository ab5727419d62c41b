/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <string.h>

#include "utf8.h"

#define NAME_MAX_SHOWN 80

static void append(struct airt_error *error, const char *bytes, size_t length)
{
    size_t used = strlen(error->text);
    size_t room = sizeof(error->text) - 1 - used;

    if (length > room)
        length = utf8_cut(bytes, length, room);
    memcpy(error->text + used, bytes, length);
    error->text[used + length] = '\0';
}

void message_start(struct airt_error *error, const char *name)
{
    size_t length = name != NULL ? strlen(name) : 0;

    if (error == NULL)
        return;
    memset(error, 0, sizeof(*error));
    if (length == 0)
        return;
    append(error, name, utf8_cut(name, length, NAME_MAX_SHOWN));
    append(error, ": ", 2);
}

void message_text(struct airt_error *error, const char *text)
{
    if (error != NULL)
        append(error, text, strlen(text));
}

void message_number(struct airt_error *error, uint64_t number)
{
    char digits[20];
    size_t first = sizeof(digits);

    if (error == NULL)
        return;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    append(error, digits + first, sizeof(digits) - first);
}

int message_fail(struct airt_error *error, const char *name, int rc, const char *text)
{
    message_start(error, name);
    message_text(error, text);
    return rc;
}
