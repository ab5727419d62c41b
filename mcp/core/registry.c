/* SPDX-License-Identifier: MIT
 *
 * Lists in pages (MCP 2025-11-25, "Server features / Utilities / Pagination").
 */
#include "registry.h"

#include <errno.h>
#include <string.h>

#include "json_scan.h"
#include "server_private.h"

/* Of a message around the items of one page: the envelope, the cursor, an id of usual length. */
#define PAGE_OVERHEAD 512

/* 16 digits of the serial, 8 of the check. */
#define CURSOR_LENGTH 24

/* FNV-1a. It need not withstand an attacker, who finds out nothing that the list does not show: it tells a
 * cursor of ours from a text that the client made up. */
static uint32_t check_of(const char *member, uint64_t serial)
{
    uint32_t hash = 2166136261u;

    for (; *member != '\0'; member++)
        hash = (hash ^ (unsigned char)*member) * 16777619u;
    for (unsigned i = 0; i < 8; i++)
        hash = (hash ^ (uint32_t)(serial >> (8 * i) & 0xFF)) * 16777619u;
    return hash;
}

static void write_hex(char *text, uint64_t value, size_t digits)
{
    while (digits > 0) {
        text[--digits] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

static void write_cursor(char text[CURSOR_LENGTH], const char *member, uint64_t serial)
{
    write_hex(text, serial, 16);
    write_hex(text + 16, check_of(member, serial), 8);
}

static bool read_cursor(struct mcp_json cursor, const char *member, uint64_t *serial)
{
    char text[CURSOR_LENGTH + 1], expected[CURSOR_LENGTH];

    if (mcp_json_get_string(cursor, text, sizeof(text)) != CURSOR_LENGTH)
        return false;
    *serial = 0;
    for (size_t i = 0; i < 16; i++)
        *serial = *serial << 4 | (uint64_t)(json_hex_digit(text[i]) & 15);
    write_cursor(expected, member, *serial);
    return memcmp(text, expected, CURSOR_LENGTH) == 0;
}

/* The newest version lists the most: what fits there fits in all. */
static int measure(const struct mcp_server *server, const struct list_kind *kind, struct item *item)
{
    size_t around = PAGE_OVERHEAD + 1 + server->info_length; /* 1: the comma that registry_list counts */
    struct mcp_json_writer writer;
    const char *text;
    int result;

    if (server->config.message_max <= around)
        return -EFBIG;
    mcp_json_writer_initialise(&writer, &server->config.memory, server->config.message_max - around);
    kind->write(&writer, item, version_newest(EVERY_VERSION));
    result = mcp_json_finish(&writer, &text, &item->listed_size);
    mcp_json_writer_release(&writer);
    return result;
}

int registry_add(const struct mcp_server *server, struct registry *registry, const struct list_kind *kind,
                 struct item *item)
{
    int result = measure(server, kind, item);

    if (result != 0)
        return result;
    item->serial = ++registry->last_serial;
    registry_append(registry, item);
    return 0;
}

void registry_append(struct registry *registry, struct item *item)
{
    struct item **end = &registry->first;

    while (*end != NULL)
        end = &(*end)->next;
    item->next = NULL;
    *end = item;
}

void registry_remove(struct registry *registry, const struct item *item)
{
    struct item **link = &registry->first;

    while (*link != item)
        link = &(*link)->next;
    *link = item->next;
}

/* A page holds as many items as a message can; a usual server has one page. */
void registry_list(const struct request *request, const struct registry *registry,
                   const struct list_kind *kind)
{
    const struct mcp_server *server = request->session->server;
    const struct mcp_version *version = request->reply.version;
    struct mcp_json cursor = mcp_json_member(request->params, "cursor");
    const struct item *item = registry->first;
    size_t size = PAGE_OVERHEAD + (version->stateless ? server->info_length : 0);
    struct message message;
    uint64_t serial = 0;

    if (mcp_json_type(cursor) != MCP_JSON_NONE) {
        if (!read_cursor(cursor, kind->member, &serial) || serial > registry->last_serial) {
            reply_invalid_params(&request->reply, "the cursor is none that this list gave out");
            return;
        }
    }
    reply_result_begin(&request->reply, &message);
    mcp_json_key_write(&message.writer, kind->member);
    mcp_json_begin_array(&message.writer);
    for (; item != NULL; item = item->next) {
        if (item->serial < serial || !session_may_use(request->session, item->needs) ||
            (kind->is_listed != NULL && !kind->is_listed(request, item)))
            continue;
        if (size + item->listed_size + 1 > server->config.message_max)
            break;
        kind->write(&message.writer, item, version);
        size += item->listed_size + 1;
    }
    mcp_json_end_array(&message.writer);
    if (item != NULL) {
        char text[CURSOR_LENGTH];

        write_cursor(text, kind->member, item->serial);
        mcp_json_key_write(&message.writer, "nextCursor");
        mcp_json_string_n(&message.writer, text, CURSOR_LENGTH);
    }
    reply_cacheable(&request->reply, &message, server->config.list_ttl_ms,
                    request->session->allowed == UINT32_MAX);
    (void)reply_result_end(&request->reply, &message, NULL, 0);
}
