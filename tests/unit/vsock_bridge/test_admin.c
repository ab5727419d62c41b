/* SPDX-License-Identifier: MIT
 *
 * Administrators: the guest sees the clients of the second socket at ports below 1024, and those alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fake_vm.h"
#include "log.h"

static char admin_path[64];

/* A VM whose driver is ready, at a bridge with both sockets. */
static int setup(void **state)
{
    struct fake_vm *vm;

    (void)setup_bridge(state);
    vm = *state;
    bridge_close(&vm->bridge);
    (void)snprintf(admin_path, sizeof admin_path, "%s/admin.sock", vm->folder);
    vm->options.admin_path = admin_path;
    assert_int_equal(bridge_open(&vm->bridge, &vm->options), 0);
    vm_connect(vm);
    vm_negotiate(vm);
    vm_set_memory(vm);
    vm_start_queues(vm);
    return 0;
}

/* A client that says `hello`; returns it and the port at which the guest sees it. */
static int begin(struct fake_vm *vm, const char *path, const char *hello, uint32_t guest_port, uint32_t *port)
{
    struct packet packet;
    int client = unix_client(path);

    client_write(client, hello, strlen(hello));
    guest_expect(vm, VSOCK_REQUEST, &packet);
    assert_int_equal(packet.header.destination_port, guest_port);
    *port = packet.header.source_port;
    return client;
}

static bool is_admin_port(uint32_t port)
{
    return port >= 1 && port <= 1023;
}

static void the_socket_decides_about_the_port(void **state)
{
    static const struct {
        const char *hello;
        uint32_t guest_port;
    } ways[] = {{"{", 5000}, {"CONNECT 5000\n", 5000}, {"CONNECT 6000\n", 6000}};
    struct fake_vm *vm = *state;

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        uint32_t port;
        int client = begin(vm, vm->socket_path, ways[i].hello, ways[i].guest_port, &port);
        uint32_t admin_port;
        int admin = begin(vm, admin_path, ways[i].hello, ways[i].guest_port, &admin_port);

        assert_in_range(port, HOST_PORT_FIRST, HOST_PORT_LAST);
        assert_true(is_admin_port(admin_port));
        (void)close(client);
        (void)close(admin);
    }
}

static void the_handshake_says_which_port(void **state)
{
    struct fake_vm *vm = *state;
    char line[32];
    uint32_t port;
    int admin = begin(vm, admin_path, "CONNECT 5000\n", 5000, &port);
    int size = snprintf(line, sizeof line, "OK %u\n", port);

    guest_send_operation(vm, 5000, port, VSOCK_RESPONSE);
    client_expect(admin, line, (size_t)size);
    guest_send_data(vm, 5000, port, "hello", 5);
    client_expect(admin, "hello", 5);
    (void)close(admin);
}

/* The numbers come round, and pass by one that is in use. */
static void a_port_in_use_is_not_given_again(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t kept;
    int admin = begin(vm, admin_path, "CONNECT 5000\n", 5000, &kept);
    unsigned rounds = 0;

    guest_send_operation(vm, 5000, kept, VSOCK_RESPONSE);
    for (unsigned i = 0; i < 2 * ADMIN_PORT_LAST; i++) {
        uint32_t port;
        int other = begin(vm, admin_path, "{", 5000, &port);

        assert_true(is_admin_port(port));
        assert_int_not_equal(port, kept);
        rounds += port == kept + 1;
        guest_send_operation(vm, 5000, port, VSOCK_RESET);
        (void)close(other);
    }
    assert_true(rounds >= 2);
    assert_int_equal(vm->bridge.device.connections[0].host_port, kept);
    (void)close(admin);
}

static void one_too_many_is_refused(void **state)
{
    struct fake_vm *vm = *state;
    static bool given[ADMIN_PORT_LAST + 1];
    static int clients[CONNECTIONS_MAX];
    int extra;

    memset(given, 0, sizeof given);
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        uint32_t port;

        clients[i] = begin(vm, admin_path, "CONNECT 5000\n", 5000, &port);
        assert_true(is_admin_port(port) && !given[port]);
        given[port] = true;
        guest_send_operation(vm, 5000, port, VSOCK_RESPONSE);
    }
    extra = unix_client(admin_path);
    pump(vm);
    assert_true(client_at_end(extra));
    (void)close(extra);
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        (void)close(clients[i]);
}

