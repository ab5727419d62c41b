/* SPDX-License-Identifier: MIT
 *
 * The state of a call while its client has it (MCP 2026-07-28, "Patterns / Multi Round-Trip Requests", server
 * requirements 5 and 6): 8 bytes of expiry, the state, and an HMAC-SHA-256 over both and over the request
 * that they are for. The key is made when it is first needed, and lives as long as the server.
 */
#include <errno.h>
#include <string.h>

#include "ask_private.h"
#include "sha256.h"

#define EXPIRY_SIZE 8u

static int make_key(struct mcp_server *server)
{
    const struct mcp_server_config *config = &server->config;

    if (server->has_state_key)
        return 0;
    if (config->entropy == NULL || config->clock_ms == NULL ||
        config->entropy(config->hook_context, server->state_key, sizeof(server->state_key)) != 0)
        return -ENOSYS;
    server->has_state_key = true;
    return 0;
}

static void add_text(struct hmac_sha256 *mac, const char *text)
{
    if (text != NULL)
        sha256_add(&mac->inner, text, strlen(text));
    sha256_add(&mac->inner, "", 1); /* the NUL keeps neighbours apart */
}

/* JSON without the white space between its tokens: a client may lay out a request anew when it sends it
 * again. */
static void add_json(struct hmac_sha256 *mac, struct mcp_json value)
{
    size_t length = 0;
    const char *text = mcp_json_raw(value, &length);
    bool in_string = false;
    size_t run = 0;

    for (size_t at = 0; text != NULL && at < length; at++) {
        if (text[at] == '"') {
            in_string = !in_string;
        } else if (text[at] == '\\') {
            at++;
        } else if (!in_string &&
                   (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n')) {
            sha256_add(&mac->inner, text + run, at - run);
            run = at + 1;
        }
    }
    if (text != NULL)
        sha256_add(&mac->inner, text + run, length - run);
}

/* Over what is sealed, and the request: its kind, what it names, its arguments, who sent it. */
static void seal(const struct mcp_call *call, const uint8_t *sealed, size_t size, uint8_t digest[SHA256_SIZE])
{
    uint8_t kind = (uint8_t)call->kind;
    struct hmac_sha256 mac;

    hmac_sha256_begin(&mac, call->server->state_key);
    sha256_add(&mac.inner, &kind, 1);
    add_text(&mac, call->name);
    add_text(&mac, call->uri);
    add_json(&mac, mcp_call_arguments(call));
    add_text(&mac, NULL);
    sha256_add(&mac.inner, call_principal(call), PRINCIPAL_SIZE);
    sha256_add(&mac.inner, sealed, size);
    hmac_sha256_end(&mac, digest);
}

int state_seal(struct mcp_call *call, const void *state, size_t size, struct mcp_json_writer *writer)
{
    struct mcp_server *server = call->server;
    const struct mcp_memory *memory = &server->config.memory;
    size_t sealed_size = EXPIRY_SIZE + size + SHA256_SIZE;
    uint64_t expiry;
    uint8_t *sealed;
    int result = make_key(server);

    if (result != 0)
        return result;
    sealed = memory->allocate(memory->context, sealed_size);
    if (sealed == NULL)
        return -ENOMEM;
    expiry = server->config.clock_ms(server->config.hook_context) + server->config.state_ttl_ms;
    for (size_t i = 0; i < EXPIRY_SIZE; i++)
        sealed[i] = (uint8_t)(expiry >> (8 * i));
    memcpy(sealed + EXPIRY_SIZE, state, size);
    seal(call, sealed, EXPIRY_SIZE + size, sealed + EXPIRY_SIZE + size);
    mcp_json_base64(writer, sealed, sealed_size);
    memory->release(memory->context, sealed, sealed_size);
    return 0;
}

static int digit_value(char digit)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = digit != '\0' ? strchr(digits, digit) : NULL;

    return found != NULL ? (int)(found - digits) : -1;
}

/* Decodes base64 in place, as mcp_json_base64 writes it. Returns the size, or -EINVAL. */
static int64_t decode(char *text, size_t length)
{
    size_t to = 0, padding = 0;

    if (length == 0 || length % 4 != 0)
        return -EINVAL;
    while (padding < 2 && text[length - 1 - padding] == '=')
        padding++;
    for (size_t at = 0; at < length; at += 4) {
        uint32_t group = 0;

        for (size_t i = 0; i < 4; i++) {
            int value = at + i >= length - padding ? 0 : digit_value(text[at + i]);

            if (value < 0)
                return -EINVAL;
            group = group << 6 | (uint32_t)value;
        }
        text[to++] = (char)(group >> 16);
        text[to++] = (char)(group >> 8);
        text[to++] = (char)group;
    }
    return (int64_t)(to - padding);
}

int state_open(struct mcp_call *call, struct mcp_json sealed, const void **state, size_t *size)
{
    struct mcp_server *server = call->server;
    size_t length = mcp_json_string_length(sealed);
    uint8_t digest[SHA256_SIZE];
    uint64_t expiry = 0;
    int64_t decoded;
    char *text;
    int result = make_key(server);

    if (result != 0)
        return result;
    if (mcp_json_type(sealed) != MCP_JSON_STRING)
        return -EINVAL;
    text = call_allocate(call, length + 1);
    if (text == NULL)
        return -ENOMEM;
    (void)mcp_json_get_string(sealed, text, length + 1);
    decoded = decode(text, length);
    if (decoded < (int64_t)(EXPIRY_SIZE + SHA256_SIZE))
        return -EINVAL;
    *size = (size_t)decoded - EXPIRY_SIZE - SHA256_SIZE;
    seal(call, (const uint8_t *)text, EXPIRY_SIZE + *size, digest);
    if (!equal_in_constant_time(digest, (const uint8_t *)text + EXPIRY_SIZE + *size, SHA256_SIZE))
        return -EINVAL;
    for (size_t i = 0; i < EXPIRY_SIZE; i++)
        expiry |= (uint64_t)(uint8_t)text[i] << (8 * i);
    if (server->config.clock_ms(server->config.hook_context) > expiry)
        return -EINVAL;
    *state = text + EXPIRY_SIZE;
    return 0;
}
