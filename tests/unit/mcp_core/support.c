/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct mcp_server_config test_config = {
    .name = "test", .title = "A test", .version = "0.1", .instructions = "Be \"kind\"."};

static void *allocate(void *context, size_t size)
{
    struct test_memory *memory = context;
    char *block;

    memory->allocations++;
    if (memory->fail_at != 0 && (memory->allocations == memory->fail_at ||
                                 (memory->fail_from && memory->allocations > memory->fail_at)))
        return NULL;
    if (memory->limit != 0 && size > memory->limit - memory->held)
        return NULL;
    block = malloc(size);
    assert_non_null(block);
    memset(block, 0xA5, size); /* nobody may count on zeros */
    memory->held += size;
    if (memory->held > memory->most)
        memory->most = memory->held;
    return block;
}

static void release(void *context, void *block, size_t size)
{
    struct test_memory *memory = context;

    assert_non_null(block);
    assert_true(memory->held >= size);
    memory->held -= size;
    memset(block, 0x5A, size); /* the size is right, or the sanitizer says so */
    free(block);
}

struct mcp_memory test_memory_hooks(struct test_memory *memory)
{
    return (struct mcp_memory){.context = memory, .allocate = allocate, .release = release};
}

uint32_t test_random(uint32_t *state, uint32_t limit)
{
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)*state * limit) >> 32);
}

json_t *test_load(const char *text, size_t length, bool *unsure)
{
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_error_t error;
    json_t *json;

    if (unsure != NULL)
        *unsure = false;
    if (memchr(text, '\0', length) != NULL)
        return NULL; /* jansson takes a NUL behind a number for the end of the text */
    json = json_loadb(text, length, flags, &error);
    if (json == NULL && json_error_code(&error) == json_error_numeric_overflow)
        json = json_loadb(text, length, flags | JSON_DECODE_INT_AS_REAL, &error);
    if (unsure != NULL)
        *unsure = json == NULL && (json_error_code(&error) == json_error_numeric_overflow ||
                                   json_error_code(&error) == json_error_null_byte_in_key);
    return json;
}

static void check_answer(const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");

    assert_true(json_is_object(answer));
    assert_string_equal(json_string_value(json_object_get(answer, "jsonrpc")), "2.0");
    if (json_object_get(answer, "method") != NULL) { /* a notification, or a request of the server */
        assert_true(json_is_object(json_object_get(answer, "params")));
        return;
    }
    assert_non_null(json_object_get(answer, "id"));
    assert_true((error != NULL) != (json_object_get(answer, "result") != NULL));
    if (error != NULL) {
        assert_true(json_is_number(json_object_get(error, "code")));
        assert_true(json_is_string(json_object_get(error, "message")));
    }
}

/* What mcp_session_sending_for says while the message is sent. */
static void note_request(struct client *client)
{
    size_t length;
    const char *id = mcp_session_sending_for(client->session, &length);

    client->sent_for[0] = '\0';
    if (id != NULL)
        (void)snprintf(client->sent_for, sizeof(client->sent_for), "%.*s", (int)length, id);
}

/* Every message of the server is one line of JSON for two parsers, and a notification, an answer or an array
 * of answers. */
static int receive(void *context, const char *message, size_t length)
{
    struct client *client = context;
    struct test_memory memory = {0};
    struct mcp_memory hooks = test_memory_hooks(&memory);
    struct mcp_json_document *document;
    struct mcp_json_error error;
    bool unsure;
    json_t *json = test_load(message, length, &unsure);
    size_t index;
    json_t *answer;

    assert_true(json != NULL || unsure);
    assert_null(memchr(message, '\n', length));
    assert_int_equal(mcp_json_parse(&hooks, message, length, &document, &error), 0);
    mcp_json_free(document);
    if (json_is_array(json)) {
        assert_true(json_array_size(json) > 0);
        json_array_foreach(json, index, answer) check_answer(answer);
    } else if (json != NULL) {
        check_answer(json);
    }
    json_decref(json);

    free(client->last);
    client->last = malloc(length + 1);
    assert_non_null(client->last);
    memcpy(client->last, message, length);
    client->last[length] = '\0';
    client->last_length = length;
    client->received++;
    note_request(client);
    if (client->on_message != NULL)
        client->on_message(client);
    return 0;
}

void client_start(struct client *client, const struct mcp_server_config *config)
{
    struct mcp_server_config copy = config != NULL ? *config : test_config;

    if (copy.memory.allocate == NULL)
        copy.memory = test_memory_hooks(&client->memory);
    assert_int_equal(mcp_server_create(&copy, &client->server), 0);
    client_open(client);
}

void client_open(struct client *client)
{
    assert_int_equal(mcp_session_open(client->server, receive, client, &client->session), 0);
}

void client_stop(struct client *client)
{
    struct mcp_server_statistics statistics;

    mcp_session_close(client->session);
    mcp_server_get_statistics(client->server, &statistics);
    assert_int_equal(statistics.sessions, 0);
    assert_int_equal(statistics.pending, 0);
    mcp_server_destroy(client->server);
    client_forget(client);
    assert_int_equal(client->memory.held, 0);
}

void client_forget(struct client *client)
{
    free(client->last);
    client->last = NULL;
    client->received = 0;
}

void client_tell(struct client *client, const char *message)
{
    /* A copy of exactly the length, so that the sanitizer sees a read beyond it. */
    size_t length = strlen(message);
    char *copy = malloc(length + 1);

    assert_non_null(copy);
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the text has no end but its length */
    memcpy(copy, message, length);
    copy = realloc(copy, length > 0 ? length : 1);
    mcp_session_receive(client->session, copy, length);
    memset(copy, 0, length);
    free(copy);
}

void client_expect(struct client *client, const char *message, const char *answer)
{
    size_t before = client->received;

    client_tell(client, message);
    assert_int_equal(client->received, before + 1);
    assert_string_equal(client->last, answer);
}

void client_expect_nothing(struct client *client, const char *message)
{
    size_t before = client->received;

    client_tell(client, message);
    assert_int_equal(client->received, before);
}

void client_expect_error(struct client *client, const char *message, const char *id, int code,
                         const char *words)
{
    size_t before = client->received;
    char start[256];

    client_tell(client, message);
    assert_int_equal(client->received, before + 1);
    (void)snprintf(start, sizeof(start),
                   "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,\"message\":\"", id, code);
    if (strncmp(client->last, start, strlen(start)) != 0 || strstr(client->last, words) == NULL)
        fail_msg("%s\n  was answered with %s\n  and not with %s...%s", message, client->last, start, words);
}

void client_initialise(struct client *client, const char *version)
{
    char message[256];

    (void)snprintf(message, sizeof(message),
                   "{\"jsonrpc\":\"2.0\",\"id\":\"init\",\"method\":\"initialize\",\"params\":{"
                   "\"protocolVersion\":\"%s\",\"capabilities\":{},"
                   "\"clientInfo\":{\"name\":\"test\",\"version\":\"1\"}}}",
                   version);
    client_tell(client, message);
    client_expect_nothing(client, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    assert_non_null(strstr(client->last, version));
}

const char *stateless(const char *id, const char *method, const char *params, const char *meta)
{
    static char message[4096];

    (void)snprintf(message, sizeof(message),
                   "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"%s\",\"params\":{\"_meta\":{"
                   "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                   "\"io.modelcontextprotocol/clientCapabilities\":{}%s}%s}}",
                   id, method, meta, params);
    return message;
}
