/* SPDX-License-Identifier: MIT
 *
 * VMs that come, pause, restart and go; many connections; connections that the guest begins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fake_vm.h"

static void the_vm_goes_in_the_middle_of_data(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t host_port;
    uint32_t other_port;
    int client = client_open(vm, &host_port);
    int other = client_open(vm, &other_port);
    size_t sent = fill_backlog(vm, host_port);

    vm_disconnect(vm);
    assert_true(client_at_end(other));
    expect_all(vm, client, sent);
    (void)close(client);
    (void)close(other);
}

static void a_client_waits_for_the_vm(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    int client = client_connect(vm);
    int impatient = client_connect(vm);
    int hasty = client_connect(vm);

    client_write(client, "{early", 6);
    client_write(impatient, "{early", 6);
    pump(vm);
    assert_true(client_quiet(client));
    (void)close(impatient); /* before the VM is there */
    client_write(hasty, "{", 1);
    (void)close(hasty); /* at once */
    pump(vm);
    vm_connect(vm);
    vm_negotiate(vm);
    vm_set_memory(vm);
    vm_start_queues(vm);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    guest_send_operation(vm, 5000, packet.header.source_port, VSOCK_RESPONSE);
    guest_expect(vm, VSOCK_DATA, &packet);
    assert_memory_equal(packet.payload, "{early", 6);
    guest_expect_nothing(vm);
    (void)close(client);
}

static void a_paused_vm_keeps_its_connections(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    uint32_t bases[3];
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    for (int round = 0; round < 2; round++) {
        for (uint32_t queue = 0; queue < 3; queue++)
            bases[queue] = vm_stop_queue(vm, queue);
        client_write(client, "meanwhile", 9);
        pump(vm);
        assert_true(client_quiet(client));
        vm_resume_queues(vm, bases);
        guest_expect(vm, VSOCK_DATA, &packet);
        assert_memory_equal(packet.payload, "meanwhile", 9);
        guest_send_data(vm, 5000, host_port, "still here", 10);
        client_expect(client, "still here", 10);
    }
    /* Paused, and then the VM ends. */
    for (uint32_t queue = 0; queue < 3; queue++)
        (void)vm_stop_queue(vm, queue);
    vm_disconnect(vm);
    assert_true(client_at_end(client));
    (void)close(client);
}

/* The indices have come round to 0 just when the driver begins anew at 0: that is no resumption. */
static void a_vm_reset_at_index_0_is_a_reset(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t host_port;
    int client;

    for (uint32_t queue = 0; queue < 3; queue++)
        (void)vm_stop_queue(vm, queue);
    vm->base = UINT16_MAX;
    vm_start_queues(vm);
    client = client_open(vm, &host_port); /* one packet each way */
    assert_int_equal(vm_stop_queue(vm, 0), 0);
    assert_int_equal(vm_stop_queue(vm, 1), 0);
    (void)vm_stop_queue(vm, 2);
    vm->base = 0;
    vm_start_queues(vm);
    assert_true(client_at_end(client));
    (void)close(client);
}

static void host_ports_are_not_used_twice(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t ports[3];
    int clients[3];

    clients[0] = client_open(vm, &ports[0]);
    vm->bridge.device.last_host_port = ports[0] - 1;
    clients[1] = client_open(vm, &ports[1]);
    assert_int_equal(ports[1], ports[0] + 1);
    /* After the greatest one comes the least that is free. */
    vm->bridge.device.last_host_port = 0x7fffffff;
    clients[2] = client_open(vm, &ports[2]);
    assert_int_equal(ports[2], ports[0] + 2);
    for (int i = 0; i < 3; i++)
        (void)close(clients[i]);
}

static void a_vm_reset_closes_connections_and_the_next_driver_serves(void **state)
{
    struct fake_vm *vm = *state;
    int late;
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    /* A packet that the old driver had ready, but the device has not seen. */
    struct vsock_header stale = guest_header(5000, host_port, VSOCK_DATA);
    guest_send(vm, &stale, NULL, 0);
    assert_int_equal(vm_stop_queue(vm, 0), 1);
    (void)vm_stop_queue(vm, 1);
    (void)vm_stop_queue(vm, 2);
    late = client_connect(vm);
    client_write(late, "{", 1);
    vm_start_queues(vm);
    assert_true(client_at_end(client));
    (void)close(client);
    client = late;
    guest_expect(vm, VSOCK_REQUEST, &packet);
    guest_expect_nothing(vm);
    /* The old connection does not exist any more. */
    guest_send_data(vm, 5000, host_port, "old", 3);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_int_equal(packet.header.source_port, host_port);
    (void)close(client);
}

