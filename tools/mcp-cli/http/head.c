/* SPDX-License-Identifier: MIT */
#include "head.h"

#include <string.h>
#include <strings.h>

const char *head_find(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (strcasecmp(head->headers[i].name, name) == 0)
            return head->headers[i].value;
    return NULL;
}

bool head_is_ambiguous(const struct http_head *head)
{
    static const char *const once[] = {
        "Host",           "Origin",         "Authorization", "Content-Type", "Last-Event-ID",
        "Mcp-Session-Id", "Content-Length", "Mcp-Method",    "Mcp-Name",     "Mcp-Protocol-Version"};
    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++) {
        size_t count = 0;
        for (size_t j = 0; j < head->header_count; j++)
            count += strcasecmp(head->headers[j].name, once[i]) == 0 ? 1 : 0;
        if (count > 1)
            return true;
    }
    for (size_t i = 0; i < head->header_count; i++) {
        const char *name = head->headers[i].name;
        if (strncasecmp(name, "Mcp-Param-", 10) == 0 && head_find(head, name) != head->headers[i].value)
            return true;
    }
    return false;
}

/* ---- who and from where ---- */

static bool is_listed(const char *const *list, const char *text, size_t length)
{
    for (; list != NULL && *list != NULL; list++)
        if (strcmp(*list, "*") == 0 || (strlen(*list) == length && strncasecmp(*list, text, length) == 0))
            return true;
    return false;
}

/* The length of the name in "name:port", "[address]:port" or either without its port; 0 when it is neither.
 */
static size_t name_length(const char *host)
{
    size_t length = strcspn(host, ":");
    if (host[0] == '[') {
        length = strcspn(host, "]");
        if (host[length] != ']')
            return 0;
        length++;
    }
    if (host[length] == '\0')
        return length;
    const char *port = host + length + 1;
    size_t digits = strspn(port, "0123456789");
    return host[length] == ':' && port[digits] == '\0' && digits <= 5 ? length : 0;
}

static bool is_loopback(const char *name, size_t length)
{
    static const char *const loopback[] = {"localhost", "127.0.0.1", "[::1]", NULL};
    return is_listed(loopback, name, length);
}

bool head_host_is_allowed(const struct http_head *head, const struct head_rules *rules)
{
    const char *host = head_find(head, "Host");
    size_t length = host != NULL ? name_length(host) : 0;
    return length > 0 && (is_loopback(host, length) || is_listed(rules->hosts, host, length));
}

bool head_origin_is_allowed(const struct http_head *head, const struct head_rules *rules)
{
    const char *origin = head_find(head, "Origin");
    if (origin == NULL || is_listed(rules->origins, origin, strlen(origin)))
        return true;
    const char *name = strncmp(origin, "http://", 7) == 0    ? origin + 7
                       : strncmp(origin, "https://", 8) == 0 ? origin + 8
                                                             : "";
    size_t length = name_length(name);
    return length > 0 && is_loopback(name, length);
}

bool head_token_is_right(const struct http_head *head, const struct head_rules *rules)
{
    if (rules->token == NULL)
        return true;
    const char *given = head_find(head, "Authorization");
    if (given == NULL || strncasecmp(given, "Bearer ", 7) != 0)
        return false;
    given += 7 + strspn(given + 7, " ");
    size_t length = strlen(rules->token);
    if (strlen(given) != length)
        return false;
    unsigned difference = 0;
    for (size_t i = 0; i < length; i++)
        difference |= (unsigned)(unsigned char)given[i] ^ (unsigned char)rules->token[i];
    return difference == 0;
}

/* ---- types ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Whether the media type that begins at `text` and ends at a ',' or ';' or blank is `type`. */
static bool is_type(const char *text, const char *type, size_t length)
{
    return strncasecmp(text, type, length) == 0 &&
           (text[length] == '\0' || text[length] == ',' || text[length] == ';' || is_blank(text[length]));
}

/* "q=0", "q=0.0" and so on refuse. */
static bool is_refused(const char *range)
{
    for (; *range != '\0' && *range != ','; range++) {
        if (*range != ';')
            continue;
        range++;
        range += strspn(range, " \t");
        if (strncasecmp(range, "q=", 2) == 0) {
            size_t zeros = strspn(range + 2, "0.");
            char after = range[2 + zeros];
            return zeros > 0 && (after == '\0' || after == ',' || after == ';' || is_blank(after));
        }
        range--;
    }
    return false;
}

/* Headers may come in several lines, which count as one list. */
bool head_accepts(const struct http_head *head, const char *type)
{
    size_t group = (size_t)(strchr(type, '/') - type) + 1;
    bool found = false;
    for (size_t i = 0; i < head->header_count; i++) {
        if (strcasecmp(head->headers[i].name, "Accept") != 0)
            continue;
        found = true;
        for (const char *at = head->headers[i].value; *at != '\0'; at += *at == ',' ? 1 : 0) {
            at += strspn(at, " \t");
            bool matches = is_type(at, type, strlen(type)) || is_type(at, "*/*", 3) ||
                           (strncasecmp(at, type, group) == 0 && is_type(at + group, "*", 1));
            if (matches && !is_refused(at))
                return true;
            at += strcspn(at, ",");
        }
    }
    return !found;
}

bool head_is_json(const struct http_head *head)
{
    const char *type = head_find(head, "Content-Type");
    return type != NULL && is_type(type, "application/json", 16);
}
