/* SPDX-License-Identifier: MIT
 *
 * What headers repeat of the body, so that those in between can see it; and the version among it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "head.h"

enum head_era head_era(const struct http_head *head)
{
    static const char *const versions[] = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"};
    const char *version = head_find(head, "MCP-Protocol-Version");
    if (version == NULL)
        return HEAD_ERA_SESSION;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (strcmp(version, versions[i]) == 0)
            return HEAD_ERA_SESSION;
    return HEAD_ERA_STATELESS;
}

/* ---- values ---- */

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* RFC 4648, section 4, with padding. */
static long decode_base64(const char *from, size_t length, char *to, size_t size)
{
    size_t padding = 0, at = 0;
    if (length % 4 != 0)
        return -EINVAL;
    while (padding < 2 && padding < length && from[length - 1 - padding] == '=')
        padding++;
    if (length / 4 * 3 - padding + 1 > size)
        return -EINVAL;
    for (size_t i = 0; i < length; i += 4) {
        uint32_t bits = 0;
        size_t digits = i + 4 == length ? 4 - padding : 4;
        for (size_t j = 0; j < 4; j++) {
            int digit = j < digits ? base64_digit(from[i + j]) : 0;
            if (digit < 0)
                return -EINVAL;
            bits = bits << 6 | (uint32_t)digit;
        }
        for (size_t j = 0; j + 1 < digits; j++)
            to[at++] = (char)(bits >> (16 - 8 * j) & 0xFF);
    }
    to[at] = '\0';
    return (long)at;
}

long head_decode(const char *value, char *text, size_t size)
{
    size_t length = strlen(value);
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || (unsigned char)value[i] >= 0x7F)
            return -EINVAL;
    if (length >= 11 && strncmp(value, "=?base64?", 9) == 0 && strcmp(value + length - 2, "?=") == 0)
        return decode_base64(value + 9, length - 11, text, size);
    if (length + 1 > size)
        return -EINVAL;
    memcpy(text, value, length + 1);
    return (long)length;
}

/* ---- comparison ---- */

static int mismatch(char *problem, size_t size, const char *name, const char *what)
{
    (void)snprintf(problem, size, "Header mismatch: %s %s", name, what);
    return -EPROTO;
}

static int compare_name(const struct http_head *head, struct mcp_json value, bool required, char *problem,
                        size_t size)
{
    const char *header = head_find(head, "Mcp-Name");
    if (mcp_json_type(value) != MCP_JSON_STRING)
        return 0; /* the server says what the message lacks */
    if (header == NULL)
        return required ? mismatch(problem, size, "Mcp-Name", "is missing") : 0;
    size_t room = MESSAGE_NAME_MAX + 1;
    char *decoded = malloc(room), *name = message_string(value, MESSAGE_NAME_MAX);
    int result = 0;
    if (decoded == NULL || head_decode(header, decoded, room) < 0)
        result = mismatch(problem, size, "Mcp-Name", "is not a value that a header can have");
    else if (name == NULL || strcmp(decoded, name) != 0)
        result = mismatch(problem, size, "Mcp-Name", "differs from the name or URI in the body");
    free(decoded);
    free(name);
    return result;
}

static int check_name(const struct http_head *head, const struct message *message, char *problem, size_t size)
{
    if (message_is(message, "tools/call") || message_is(message, "prompts/get"))
        return compare_name(head, mcp_json_member(message->params, "name"), true, problem, size);
    if (message_is(message, "resources/read"))
        return compare_name(head, mcp_json_member(message->params, "uri"), true, problem, size);
    if (strncmp(message->method, "tasks/", 6) == 0)
        return compare_name(head, mcp_json_member(message->params, "taskId"), false, problem, size);
    return 0;
}

int head_check_mirrors(const struct http_head *head, const struct message *message, char *problem,
                       size_t size)
{
    const char *version = head_find(head, "MCP-Protocol-Version"), *method = head_find(head, "Mcp-Method");
    if (version == NULL)
        return mismatch(problem, size, "MCP-Protocol-Version", "is missing");
    if (mcp_json_type(message->version) != MCP_JSON_STRING) {
        (void)snprintf(problem, size, "params._meta lacks \"io.modelcontextprotocol/protocolVersion\"");
        return -EINVAL;
    }
    if (!mcp_json_equals(message->version, version))
        return mismatch(problem, size, "MCP-Protocol-Version", "differs from the version in the body");
    if (mcp_json_type(mcp_json_member(message->meta, "io.modelcontextprotocol/clientCapabilities")) !=
        MCP_JSON_OBJECT) {
        (void)snprintf(problem, size, "params._meta lacks \"io.modelcontextprotocol/clientCapabilities\"");
        return -EINVAL;
    }
    if (method == NULL)
        return mismatch(problem, size, "Mcp-Method", "is missing");
    if (strcmp(method, message->method) != 0)
        return mismatch(problem, size, "Mcp-Method", "differs from the method in the body");
    return check_name(head, message, problem, size);
}
