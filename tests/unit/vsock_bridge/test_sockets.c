/* SPDX-License-Identifier: MIT
 *
 * Listening sockets: modes, stale ones, those of others, loopback only, and a bridge that cannot open one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bridge.h"
#include "log.h"
#include "sockets.h"

static char folder[] = "/tmp/test_bridge.XXXXXX";
static char path[64];
static char other_path[64];

static int setup(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    memset(folder + sizeof folder - 7, 'X', 6);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    (void)snprintf(other_path, sizeof other_path, "%s/other", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

static void the_mode_is_0600_whatever_the_umask(void **state)
{
    struct unix_listener listener;
    struct stat status;
    mode_t mask = umask(0);

    (void)state;
    assert_int_equal(sockets_listen_unix(&listener, path), 0);
    assert_int_equal(umask(mask), 0); /* put back */
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_true((fcntl(listener.fd, F_GETFD) & FD_CLOEXEC) != 0);
    sockets_close_unix(&listener);
    assert_int_equal(stat(path, &status), -1);
    sockets_close_unix(&listener); /* once more: nothing happens */
}

static void a_stale_socket_is_replaced_and_a_served_one_is_not(void **state)
{
    struct unix_listener first;
    struct unix_listener second;

    (void)state;
    assert_int_equal(sockets_listen_unix(&first, path), 0);
    assert_int_equal(sockets_listen_unix(&second, path), -EADDRINUSE);
    assert_int_equal(second.fd, -1);
    (void)close(first.fd); /* as if its process had died */
    assert_int_equal(sockets_listen_unix(&second, path), 0);
    sockets_close_unix(&second);
}

/* Two that find the same stale socket at the same time: one looks and binds, and only then the other. */
static void the_folder_is_locked_meanwhile(void **state)
{
    struct unix_listener listener;
    int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status;
    pid_t other;

    (void)state;
    assert_int_equal(flock(lock, LOCK_EX), 0);
    other = fork();
    assert_true(other >= 0);
    if (other == 0) {
        const struct timespec pause = {.tv_nsec = 100000000};

        (void)nanosleep(&pause, NULL);
        status = access(path, F_OK) == 0;
        (void)flock(lock, LOCK_UN); /* of the open file, which both have */
        _exit(status);
    }
    assert_int_equal(sockets_listen_unix(&listener, path), 0);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    (void)close(lock);
    sockets_close_unix(&listener);
}

static void other_files_are_not_replaced(void **state)
{
    struct unix_listener listener;
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    struct stat status;

    (void)state;
    assert_true(file >= 0);
    (void)close(file);
    assert_int_equal(sockets_listen_unix(&listener, path), -EEXIST);
    assert_int_equal(stat(path, &status), 0);
    (void)unlink(path);
    assert_int_equal(symlink("/nowhere", path), 0);
    assert_int_equal(sockets_listen_unix(&listener, path), -EEXIST);
    (void)unlink(path);
}

static void only_the_own_socket_is_removed(void **state)
{
    struct unix_listener listener;
    struct stat status;
    int file;

    (void)state;
    assert_int_equal(sockets_listen_unix(&listener, path), 0);
    (void)unlink(path);
    file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    (void)close(file);
    sockets_close_unix(&listener);
    assert_int_equal(stat(path, &status), 0);
    (void)unlink(path);
}

static void bad_paths(void **state)
{
    struct unix_listener listener;
    char long_path[200];

    (void)state;
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(sockets_listen_unix(&listener, long_path), -ENAMETOOLONG);
    assert_int_equal(sockets_listen_unix(&listener, ""), -ENAMETOOLONG);
    assert_int_equal(sockets_listen_unix(&listener, "/nowhere/at/all"), -ENOENT);
    assert_int_equal(sockets_connect_port(long_path, 1), -ENAMETOOLONG);
    assert_int_equal(sockets_connect_port(path, 1), -ENOENT);
}

