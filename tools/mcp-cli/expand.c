/* SPDX-License-Identifier: MIT */
#include "expand.h"

#include <stdlib.h>
#include <string.h>

#include "transport/buffer.h"

/* One reference, behind its "${"; moves *next behind it. */
static enum status reference(const char **next, struct buffer *text, const char *where, struct error *error)
{
    const char *end = strchr(*next, '}');
    char name[128];
    size_t length = end ? strcspn(*next, ":}") : 0;
    if (!end || length == 0 || length >= sizeof name ||
        ((*next)[length] == ':' && (*next)[length + 1] != '-'))
        return error_set(error, STATUS_USAGE, "%s: ${NAME} or ${NAME:-default} is not closed, or has no name",
                         where);
    memcpy(name, *next, length);
    name[length] = '\0';
    const char *value = getenv(name);
    const char *standby = (*next)[length] == ':' ? *next + length + 2 : NULL;
    if (!value && !standby)
        return error_set(error, STATUS_USAGE, "%s: the variable %s is not set", where, name);
    if (value)
        buffer_add(text, value, strlen(value));
    else
        buffer_add(text, standby, (size_t)(end - standby));
    *next = end + 1;
    return STATUS_OK;
}

static enum status expand_text(const char *from, const char *where, json_t **expanded, struct error *error)
{
    struct buffer text = {0};
    enum status status = buffer_add(&text, "", 0) == 0 ? STATUS_OK : STATUS_USAGE;
    while (*from && status == STATUS_OK) {
        const char *start = strstr(from, "${");
        size_t plain = start ? (size_t)(start - from) : strlen(from);
        buffer_add(&text, from, plain);
        from += plain;
        if (start) {
            from += 2;
            status = reference(&from, &text, where, error);
        }
    }
    *expanded = status == STATUS_OK ? json_string(text.bytes) : NULL;
    buffer_release(&text);
    if (status == STATUS_OK && !*expanded)
        return error_set(error, STATUS_USAGE, "%s: a variable's value is not UTF-8", where);
    return status;
}

enum status expand_all(const json_t *value, const char *where, json_t **expanded, struct error *error)
{
    enum status status = STATUS_OK;
    json_t *member = NULL;
    *expanded = NULL;
    if (json_is_string(value))
        return expand_text(json_string_value(value), where, expanded, error);
    if (json_is_array(value)) {
        *expanded = json_array();
        for (size_t i = 0; i < json_array_size(value) && status == STATUS_OK; i++) {
            status = expand_all(json_array_get(value, i), where, &member, error);
            if (status == STATUS_OK)
                json_array_append_new(*expanded, member);
        }
    } else if (json_is_object(value)) {
        const char *key;
        json_t *each;
        *expanded = json_object();
        json_object_foreach((json_t *)value, key, each)
        {
            status = expand_all(each, where, &member, error);
            if (status != STATUS_OK)
                break;
            json_object_set_new(*expanded, key, member);
        }
    } else {
        *expanded = json_deep_copy(value);
    }
    if (status != STATUS_OK) {
        json_decref(*expanded);
        *expanded = NULL;
    }
    return status;
}
