/* SPDX-License-Identifier: MIT
 *
 * What the sandbox forbids. Each attempt is made twice by a child of its own: without the sandbox the child
 * lives, so that it is the sandbox which ends it; inside, SIGSYS does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"
#include "sockets.h"

/* Bare system calls: a C library's wrapper may make others on the way. Results do not matter. */

static void execute(void)
{
    char *const arguments[] = {"/nonexistent/program", NULL};

    (void)syscall(SYS_execve, arguments[0], arguments, NULL);
}

static void make_process(void)
{
    if (syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) == 0)
        (void)syscall(SYS_exit_group, 0);
}

static void make_namespace(void)
{
    if (syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL) == 0)
        (void)syscall(SYS_exit_group, 0);
}

static void open_file(void)
{
    (void)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY, 0);
}

static void make_inet_socket(void)
{
    (void)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void make_unix_socket(void)
{
    (void)syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static void connect_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nonexistent"};

    (void)syscall(SYS_connect, -1, &address, sizeof address);
}

static void bind_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};

    (void)syscall(SYS_bind, -1, &address, sizeof address);
}

static void send_to_an_address(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nonexistent"};

    (void)syscall(SYS_sendto, -1, "x", 1, 0, &address, sizeof address);
}

/* What connects without connect(). */
static void send_to_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = 1};
    struct msghdr message = {.msg_name = &address, .msg_namelen = sizeof address};
    (void)sendmsg(-1, &message, MSG_FASTOPEN | MSG_NOSIGNAL);
}

static void trace(void)
{
    (void)syscall(SYS_ptrace, PTRACE_PEEKDATA, getpid(), NULL, NULL);
}

static void send_signal(void)
{
    (void)syscall(SYS_kill, 1, 0);
}

static void write_to_a_process(void)
{
    (void)syscall(SYS_process_vm_writev, getpid(), NULL, 0, NULL, 0, 0);
}

static void map_code(void)
{
    (void)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void make_code(void)
{
    (void)syscall(SYS_mprotect, NULL, 0, PROT_READ | PROT_EXEC);
}

static void type_into_a_terminal(void)
{
    (void)syscall(SYS_ioctl, -1, TIOCSTI, "x");
}

static void look_at_a_file(void)
{
    struct stat status;

    (void)syscall(SYS_newfstatat, AT_FDCWD, "/dev/null", &status, 0);
}

static void remove_file(void)
{
    (void)syscall(SYS_unlink, "/nonexistent/file");
}

static void rename_file(void)
{
    (void)syscall(SYS_renameat2, AT_FDCWD, "/nonexistent/a", AT_FDCWD, "/nonexistent/b", 0);
}

static void share_a_port(void)
{
    const int one = 1;

    (void)syscall(SYS_setsockopt, -1, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
}

static void duplicate(void)
{
    (void)syscall(SYS_fcntl, 2, F_DUPFD, 100);
}

static void load_filter(void)
{
    (void)syscall(SYS_bpf, 0, NULL, 0);
}

static void accept_a_client(void)
{
    (void)syscall(SYS_accept4, -1, NULL, NULL, 0);
}

/* What the parts are for. */
static void serve(void)
{
    const uint64_t one = 1;
    const int on = 1;
    struct msghdr message = {0};
    void *memory;

    (void)syscall(SYS_accept4, -1, NULL, NULL, 0);
    (void)setsockopt(-1, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)recvmsg(-1, &message, 0);
    (void)sendmsg(-1, &message, 0);
    (void)!write(-1, &one, sizeof one);
    memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)munmap(memory, 4096);
    memory = malloc(1 << 20);
    free(memory);
    log_error("a line of the log");
}

static void keep(void)
{
    struct unix_listener listener = {.fd = -1, .path = "/nonexistent/socket", .inode = 1};

    (void)sockets_connect_port("/nonexistent/socket", 1);
    sockets_remove_unix(&listener);
    log_error("a line of the log");
}

/* How a child ends that makes the attempt, inside or outside: 0, or the signal. */
static int outcome(void (*attempt)(void), bool inside, enum sandbox_part part)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        if (inside && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || sandbox_limit_calls(part) != 0))
            _exit(1);
        attempt();
        (void)syscall(SYS_exit_group, 0); /* barely: sanitizers intercept _exit */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) {
        assert_int_equal(WEXITSTATUS(status), 0);
        return 0;
    }
    return WTERMSIG(status);
}

