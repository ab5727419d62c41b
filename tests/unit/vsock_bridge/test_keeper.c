/* SPDX-License-Identifier: MIT
 *
 * The keeper: servers that are killed, that end, that lie; and a bridge that takes over a VM from what was
 * kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake_vm.h"
#include "keeper_internal.h"
#include "log.h"

/* --- the keeper with servers of its own --- */

struct scene {
    char folder[32], path[48];
    struct unix_listener listeners[2];
    struct keeper keeper;
    unsigned *run; /* how many servers were started; shared with them */
};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    char path[64];
    sigset_t signals;

    assert_non_null(scene);
    log_set_level(LOG_LEVEL_ERROR);
    (void)snprintf(scene->folder, sizeof scene->folder, "/tmp/test_bridge.XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    (void)snprintf(scene->path, sizeof scene->path, "%s/vm.sock", scene->folder);
    assert_int_equal(sockets_listen_unix(&scene->listeners[0], scene->path), 0);
    (void)snprintf(path, sizeof path, "%s_1", scene->path);
    assert_int_equal(sockets_listen_unix(&scene->listeners[1], path), 0);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGCHLD);
    (void)sigaddset(&signals, SIGUSR1);
    assert_int_equal(sigprocmask(SIG_BLOCK, &signals, NULL), 0);
    scene->run = mmap(NULL, sizeof *scene->run, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(scene->run, MAP_FAILED);
    scene->keeper = (struct keeper){
        .socket_path = scene->path,
        .listeners = {&scene->listeners[0], &scene->listeners[1]},
        .signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK),
        .context = scene,
    };
    *state = scene;
    return 0;
}

static int teardown_scene(void **state)
{
    struct scene *scene = *state;

    sockets_close_unix(&scene->listeners[0]);
    sockets_close_unix(&scene->listeners[1]);
    (void)close(scene->keeper.signal_fd);
    (void)munmap(scene->run, sizeof *scene->run);
    assert_int_equal(rmdir(scene->folder), 0);
    free(scene);
    return 0;
}

/* What a server of a test finds wrong is its exit status; 0 is fine. */
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            return __LINE__ % 250 + 2;                                                                       \
    } while (0)

static _Noreturn void die(void)
{
    (void)kill(getpid(), SIGKILL);
    _exit(1);
}