static void a_flood_of_others_leaves_room_for_administrators(void **state)
{
    struct fake_vm *vm = *state;
    static int clients[CONNECTIONS_MAX];
    unsigned count = 0;
    uint32_t port;
    int client;

    while (count < CONNECTIONS_MAX - ADMIN_RESERVE) {
        clients[count++] = begin(vm, vm->socket_path, "CONNECT 5000\n", 5000, &port);
        guest_send_operation(vm, 5000, port, VSOCK_RESPONSE);
    }
    client = unix_client(vm->socket_path);
    pump(vm);
    assert_true(client_at_end(client));
    (void)close(client);
    /* One who says nothing does not lose the place to those others. */
    clients[count++] = unix_client(admin_path);
    pump(vm);
    client = unix_client(vm->socket_path);
    pump(vm);
    assert_true(client_at_end(client) && client_quiet(clients[count - 1]));
    (void)close(client);
    while (count < CONNECTIONS_MAX) {
        clients[count++] = begin(vm, admin_path, "CONNECT 5000\n", 5000, &port);
        assert_true(is_admin_port(port));
        guest_send_operation(vm, 5000, port, VSOCK_RESPONSE);
    }
    while (count > 0)
        (void)close(clients[--count]);
}

static void both_outlive_the_server(void **state)
{
    static struct test_keeper kept;
    struct fake_vm *vm = *state;
    struct packet packet;
    uint32_t port;
    int admin;

    /* The keeper has to know the VM from its beginning. */
    vm_disconnect(vm);
    keeper_begin(vm, &kept);
    vm_connect(vm);
    vm_negotiate(vm);
    vm_set_memory(vm);
    vm_start_queues(vm);
    for (unsigned i = 0; i < 20; i++) {
        uint32_t lost;

        admin = begin(vm, admin_path, "CONNECT 5000\n", 5000, &lost);
        replace_bridge(vm, &kept);
        assert_true(client_at_end(admin));
        (void)close(admin);
        guest_expect(vm, VSOCK_RESET, &packet);
        assert_int_equal(packet.header.source_port, lost);
        admin = begin(vm, admin_path, "CONNECT 5000\n", 5000, &port);
        assert_true(is_admin_port(port));
        guest_send_operation(vm, 5000, port, VSOCK_RESET);
        (void)close(admin);
        admin = begin(vm, vm->socket_path, "CONNECT 5000\n", 5000, &port);
        assert_in_range(port, HOST_PORT_FIRST, HOST_PORT_LAST);
        guest_send_operation(vm, 5000, port, VSOCK_RESET);
        (void)close(admin);
    }
    keeper_end(vm, &kept);
}

/* Who waits for a descriptor at one socket comes, though nobody waits at the other. */
static void who_waits_at_one_socket_is_not_forgotten(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    struct rlimit limit;
    struct rlimit tight;
    int client = unix_client(vm->socket_path);
    int admin;

    client_write(client, "{", 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    tight = (struct rlimit){.rlim_cur = (rlim_t)client + 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    guest_expect_nothing(vm);
    assert_true(vm->bridge.clients_wait);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    admin = unix_client(admin_path);
    client_write(admin, "{", 1);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    assert_false(vm->bridge.clients_wait);
    (void)close(client);
    (void)close(admin);
}

static void its_file_goes_with_the_bridge(void **state)
{
    struct fake_vm *vm = *state;

    assert_int_equal(access(admin_path, F_OK), 0);
    bridge_close(&vm->bridge);
    assert_int_equal(access(admin_path, F_OK), -1);
    /* A path that cannot be had leaves nothing of the other two. */
    vm->options.admin_path = "/nowhere/admin.sock";
    log_set_level(LOG_LEVEL_ERROR);
    assert_true(bridge_open(&vm->bridge, &vm->options) < 0);
    assert_int_equal(access(vm->socket_path, F_OK), -1);
    assert_int_equal(access(vm->vhost_path, F_OK), -1);
    vm->options.admin_path = NULL;
    assert_int_equal(bridge_open(&vm->bridge, &vm->options), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define READY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        READY(the_socket_decides_about_the_port), READY(the_handshake_says_which_port),
        READY(a_port_in_use_is_not_given_again),  READY(one_too_many_is_refused),
        READY(both_outlive_the_server),           READY(who_waits_at_one_socket_is_not_forgotten),
        READY(its_file_goes_with_the_bridge),     READY(a_flood_of_others_leaves_room_for_administrators),
    };

    return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
