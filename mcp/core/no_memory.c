/* SPDX-License-Identifier: MIT
 *
 * The answer to a message that there is no memory to parse: its id is found by a walk over the text.
 */
#include <string.h>

#include "server_private.h"

/* A key or a scalar value, as it stands in the text. */
struct span {
    const char *text;
    size_t length;
};

static bool span_is(struct span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.text, text, span.length) == 0;
}

/* The string, number or literal that begins at `at` in a valid text. */
static struct span scalar_at(const char *text, size_t length, size_t at)
{
    size_t end = at;

    if (text[at] == '"') {
        for (end++; text[end] != '"'; end++)
            if (text[end] == '\\')
                end++;
        end++;
    } else {
        while (end < length && strchr(",:]} \t\r\n", text[end]) == NULL)
            end++;
    }
    return (struct span){.text = text + at, .length = end - at};
}

void dispatch_without_memory(struct mcp_session *session, const char *message, size_t length)
{
    struct reply reply = {.server = session->server, .session = session, .id = "null", .id_length = 4};
    struct span key = {0}, id = {0};
    bool is_batch = message[strspn(message, " \t\r\n")] == '[';
    bool is_request = is_batch;
    bool behind_colon = false;
    size_t depth = 0;

    for (size_t at = 0; at < length;) {
        char c = message[at];

        if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == ':' || c == ',') {
            behind_colon = c == ':';
        } else if (strchr(" \t\r\n", c) == NULL) {
            struct span scalar = scalar_at(message, length, at);

            if (depth == 1 && !behind_colon) {
                key = scalar;
                is_request = is_request || span_is(key, "\"method\"");
            } else if (depth == 1 && id.text == NULL && span_is(key, "\"id\"")) {
                id = scalar;
            }
            at += scalar.length - 1;
        }
        at++;
    }
    if (!is_request || (id.text == NULL && !is_batch))
        return; /* a response or a notification */
    if (!is_batch && id_is_valid(id.text, id.length)) {
        reply.id = id.text;
        reply.id_length = id.length;
    }
    reply_overloaded(&reply, "Overloaded: out of memory for this message");
}