static const struct attempt {
    const char *name;
    void (*make)(void);
    int server, keeper; /* the signal that ends it there */
} attempts[] = {
    {"execve", execute, SIGSYS, SIGSYS},
    {"clone", make_process, SIGSYS, 0},
    {"clone(CLONE_NEWUSER)", make_namespace, SIGSYS, SIGSYS},
    {"openat", open_file, SIGSYS, SIGSYS},
    {"socket(AF_INET)", make_inet_socket, SIGSYS, SIGSYS},
    {"socket(AF_UNIX)", make_unix_socket, SIGSYS, 0},
    {"connect", connect_socket, SIGSYS, 0},
    {"bind", bind_socket, SIGSYS, SIGSYS},
    {"sendto an address", send_to_an_address, SIGSYS, SIGSYS},
    {"sendmsg(MSG_FASTOPEN)", send_to_open, SIGSYS, SIGSYS},
    {"ptrace", trace, SIGSYS, SIGSYS},
    {"kill", send_signal, SIGSYS, SIGSYS},
    {"process_vm_writev", write_to_a_process, SIGSYS, SIGSYS},
    {"mmap(PROT_EXEC)", map_code, SIGSYS, SIGSYS},
    {"mprotect", make_code, SIGSYS, SIGSYS},
    {"ioctl", type_into_a_terminal, SIGSYS, SIGSYS},
    {"stat", look_at_a_file, SIGSYS, SIGSYS},
    {"unlink", remove_file, SIGSYS, 0},
    {"renameat2", rename_file, SIGSYS, SIGSYS},
    {"setsockopt", share_a_port, SIGSYS, SIGSYS},
    {"fcntl(F_DUPFD)", duplicate, SIGSYS, SIGSYS},
    {"bpf", load_filter, SIGSYS, SIGSYS},
    {"accept4", accept_a_client, 0, 0},
    {"serving", serve, 0, 0},
    {"keeping", keep, SIGSYS, 0},
};

static void forbidden_calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        int free = outcome(attempts[i].make, false, SANDBOX_SERVER);
        int server = outcome(attempts[i].make, true, SANDBOX_SERVER);
        int keeper = outcome(attempts[i].make, true, SANDBOX_KEEPER);

        if (free != 0 || server != attempts[i].server || keeper != attempts[i].keeper)
            fail_msg("%s: signal %d outside, %d in the server, %d in the keeper", attempts[i].name, free,
                     server, keeper);
    }
}

static void write_file(const char *folder, const char *name)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
}

/* The Landlock half alone: files vanish, except that one may be removed beside the sockets. */
static void hidden_files(void **state)
{
    char own[] = "/tmp/test_bridge.XXXXXX";
    char other[] = "/tmp/test_bridge.XXXXXX";
    char socket_path[64], stale[64], foreign[64];
    const char *const paths[] = {socket_path, NULL};
    int status;
    pid_t child;

    (void)state;
    assert_non_null(mkdtemp(own));
    assert_non_null(mkdtemp(other));
    write_file(own, "stale");
    write_file(other, "foreign");
    (void)snprintf(socket_path, sizeof socket_path, "%s/vm.sock", own);
    (void)snprintf(stale, sizeof stale, "%s/stale", own);
    (void)snprintf(foreign, sizeof foreign, "%s/foreign", other);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int failed = 0;
        int result = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? sandbox_hide_files(paths) : -errno;

        if (result == -ENOSYS || result == -EOPNOTSUPP)
            _exit(77);
        failed |= result != 0 ? 1 : 0;
        failed |= open(foreign, O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES ? 2 : 0;
        failed |= open(stale, O_WRONLY | O_CLOEXEC) >= 0 || errno != EACCES ? 4 : 0;
        failed |= mkdir("/tmp/test_bridge.made", 0700) == 0 || errno != EACCES ? 8 : 0;
        failed |= unlink(foreign) == 0 || errno != EACCES ? 16 : 0;
        failed |= unlink(stale) != 0 ? 32 : 0;
        _exit(failed);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    (void)unlink(stale);
    assert_int_equal(unlink(foreign), 0);
    assert_int_equal(rmdir(own), 0);
    assert_int_equal(rmdir(other), 0);
    if (WEXITSTATUS(status) == 77) {
        print_message("skipped: this kernel has no Landlock\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void folders_that_are_not_there(void **state)
{
    static const char *const missing[] = {"/nonexistent/vm.sock", NULL};
    char too_long[256];
    const char *const longer[] = {too_long, NULL};
    int result;

    (void)state;
    memset(too_long, 'x', sizeof too_long);
    too_long[0] = too_long[sizeof too_long - 2] = '/';
    too_long[sizeof too_long - 1] = '\0';
    result = sandbox_hide_files(missing);
    if (result == -ENOSYS || result == -EOPNOTSUPP) {
        print_message("skipped: this kernel has no Landlock\n");
        skip();
    }
    assert_int_equal(result, -ENOENT);
    assert_int_equal(sandbox_hide_files(longer), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forbidden_calls),
        cmocka_unit_test(hidden_files),
        cmocka_unit_test(folders_that_are_not_there),
    };

    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
