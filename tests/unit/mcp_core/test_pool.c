/* SPDX-License-Identifier: MIT
 *
 * The pool: a usual request asks the embedder for no memory, and what is kept is bounded and comes back.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include <mcp/pool.h>

#define LIMIT ((size_t)16 * 1024)

static struct test_memory memory;
static struct mcp_pool pool;
static struct mcp_memory hooks;

static int start_pool(void **state)
{
    struct mcp_memory source = test_memory_hooks(&memory);

    (void)state;
    memory = (struct test_memory){0};
    mcp_pool_initialise(&pool, &source, LIMIT);
    hooks = mcp_pool_memory(&pool);
    return 0;
}

static int stop_pool(void **state)
{
    (void)state;
    mcp_pool_trim(&pool);
    assert_int_equal(memory.held, 0);
    return 0;
}

/* Each block has room for what was asked, and comes back with the size that it was given with. */
static void test_sizes(void **state)
{
    (void)state;
    for (size_t size = 1; size <= LIMIT + 100; size += size < 600 ? 1 : 61) {
        size_t before = memory.held;
        char *block = hooks.allocate(hooks.context, size);

        assert_non_null(block);
        memset(block, 'x', size);
        hooks.release(hooks.context, block, size);
        mcp_pool_trim(&pool);
        assert_int_equal(memory.held, before);
        assert_in_range(memory.most, size, size <= 64 ? 64 : size + size / 4);
        memory.most = 0;
    }
}

/* What is kept serves every size that the block has room for; a larger one takes memory. */
static void test_again(void **state)
{
    void *first = hooks.allocate(hooks.context, 112);
    void *second;

    (void)state;
    hooks.release(hooks.context, first, 112);
    second = hooks.allocate(hooks.context, 97);
    assert_ptr_equal(second, first);
    assert_int_equal(memory.allocations, 1);
    hooks.release(hooks.context, second, 97);
    second = hooks.allocate(hooks.context, 113);
    assert_int_equal(memory.allocations, 2);
    hooks.release(hooks.context, second, 113);
}

static void test_limit(void **state)
{
    void *blocks[64];

    (void)state;
    for (size_t i = 0; i < 64; i++)
        blocks[i] = hooks.allocate(hooks.context, 1000);
    for (size_t i = 0; i < 64; i++)
        hooks.release(hooks.context, blocks[i], 1000);
    assert_in_range(memory.held, 1000, LIMIT);
    blocks[0] = hooks.allocate(hooks.context, LIMIT + 1); /* too large to be kept */
    hooks.release(hooks.context, blocks[0], LIMIT + 1);
    assert_in_range(memory.held, 1000, LIMIT);
}

static void test_no_limit(void **state)
{
    struct mcp_memory source = test_memory_hooks(&memory);

    (void)state;
    mcp_pool_initialise(&pool, &source, 0);
    hooks.release(hooks.context, hooks.allocate(hooks.context, 8), 8);
    assert_int_equal(memory.held, 0);
}

/* Kept blocks of one size are no reason to refuse another one. */
static void test_gives_back_before_it_refuses(void **state)
{
    void *block = hooks.allocate(hooks.context, 4096);

    (void)state;
    hooks.release(hooks.context, block, 4096);
    memory.limit = 4096;
    block = hooks.allocate(hooks.context, 2000);
    assert_non_null(block);
    assert_null(hooks.allocate(hooks.context, 4096));
    hooks.release(hooks.context, block, 2000);
}

/* ---- behind a server ---- */

static struct client client;

static void add(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *result = mcp_call_result(call);
    const char *text;
    size_t length;
    double a;

    (void)context;
    if (mcp_call_double_or(call, "a", 0, -1e9, 1e9, &a) != 0 ||
        mcp_call_string(call, "b", &text, &length) != 0)
        return;
    mcp_json_begin_object(result);
    mcp_json_member_double(result, "sum", a + 1);
    mcp_json_member_string(result, "text", text);
    mcp_json_end_object(result);
    mcp_call_finish(call);
}

static void read_note(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_text(call, "a note", 6);
    mcp_call_finish(call);
}

static const struct mcp_tool tool = {
    .name = "add",
    .description =
        "Adds, and says it at some length, so that the list of tools is longer than the buffer on the "
        "stack that short answers are written to, which takes five hundred bytes or a few more, so that "
        "this description does not end before it has come to at least a good half of them.",
    .input_schema = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\",\"minimum\":0},"
                    "\"b\":{\"type\":\"string\"}},\"required\":[\"a\",\"b\"],\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"sum\":{\"type\":\"number\"}}}",
    .handler = add};

static const struct mcp_resource note = {.uri = "note://a", .name = "a", .handler = read_note};

static const char *const requests[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"ping\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/list\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/call\",\"params\":{\"name\":\"add\","
    "\"arguments\":{\"a\":1.5,\"b\":\"\\u00e9\"}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/call\",\"params\":{\"name\":\"add\","
    "\"arguments\":{\"a\":true}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"resources/read\",\"params\":{\"uri\":\"note://a\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"no/such\"}",
};

#define REQUESTS (sizeof(requests) / sizeof(requests[0]))

static void ask_all(int id)
{
    char message[256];

    for (size_t i = 0; i < REQUESTS; i++) {
        size_t before = client.received;

        (void)snprintf(message, sizeof(message), requests[i], id);
        client_tell(&client, message);
        assert_int_equal(client.received, before + 1);
        (void)snprintf(message, sizeof(message), "%d", id);
        client_tell(&client, stateless(message, "tools/call",
                                       ",\"name\":\"add\",\"arguments\":{\"a\":2,\"b\":\"c\"}", ""));
        assert_int_equal(client.received, before + 2);
        assert_non_null(strstr(client.last, "\"sum\":3"));
    }
}

static void test_requests_allocate_nothing(void **state)
{
    struct mcp_server_config config = test_config;
    size_t allocations;

    (void)state;
    client = (struct client){0};
    config.memory = hooks;
    client_start(&client, &config);
    assert_int_equal(mcp_server_add_tool(client.server, &tool), 0);
    assert_int_equal(mcp_server_add_resource(client.server, &note), 0);
    client_initialise(&client, "2025-11-25");
    ask_all(100);
    allocations = memory.allocations;
    for (int id = 101; id < 999; id++)
        ask_all(id);
    assert_int_equal(memory.allocations, allocations);
    client_stop(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, start_pool, stop_pool),
        cmocka_unit_test_setup_teardown(test_again, start_pool, stop_pool),
        cmocka_unit_test_setup_teardown(test_limit, start_pool, stop_pool),
        cmocka_unit_test_setup_teardown(test_no_limit, start_pool, stop_pool),
        cmocka_unit_test_setup_teardown(test_gives_back_before_it_refuses, start_pool, stop_pool),
        cmocka_unit_test_setup_teardown(test_requests_allocate_nothing, start_pool, stop_pool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