static int keep_and_die(void *context, int channel, const struct kept *slots)
{
    struct scene *scene = context;
    const struct keeper_link link = {.socket_path = scene->path, .channel = channel};
    int ends[2];
    char byte = 0;

    switch ((*scene->run)++) {
    case 0:
        CHECK(slots[3].size == 0 && slots[3].descriptor_count == 0);
        CHECK(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
        keeper_keep(&link, 3, "first", 5, NULL, 0);
        keeper_keep(&link, 3, "second", 6, ends, 2);
        keeper_keep(&link, 4, "third", 5, ends, 1);
        keeper_keep(&link, 4, NULL, 0, NULL, 0);
        die();
    case 1:
        CHECK(slots[3].size == 6 && memcmp(slots[3].bytes, "second", 6) == 0);
        CHECK(slots[3].descriptor_count == 2 && read(slots[3].descriptors[0], &byte, 1) == 1 && byte == 'x');
        CHECK(slots[4].size == 0 && slots[4].descriptor_count == 0);
        die();
    default:
        return 1;
    }
}

static void what_is_kept_outlives_the_server(void **state)
{
    struct scene *scene = *state;
    unsigned descriptors = open_descriptors();

    scene->keeper.serve = keep_and_die;
    assert_int_equal(keeper_run(&scene->keeper), 1);
    assert_int_equal(*scene->run, 3);
    assert_int_equal(open_descriptors(), descriptors);
}

static int connect_by_port(void *context, int channel, const struct kept *slots)
{
    struct scene *scene = context;
    const struct keeper_link link = {.socket_path = scene->path, .channel = channel};
    int socket = keeper_connect(&link, 1);

    (void)slots;
    CHECK(socket >= 0 && write(socket, "x", 1) == 1);
    CHECK(keeper_connect(&link, 2) == -ENOENT);
    return 0;
}

static void the_keeper_connects_to_ports_alone(void **state)
{
    struct scene *scene = *state;
    int socket;
    char byte;

    scene->keeper.serve = connect_by_port;
    assert_int_equal(keeper_run(&scene->keeper), 0);
    socket = sockets_accept(scene->listeners[1].fd);
    assert_true(socket >= 0);
    assert_int_equal(read(socket, &byte, 1), 1);
    (void)close(socket);
}

/* Orders of a server that somebody has taken over. */
static int lie(void *context, int channel, const struct kept *slots)
{
    struct scene *scene = context;
    const struct keeper_link link = {.socket_path = scene->path, .channel = channel};
    struct keeper_order order = {.kind = KEEPER_KEEP, .argument = KEEPER_SLOTS, .size = 1};
    uint8_t large[4096] = {0};

    if ((*scene->run)++ == 1) {
        for (unsigned i = 0; i < KEEPER_SLOTS; i++)
            CHECK(slots[i].size == 0 && slots[i].descriptor_count == (i == 5));
        return 0;
    }
    CHECK(send(channel, &order, sizeof order, 0) == sizeof order); /* no such slot */
    order = (struct keeper_order){.kind = KEEPER_KEEP, .argument = 1, .size = KEEPER_BYTES_MAX + 1};
    CHECK(send(channel, &order, sizeof order, 0) == sizeof order);
    order = (struct keeper_order){.kind = KEEPER_KEEP, .argument = 1, .size = 1};
    CHECK(send(channel, &order, sizeof order - 1, 0) == sizeof order - 1);
    CHECK(send(channel, large, sizeof large, 0) == sizeof large);
    order.kind = 77;
    CHECK(send(channel, &order, sizeof order, 0) == sizeof order);
    for (int i = 0; i < 2000; i++) /* whatever comes with them is closed */
        keeper_keep(&link, i % 2 == 0 ? 5 : KEEPER_SLOTS, NULL, 0, (const int[]){0, 1, 2, 0, 1, 2, 0, 1}, 8);
    keeper_keep(&link, 5, NULL, 0, &channel, 1);
    die();
}

static void a_server_that_lies_gets_nothing(void **state)
{
    struct scene *scene = *state;
    unsigned descriptors = open_descriptors();

    scene->keeper.serve = lie;
    assert_int_equal(keeper_run(&scene->keeper), 0);
    assert_int_equal(*scene->run, 2);
    assert_int_equal(open_descriptors(), descriptors);
}

static int hang(void *context, int channel, const struct kept *slots)
{
    (void)context;
    (void)slots;
    (void)close(channel); /* which says nothing about the process */
    (void)kill(getppid(), SIGUSR1);
    while (pause() < 0)
        ;
    return 0;
}

static void a_signal_ends_the_keeper_and_its_server(void **state)
{
    struct scene *scene = *state;

    scene->keeper.serve = hang;
    assert_int_equal(keeper_run(&scene->keeper), 0);
    assert_int_equal(kill(scene->keeper.server, 0), -1);
    assert_int_equal(errno, ESRCH);
}

/* --- a bridge that takes over --- */

/* A VM whose driver is ready, at a bridge that keeps what it knows in `keeper`. */
static struct fake_vm *start_kept(struct test_keeper *keeper)
{
    struct fake_vm *vm;
    void *state;

    (void)setup_bridge(&state);
    vm = state;
    keeper_begin(vm, keeper);
    vm_connect(vm);
    vm_negotiate(vm);
    vm_set_memory(vm);
    vm_start_queues(vm);
    assert_true(vm->bridge.vm.running);
    return vm;
}

static void end_kept(struct fake_vm *vm, struct test_keeper *keeper)
{
    void *state = vm;

    keeper_end(vm, keeper);
    (void)teardown(&state);
}

static void a_bridge_takes_over_a_running_vm(void **state)
{
    static struct test_keeper kept;
    unsigned descriptors = open_descriptors();
    struct fake_vm *vm = start_kept(&kept);
    struct packet packet;
    uint32_t idle_port;
    uint32_t next_port;
    int idle = client_open(vm, &idle_port);
    int client;

    (void)state;
    expect_echo(vm);
    guest_send_data(vm, 5000, idle_port, "from before", 11);
    /* A packet that the bridge has not come to. */
    {
        struct vsock_header header = guest_header(5000, idle_port, VSOCK_CREDIT_UPDATE);

        guest_send(vm, &header, NULL, 0);
    }
    replace_bridge(vm, &kept);
    client_expect(idle, "from before", 11);
    assert_true(client_at_end(idle));
    (void)close(idle);
    assert_true(vm->bridge.vm.running);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_int_equal(packet.header.source_port, idle_port);
    assert_int_equal(packet.header.destination_port, 5000);
    guest_expect(vm, VSOCK_RESET, &packet); /* for that packet */
    guest_expect_nothing(vm);
    /* Not a port that the guest may still have packets for. */
    client = client_open(vm, &next_port);
    assert_true(next_port - idle_port > 2);
    expect_echo(vm);
    (void)close(client);
    assert_false(vm_hung_up(vm));
    end_kept(vm, &kept);
    assert_int_equal(open_descriptors(), descriptors);
}

/* A queue that stands still, as with a paused VM, stays so until QEMU starts it. */
static void a_paused_vm_is_not_started(void **state)
{
    static struct test_keeper kept;
    struct fake_vm *vm = start_kept(&kept);
    uint32_t bases[3];

    (void)state;
    expect_echo(vm);
    for (uint32_t i = 0; i < 3; i++)
        bases[i] = vm_stop_queue(vm, i);
    keeper_take_orders(&kept);
    replace_bridge(vm, &kept);
    pump(vm);
    assert_false(vm->bridge.vm.running);
    vm_resume_queues(vm, bases);
    assert_true(vm->bridge.vm.running);
    expect_echo(vm);
    end_kept(vm, &kept);
}

/* The guest slept when they were lost, and is told when it wakes; a client that came meanwhile is served. */
static void a_paused_guest_is_told_of_lost_connections(void **state)
{
    static struct test_keeper kept;
    struct fake_vm *vm = start_kept(&kept);
    struct packet packet;
    uint32_t bases[3];
    uint32_t port;
    int lost = client_open(vm, &port);
    int waiting;

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        bases[i] = vm_stop_queue(vm, i);
    keeper_take_orders(&kept);
    replace_bridge(vm, &kept);
    waiting = client_connect(vm);
    client_write(waiting, "{", 1);
    vm_resume_queues(vm, bases);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_int_equal(packet.header.source_port, port);
    assert_int_equal(packet.header.destination_port, 5000);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    assert_int_not_equal(packet.header.source_port, port);
    guest_expect_nothing(vm);
    (void)close(lost);
    (void)close(waiting);
    end_kept(vm, &kept);
}

/* What QEMU was refused is not what the next server believes. */
static void what_is_refused_is_not_kept(void **state)
{
    static struct test_keeper kept;
    struct fake_vm *vm = start_kept(&kept);
    const uint32_t size[2] = {0, 3}, enable[2] = {1, 2};
    const uint64_t features = UINT64_MAX;

    (void)state;
    assert_int_not_equal(vm_acknowledged(vm, REQUEST_SET_VRING_NUM, size, sizeof size, NULL, 0), 0);
    assert_int_not_equal(vm_acknowledged(vm, REQUEST_SET_VRING_ENABLE, enable, sizeof enable, NULL, 0), 0);
    assert_int_not_equal(vm_acknowledged(vm, REQUEST_SET_FEATURES, &features, sizeof features, NULL, 0), 0);
    keeper_take_orders(&kept);
    replace_bridge(vm, &kept);
    assert_true(vm->bridge.vm.running);
    expect_echo(vm);
    end_kept(vm, &kept);
}

static void a_vm_that_has_gone_is_forgotten(void **state)
{
    static struct test_keeper kept;
    struct fake_vm *vm = start_kept(&kept);

    (void)state;
    vm_send(vm, REQUEST_RESET_DEVICE, 0, NULL, 0, NULL, 0);
    keeper_take_orders(&kept);
    for (unsigned i = 4; i < KEEPER_SLOTS; i++)
        assert_int_equal(kept.keeper.slots[i].size, 0);
    assert_int_equal(kept.keeper.slots[0].descriptor_count, 1);
    vm_disconnect(vm);
    keeper_take_orders(&kept);
    for (unsigned i = 0; i < KEEPER_SLOTS; i++)
        assert_true(kept.keeper.slots[i].size == 0 && kept.keeper.slots[i].descriptor_count == 0);
    replace_bridge(vm, &kept);
    assert_int_equal(vm->bridge.vm.watch.fd, -1);
    vm_connect(vm);
    vm_negotiate(vm);
    vm_set_memory(vm);
    vm_start_queues(vm);
    expect_echo(vm);
    keeper_take_orders(&kept);
    end_kept(vm, &kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown_scene)
        SCENE(what_is_kept_outlives_the_server),
        SCENE(the_keeper_connects_to_ports_alone),
        SCENE(a_server_that_lies_gets_nothing),
        SCENE(a_signal_ends_the_keeper_and_its_server),
        cmocka_unit_test(a_bridge_takes_over_a_running_vm),
        cmocka_unit_test(a_paused_vm_is_not_started),
        cmocka_unit_test(a_paused_guest_is_told_of_lost_connections),
        cmocka_unit_test(what_is_refused_is_not_kept),
        cmocka_unit_test(a_vm_that_has_gone_is_forgotten),
    };

    return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