static void one_vm_after_the_other(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t host_port;

    for (int i = 0; i < 5; i++) {
        int client = client_open(vm, &host_port);

        guest_send_data(vm, 5000, host_port, "hello", 5);
        client_expect(client, "hello", 5);
        if (i % 2 == 0) {
            vm_disconnect(vm);
        } else {
            /* The next VM comes before the loop has seen that the last one has gone. */
            (void)close(vm->master);
        }
        vm_connect(vm);
        assert_true(client_at_end(client));
        vm_negotiate(vm);
        vm_set_memory(vm);
        vm_start_queues(vm);
        (void)close(client);
    }
}

static void indices_wrap(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t host_port;
    int client;

    (void)vm_stop_queue(vm, 0);
    (void)vm_stop_queue(vm, 1);
    (void)vm_stop_queue(vm, 2);
    vm->base = 65500;
    vm_start_queues(vm);
    client = client_open(vm, &host_port);
    stream_to_guest(vm, client, host_port, 1000000);
    for (int i = 0; i < 100; i++) {
        guest_send_data(vm, 5000, host_port, "wrap", 4);
        client_expect(client, "wrap", 4);
    }
    (void)close(client);
}

/* 128 connections, each with bytes both ways; then as many as there may be, and one more. */
static void many_connections(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    static int clients[CONNECTIONS_MAX + 1];
    static uint32_t ports[CONNECTIONS_MAX];
    char text[16];

    for (int i = 0; i < CONNECTIONS_MAX; i++)
        clients[i] = client_open(vm, &ports[i]);
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        int size = snprintf(text, sizeof text, "to %d", i);

        client_write(clients[i], text, (size_t)size);
    }
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        int size;

        guest_expect(vm, VSOCK_DATA, &packet);
        size = snprintf(text, sizeof text, "to %d", (int)(packet.header.source_port - ports[0]));
        assert_int_equal(packet.size, size);
        assert_memory_equal(packet.payload, text, (size_t)size);
        guest_send_data(vm, 5000, packet.header.source_port, text, (size_t)size);
    }
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        int size = snprintf(text, sizeof text, "to %d", i);

        client_expect(clients[i], text, (size_t)size);
    }
    clients[CONNECTIONS_MAX] = client_connect(vm);
    assert_true(client_at_end(clients[CONNECTIONS_MAX]));
    /* The guest's own connections count too. */
    guest_send_operation(vm, 900, 6000, VSOCK_REQUEST);
    guest_expect(vm, VSOCK_RESET, &packet);
    /* A client has left, though the guest has not said RST: there is room for another. */
    (void)close(clients[3]);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    (void)close(clients[CONNECTIONS_MAX]);
    clients[3] = client_connect(vm);
    client_write(clients[3], "{", 1);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_int_equal(packet.header.source_port, ports[3]);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        (void)close(clients[i]);
}

/* Any number of clients that say nothing: one that speaks is served, and the oldest of them makes room. */
static void silent_clients_keep_nobody_out(void **state)
{
    static int silent[2 * CONNECTIONS_MAX];
    struct fake_vm *vm = *state;
    struct packet packet;
    unsigned open = 0;
    int client;

    for (unsigned i = 0; i < 2 * CONNECTIONS_MAX; i++)
        silent[i] = client_connect(vm);
    client = client_connect(vm);
    client_write(client, "{", 1);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    guest_send_operation(vm, 5000, packet.header.source_port, VSOCK_RESPONSE);
    guest_expect(vm, VSOCK_DATA, &packet);
    for (unsigned i = 0; i < 2 * CONNECTIONS_MAX; i++) {
        open += client_quiet(silent[i]);
        (void)close(silent[i]);
    }
    assert_int_equal(open, CONNECTIONS_MAX - 1);
    expect_echo(vm);
    (void)close(client);
}

/* The clients beyond what the process may open wait in the listener, cost no time, and come when there is
 * room. */
