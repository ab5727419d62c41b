/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "memory_fixture.h"

static const struct mcp_memory *const mcp = &kernel_mcp_memory;
static const struct mcp_transport_memory *const transport = &kernel_transport_memory;

static int start(void **state)
{
    (void)state;
    return start_memory(16 * MIB);
}

static int end(void **state)
{
    (void)state;
    end_memory();
    return 0;
}

static void test_the_pool_is_a_quarter(void **state)
{
    (void)state;
    assert_int_equal(client_pool.limit, frames_free_at_start / 4);
    assert_int_equal(client_pool.used, 0);
    fake_memory_destroy();
    assert_int_equal(start_memory(4 * GIB), 0); /* but never more than 64 MiB */
    assert_int_equal(client_pool.limit, 64 * MIB);
}

static void test_messages_come_from_the_pool(void **state)
{
    (void)state;
    void *a = mcp->allocate(mcp->context, 1000), *b = mcp->allocate(mcp->context, 100000);
    assert_non_null(a);
    assert_non_null(b);
    memset(a, 1, 1000);
    memset(b, 2, 100000);
    assert_int_equal(client_pool.used, heap_cost(1000) + heap_cost(100000));
    mcp->release(mcp->context, a, 1000);
    assert_int_equal(client_pool.used, heap_cost(100000));
    mcp->release(mcp->context, b, 100000);
    mcp->release(mcp->context, NULL, 5);
}

static void test_buffers_grow_and_shrink(void **state)
{
    (void)state;
    assert_null(transport->resize(transport->context, NULL, 0, 0));
    uint8_t *block = transport->resize(transport->context, NULL, 0, 100);
    assert_non_null(block);
    memset(block, 3, 100);
    size_t size = 100;
    static const size_t sizes[] = {200, 5000, 1048576, 3000, 10};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        block = transport->resize(transport->context, block, size, sizes[i]);
        assert_non_null(block);
        size = sizes[i];
        assert_int_equal(client_pool.used, heap_cost(size));
        for (size_t at = 0; at < 10; at++)
            assert_int_equal(block[at], 3);
    }
    assert_null(transport->resize(transport->context, block, size, 0));
}

static void test_the_pool_refuses_and_keeps(void **state)
{
    (void)state;
    client_pool.limit = 10000;
    uint8_t *block = transport->resize(transport->context, NULL, 0, 4000);
    assert_non_null(block);
    memset(block, 4, 4000);
    assert_null(transport->resize(transport->context, block, 4000, 20000));
    assert_null(mcp->allocate(mcp->context, 8000));
    assert_null(mcp->allocate(mcp->context, SIZE_MAX));
    assert_int_equal(client_pool.refusals, 3);
    assert_int_equal(client_pool.used, heap_cost(4000));
    for (size_t at = 0; at < 4000; at++)
        assert_int_equal(block[at], 4);
    /* The model's memory does not count here, and is still given. */
    void *model = kernel_airt_alloc(NULL, 1000000);
    assert_non_null(model);
    assert_int_equal(client_pool.used, heap_cost(4000));
    kernel_airt_free(NULL, model, 1000000);
    kernel_airt_free(NULL, NULL, 0);
    assert_null(kernel_airt_alloc(NULL, 64 * MIB));
    assert_null(transport->resize(transport->context, block, 4000, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_pool_is_a_quarter, start, end),
        cmocka_unit_test_setup_teardown(test_messages_come_from_the_pool, start, end),
        cmocka_unit_test_setup_teardown(test_buffers_grow_and_shrink, start, end),
        cmocka_unit_test_setup_teardown(test_the_pool_refuses_and_keeps, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
