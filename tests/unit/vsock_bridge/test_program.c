/* SPDX-License-Identifier: MIT
 *
 * The program itself: options, exit codes, signals, and that nothing is left behind. Its path is the
 * argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char *program;
static char folder[] = "/tmp/test_bridge.XXXXXX";
static char vhost_path[64];
static char socket_path[64];
static char output[8192];

struct child {
    pid_t id;
    int errors; /* its standard output and error */
};

static struct child start(char *const arguments[])
{
    posix_spawn_file_actions_t actions;
    struct child child;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], 1), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], 2), 0);
    assert_int_equal(posix_spawn(&child.id, program, &actions, NULL, arguments, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    child.errors = ends[0];
    return child;
}

/* Waits for the end; what it wrote is in `output`. Returns the exit status. */
static int finish(struct child child)
{
    size_t used = 0;
    ssize_t size;
    int status;

    while ((size = read(child.errors, output + used, sizeof output - 1 - used)) > 0)
        used += (size_t)size;
    output[used] = '\0';
    (void)close(child.errors);
    assert_int_equal(waitpid(child.id, &status, 0), child.id);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Reads up to the line that says that the sockets are there. */
static void wait_until_it_serves(struct child child)
{
    char text[1024] = {0};

    for (size_t i = 0; strstr(text, " serves ") == NULL || text[i - 1] != '\n'; i++) {
        assert_true(i < sizeof text - 1);
        assert_int_equal(read(child.errors, text + i, 1), 1);
    }
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int setup(void **state)
{
    (void)state;
    memset(folder + sizeof folder - 7, 'X', 6);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(vhost_path, sizeof vhost_path, "%s/vhost", folder);
    (void)snprintf(socket_path, sizeof socket_path, "%s/vm.sock", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(rmdir(folder), 0); /* fails when something was left behind */
    return 0;
}

static void help_and_version(void **state)
{
    char *help[] = {program, "--help", NULL};
    char *version[] = {program, "--version", NULL};

    (void)state;
    assert_int_equal(finish(start(help)), 0);
    assert_non_null(strstr(output, "--guest-cid"));
    assert_int_equal(finish(start(version)), 0);
    assert_string_equal(output, "vsock-bridge " MK_VERSION "\n");
}

static void wrong_options(void **state)
{
    char long_path[] =
        "/tmp/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "890123456789";
    char *lines[][6] = {
        {program, NULL},
        {program, "--vhost", NULL},
        {program, "--vhost", vhost_path, "--what", NULL},
        {program, "--vhost", vhost_path, "stray", NULL},
        {program, "--vhost", vhost_path, "--port", "-1", NULL},
        {program, "--vhost", vhost_path, "--port", "5000x", NULL},
        {program, "--vhost", vhost_path, "--port", "", NULL},
        {program, "--vhost", vhost_path, "--port", "4294967295", NULL},
        {program, "--vhost", vhost_path, "--port", "99999999999999999999", NULL},
        {program, "--vhost", vhost_path, "--guest-cid", "2", NULL},
        {program, "--vhost", vhost_path, "--log", "loud", NULL},
        {program, "--vhost", vhost_path, "--socket", vhost_path, NULL},
        {program, "--vhost", vhost_path, "--socket", long_path, NULL},
        {program, "--vhost", vhost_path, "--admin-socket", vhost_path, NULL},
        {program, "--vhost", vhost_path, "--admin-socket", "/tmp/vm.sock", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(finish(start(lines[i])), 2);
        assert_true(strlen(output) > 0);
    }
}

static void a_socket_that_cannot_be_served(void **state)
{
    char *first[] = {program, "--vhost", vhost_path, "--socket", socket_path, NULL};
    char *foreign[] = {program, "--vhost", vhost_path, "--socket", socket_path, "--tcp", "0.0.0.0:0", NULL};
    struct child child;

    (void)state;
    assert_int_equal(finish(start(foreign)), 3);
    assert_non_null(strstr(output, "loopback"));
    child = start(first);
    wait_until_it_serves(child);
    assert_int_equal(finish(start(first)), 3);
    assert_non_null(strstr(output, "another process serves it"));
    assert_int_equal(kill(child.id, SIGTERM), 0);
    assert_int_equal(finish(child), 0);
}

static void signals_end_it(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    char *arguments[] = {program, "--vhost", vhost_path, "--socket", socket_path, "--log", "debug", NULL};

    (void)state;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct child child = start(arguments);
        int client;

        wait_until_it_serves(child);
        client = connect_to(socket_path);
        assert_int_equal(kill(child.id, signals[i]), 0);
        assert_int_equal(finish(child), 0);
        (void)close(client);
    }
}

/* From before the first socket is there to after the last: nothing is left behind. */
static void a_signal_at_any_moment(void **state)
{
    char *arguments[] = {program, "--vhost", vhost_path, "--socket", socket_path, NULL};

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        struct child child = start(arguments);
        int status;

        (void)usleep(i * 100);
        assert_int_equal(kill(child.id, SIGTERM), 0);
        (void)close(child.errors); /* and its log is a broken pipe */
        assert_int_equal(waitpid(child.id, &status, 0), child.id);
        assert_true(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGTERM);
        assert_int_equal(access(vhost_path, F_OK), -1);
        assert_int_equal(access(socket_path, F_OK), -1);
    }
}

/* The number behind a name in /proc/PID/status. */
static int process_status(pid_t process, const char *name)
{
    char path[64];
    char line[256];
    int value = -1;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/status", process);
    file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            value = (int)strtol(line + strlen(name), NULL, 10);
    }
    (void)fclose(file);
    return value;
}

static pid_t child_of(pid_t process)
{
    char path[64];
    char line[64] = {0};
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", process, process);
    file = fopen(path, "re");
    assert_non_null(file);
    (void)!fgets(line, sizeof line, file);
    (void)fclose(file);
    return (pid_t)strtol(line, NULL, 10);
}

static void both_processes_have_few_rights(void **state)
{
    char *confined[] = {program, "--vhost", vhost_path, "--socket", socket_path, NULL};
    char *free[] = {program, "--vhost", vhost_path, "--socket", socket_path, "--no-sandbox", NULL};
    struct child child;

    (void)state;
    child = start(free);
    wait_until_it_serves(child);
    assert_int_equal(process_status(child.id, "Seccomp:"), process_status(getpid(), "Seccomp:"));
    assert_int_equal(kill(child.id, SIGTERM), 0);
    assert_int_equal(finish(child), 0);
#ifdef MK_INSTRUMENTED
    print_message("skipped: an instrumented build has no sandbox\n");
    skip();
#endif
    child = start(confined);
    wait_until_it_serves(child);
    assert_int_equal(process_status(child.id, "Seccomp:"), 2);
    assert_int_equal(process_status(child.id, "NoNewPrivs:"), 1);
    assert_int_equal(process_status(child_of(child.id), "Seccomp:"), 2);
    /* One of its own beside the keeper's; older kernels do not say. */
    if (process_status(child.id, "Seccomp_filters:") > 0)
        assert_int_equal(process_status(child_of(child.id), "Seccomp_filters:"),
                         process_status(child.id, "Seccomp_filters:") + 1);
    assert_int_equal(process_status(child_of(child.id), "NoNewPrivs:"), 1);
    assert_int_equal(kill(child.id, SIGTERM), 0);
    assert_int_equal(finish(child), 0);
}

/* Its socket is the keeper's: it is there when the server is not, and its file, in a folder of its own, is
 * removed in the end. */
static void the_socket_of_administrators(void **state)
{
    char admin_folder[96], admin_path[128];
    char *arguments[] = {program,     "--vhost",        vhost_path, "--socket",
                         socket_path, "--admin-socket", admin_path, NULL};
    struct child child;
    struct stat status;

    (void)state;
    (void)snprintf(admin_folder, sizeof admin_folder, "%s/admin", folder);
    (void)snprintf(admin_path, sizeof admin_path, "%s/vm.sock", admin_folder);
    assert_int_equal(mkdir(admin_folder, 0700), 0);
    child = start(arguments);
    wait_until_it_serves(child);
    assert_int_equal(stat(admin_path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(kill(child_of(child.id), SIGKILL), 0);
    (void)close(connect_to(admin_path));
    wait_until_it_serves(child);
    (void)close(connect_to(admin_path));
    assert_int_equal(kill(child.id, SIGTERM), 0);
    assert_int_equal(finish(child), 0);
    assert_int_equal(rmdir(admin_folder), 0);
}

/* Its descriptors: the log, and what it opened itself. */
static void inherited_descriptors_are_closed(void **state)
{
    char *arguments[] = {program, "--vhost", vhost_path, "--socket", socket_path, NULL};
    struct child child;
    int ends[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(ends), 0); /* not close-on-exec */
    child = start(arguments);
    wait_until_it_serves(child);
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* nobody else has the other end */
    (void)close(ends[0]);
    assert_int_equal(kill(child.id, SIGTERM), 0);
    assert_int_equal(finish(child), 0);
}

static void once_ends_with_the_vm(void **state)
{
    static const uint32_t get_features[3] = {1, 1, 0};
    char *arguments[] = {program, "--vhost", vhost_path, "--socket", socket_path, "--once", NULL};
    struct child child = start(arguments);
    uint32_t answer[5];
    int master;

    (void)state;
    wait_until_it_serves(child);
    (void)close(connect_to(vhost_path)); /* a look is no VM */
    master = connect_to(vhost_path);
    assert_int_equal(send(master, get_features, sizeof get_features, 0), sizeof get_features);
    assert_int_equal(recv(master, answer, sizeof answer, MSG_WAITALL), sizeof answer);
    (void)close(master);
    assert_int_equal(finish(child), 0);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        IN_FOLDER(help_and_version),
        IN_FOLDER(wrong_options),
        IN_FOLDER(a_socket_that_cannot_be_served),
        IN_FOLDER(signals_end_it),
        IN_FOLDER(a_signal_at_any_moment),
        IN_FOLDER(both_processes_have_few_rights),
        IN_FOLDER(the_socket_of_administrators),
        IN_FOLDER(inherited_descriptors_are_closed),
        IN_FOLDER(once_ends_with_the_vm),
    };

    program = count == 2 ? arguments[1] : "vsock-bridge";
    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
