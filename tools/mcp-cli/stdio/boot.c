/* SPDX-License-Identifier: MIT */
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS_MAX 64

extern char **environ;

/* $MK_RUN, or what stands beside this program in a build folder, or where it is installed. */
static enum status find_runner(char path[PATH_MAX], struct error *error)
{
    static const char *const places[] = {"run", "../libexec/microkernelia/tools/run"};
    const char *given = getenv("MK_RUN");
    if (given && given[0] != '\0') {
        snprintf(path, PATH_MAX, "%s", given);
        if (access(path, X_OK) == 0)
            return STATUS_OK;
        return error_set(error, STATUS_CONNECTION, "MK_RUN: cannot run '%s': %s", given, strerror(errno));
    }
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length > 0) {
        self[length] = '\0';
        *(strrchr(self, '/') + 1) = '\0';
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            int size = snprintf(path, PATH_MAX, "%s%s", self, places[i]);
            if (size < PATH_MAX && access(path, X_OK) == 0)
                return STATUS_OK;
        }
    }
    return error_set(error, STATUS_CONNECTION,
                     "--boot needs tools/run, which is not beside this program: MK_RUN names it");
}

/* What it reads, writes and inherits: pipes for its standard input and output, our standard error. In a
 * session of its own neither Ctrl-C nor the end of our process group ends it before it has cleaned up. */
static int spawn(pid_t *pid, char *const *words, int input, int output)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, broken_pipe;

    sigemptyset(&none);
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    int result = posix_spawn_file_actions_init(&files);
    if (result != 0)
        return result;
    result = posix_spawnattr_init(&attributes);
    if (result == 0) {
        result = posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
        if (result == 0)
            result = posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setsigdefault(&attributes, &broken_pipe);
        (void)posix_spawnattr_setflags(&attributes,
                                       POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (result == 0)
            result = posix_spawn(pid, words[0], &files, &attributes, words, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    return result;
}

/* One line, without its end. False when it does not come. */
static bool read_line(int fd, char *line, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t count = read(fd, line + length, 1);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        if (line[length] == '\n') {
            line[length] = '\0';
            return true;
        }
        length++;
    }
    return false;
}

static int await(struct boot *boot)
{
    int status = 0;
    close(boot->hold);
    while (waitpid(boot->runner, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

enum status boot_start(struct boot *boot, char *const *options, size_t count, char *endpoint,
                       size_t endpoint_size, struct error *error)
{
    char runner[PATH_MAX];
    /* the fastest machine, unless the options say otherwise: of two the last one counts */
    static char fixed[][16] = {"--no-build", "--hold", "--machine", "microvm", "--models", "none"};
    const size_t fixed_count = sizeof fixed / sizeof fixed[0];
    char *words[1 + sizeof fixed / sizeof fixed[0] + OPTIONS_MAX + 1] = {runner}; /* and a NULL */
    int input[2], output[2];

    enum status status = find_runner(runner, error);
    if (status != STATUS_OK)
        return status;
    if (count > OPTIONS_MAX)
        return error_set(error, STATUS_USAGE, "--boot takes %d words for tools/run at most", OPTIONS_MAX);
    for (size_t i = 0; i < fixed_count; i++)
        words[1 + i] = fixed[i];
    for (size_t i = 0; i < count; i++)
        words[1 + fixed_count + i] = options[i];
    if (pipe2(input, O_CLOEXEC) < 0)
        return error_set(error, STATUS_CONNECTION, "cannot make a pipe: %s", strerror(errno));
    if (pipe2(output, O_CLOEXEC) < 0) {
        status = error_set(error, STATUS_CONNECTION, "cannot make a pipe: %s", strerror(errno));
        close(input[0]);
        close(input[1]);
        return status;
    }
    int result = spawn(&boot->runner, words, input[0], output[1]);
    boot->hold = input[1];
    close(input[0]);
    close(output[1]);
    if (result != 0) {
        close(input[1]);
        close(output[0]);
        return error_set(error, STATUS_CONNECTION, "cannot run '%s': %s", runner, strerror(result));
    }
    bool ready = read_line(output[0], endpoint, endpoint_size);
    close(output[0]);
    if (ready)
        return STATUS_OK;
    return error_set(error, await(boot) == STATUS_USAGE ? STATUS_USAGE : STATUS_CONNECTION,
                     "the VM did not start: see above");
}

void boot_end(struct boot *boot)
{
    (void)await(boot);
}