static void tcp_is_for_loopback_addresses(void **state)
{
    static const char *const malformed[] = {
        "5000",           ":5000", "127.0.0.1", "127.0.0.1:", "localhost",        "localhost:5000",
        "127.0.0.1:port", "::1",   "[]:5000",   "[::1:5000",  "127.0.0.1.1:5000", ""};
    static const char *const foreign[] = {"0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:127.0.0.1]:0",
                                          "128.0.0.1:0"};
    char address[32];
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    int listener;

    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        assert_int_equal(sockets_listen_tcp(malformed[i]), -EINVAL);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        assert_int_equal(sockets_listen_tcp(foreign[i]), -EPERM);
    listener = sockets_listen_tcp("127.0.0.1:0");
    assert_true(listener >= 0);
    assert_int_equal(sockets_accept(listener), -EAGAIN);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &length), 0);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(name.sin_port));
    assert_int_equal(sockets_listen_tcp(address), -EADDRINUSE);
    (void)close(listener);
}

static struct bridge bridge;

static void a_bridge_serves_tcp_clients_too(void **state)
{
    const struct bridge_options options = {.vhost_path = path,
                                           .socket_path = other_path,
                                           .tcp_address = "127.0.0.1:0",
                                           .guest_cid = 3,
                                           .direct_port = 5000};
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_int_equal(bridge_open(&bridge, &options), 0);
    assert_int_equal(getsockname(bridge.tcp_watch.fd, (struct sockaddr *)&name, &length), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(send(client, "{", 1, 0), 1);
    for (int i = 0; i < 1000 && bridge.device.connections[0].state != CONNECTION_WAITING; i++)
        assert_int_equal(bridge_step(&bridge, 1), 0);
    assert_int_equal(bridge.device.connections[0].state, CONNECTION_WAITING);
    assert_int_equal(bridge.device.connections[0].guest_port, 5000);
    (void)close(client);
    bridge_close(&bridge);
}

static void a_signal_ends_a_bridge(void **state)
{
    const struct bridge_options options = {
        .vhost_path = path, .socket_path = other_path, .guest_cid = 3, .direct_port = 5000};
    sigset_t signals;

    (void)state;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    assert_int_equal(bridge_open(&bridge, &options), 0);
    assert_int_equal(bridge_end_with(&bridge, signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC)), 0);
    assert_int_equal(bridge_step(&bridge, 0), 0);
    assert_false(bridge.ended);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(bridge_step(&bridge, 0), 0);
    assert_true(bridge.ended);
    bridge_close(&bridge);
}

static void a_bridge_that_cannot_open_leaves_nothing(void **state)
{
    struct bridge_options options = {.vhost_path = "/nowhere/vhost", .socket_path = path};

    (void)state;
    assert_int_equal(bridge_open(&bridge, &options), -ENOENT);
    options = (struct bridge_options){.vhost_path = path, .socket_path = "/nowhere/vm.sock"};
    assert_int_equal(bridge_open(&bridge, &options), -ENOENT);
    options =
        (struct bridge_options){.vhost_path = path, .socket_path = other_path, .tcp_address = "0.0.0.0:0"};
    assert_int_equal(bridge_open(&bridge, &options), -EPERM);
    /* The teardown removes the folder, which must be empty. */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        IN_FOLDER(the_mode_is_0600_whatever_the_umask),
        IN_FOLDER(a_stale_socket_is_replaced_and_a_served_one_is_not),
        IN_FOLDER(the_folder_is_locked_meanwhile),
        IN_FOLDER(other_files_are_not_replaced),
        IN_FOLDER(only_the_own_socket_is_removed),
        IN_FOLDER(bad_paths),
        IN_FOLDER(tcp_is_for_loopback_addresses),
        IN_FOLDER(a_bridge_serves_tcp_clients_too),
        IN_FOLDER(a_signal_ends_a_bridge),
        IN_FOLDER(a_bridge_that_cannot_open_leaves_nothing),
    };

    return cmocka_run_group_tests_name("sockets", tests, NULL, NULL);
}