static void clients_wait_for_descriptors(void **state)
{
    struct fake_vm *vm = *state;
    struct rlimit limit;
    struct rlimit tight;
    struct packet packet;
    uint32_t host_port;
    int first = client_open(vm, &host_port);
    int second = unix_client(vm->socket_path);
    int third = unix_client(vm->socket_path);

    client_write(second, "{", 1);
    client_write(third, "{", 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    tight = (struct rlimit){.rlim_cur = (rlim_t)third + 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    guest_expect_nothing(vm);
    assert_true(vm->bridge.clients_wait);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    /* Nothing happens on the listener: anything else is the occasion. */
    (void)close(first);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    assert_false(vm->bridge.clients_wait);
    (void)close(second);
    (void)close(third);
}

/* With one receive buffer at a time, connections that all have data are served in turns. */
static void turns_are_fair(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    uint8_t bytes[16384] = {0};
    unsigned packets[4] = {0};
    uint32_t ports[4];
    int clients[4];

    for (int i = 0; i < 4; i++)
        clients[i] = client_open(vm, &ports[i]);
    use_up_receive_buffers(vm, ports[0]);
    for (int i = 0; i < 4; i++)
        client_write(clients[i], bytes, sizeof bytes);
    guest_expect_nothing(vm);
    for (uint16_t i = 0; i < 12; i++) {
        guest_post_rx(vm, i);
        guest_expect(vm, VSOCK_DATA, &packet);
        packets[packet.header.source_port - ports[0]]++;
        guest_expect_nothing(vm);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(packets[i], 3);
        (void)close(clients[i]);
    }
}

static void the_guest_connects_to_the_host(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    char path[64];
    int listener = serve_port(vm, 6000, path, sizeof path);
    int server;

    guest_send_operation(vm, 1500, 6000, VSOCK_REQUEST);
    guest_expect(vm, VSOCK_RESPONSE, &packet);
    assert_int_equal(packet.header.source_port, 6000);
    assert_int_equal(packet.header.destination_port, 1500);
    server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    client_write(server, "welcome", 7);
    guest_expect(vm, VSOCK_DATA, &packet);
    assert_memory_equal(packet.payload, "welcome", 7);
    guest_send_data(vm, 1500, 6000, "thanks", 6);
    client_expect(server, "thanks", 6);
    /* A second request with the same ports ends it. */
    guest_send_operation(vm, 1500, 6000, VSOCK_REQUEST);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_true(client_at_end(server));
    (void)close(server);
    /* Nobody serves this one. */
    guest_send_operation(vm, 1501, 6001, VSOCK_REQUEST);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_int_equal(packet.header.source_port, 6001);
    assert_int_equal(packet.header.destination_port, 1501);
    (void)close(listener);
    (void)unlink(path);
}

static void the_response_comes_before_the_servers_data(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    char path[64];
    uint32_t host_port;
    int listener = serve_port(vm, 6000, path, sizeof path);
    int client = client_open(vm, &host_port);
    int server;

    use_up_receive_buffers(vm, host_port);
    guest_send_operation(vm, 1500, 6000, VSOCK_REQUEST);
    server = accept(listener, NULL, NULL);
    client_write(server, "at once", 7);
    guest_expect_nothing(vm);
    guest_post_rx(vm, 0);
    guest_expect(vm, VSOCK_RESPONSE, &packet);
    guest_post_rx(vm, 1);
    guest_expect(vm, VSOCK_DATA, &packet);
    (void)close(client);
    (void)close(server);
    (void)close(listener);
    (void)unlink(path);
}

static void a_server_that_closes_at_once_is_opened_and_shut_down(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    char path[64];
    int listener = serve_port(vm, 6000, path, sizeof path);

    guest_send_operation(vm, 1500, 6000, VSOCK_REQUEST);
    (void)close(accept(listener, NULL, NULL));
    guest_expect(vm, VSOCK_RESPONSE, &packet);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    assert_int_equal(packet.header.flags, VSOCK_NEITHER);
    (void)close(listener);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define READY(test) cmocka_unit_test_setup_teardown(test, setup_ready, teardown)
#define BASIC(test) cmocka_unit_test_setup_teardown(test, setup_ready_without_event_index, teardown)
#define NO_VM(test) cmocka_unit_test_setup_teardown(test, setup_bridge, teardown)
        READY(the_response_comes_before_the_servers_data),
        READY(the_vm_goes_in_the_middle_of_data),
        NO_VM(a_client_waits_for_the_vm),
        READY(a_vm_reset_at_index_0_is_a_reset),
        READY(host_ports_are_not_used_twice),
        READY(a_paused_vm_keeps_its_connections),
        READY(a_vm_reset_closes_connections_and_the_next_driver_serves),
        READY(one_vm_after_the_other),
        READY(indices_wrap),
        READY(many_connections),
        READY(silent_clients_keep_nobody_out),
        READY(clients_wait_for_descriptors),
        READY(turns_are_fair),
        BASIC(turns_are_fair),
        READY(the_guest_connects_to_the_host),
        READY(a_server_that_closes_at_once_is_opened_and_shut_down),
    };

    return cmocka_run_group_tests_name("vms", tests, NULL, NULL);
}
