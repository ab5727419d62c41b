/* SPDX-License-Identifier: MIT */
#include "child_start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUT, OUTPUT, REMARKS, PIPES };

struct program {
    char **words;       /* argv: pointers into the entry */
    char **environment; /* environ, and behind it `own` of the entry */
    size_t own;
    const char *folder; /* or NULL */
};

static void release(struct program *program)
{
    for (size_t i = 0; i < program->own; i++)
        free(program->environment[i]);
    free(program->environment);
    free(program->words);
}

/* The variables of `env`, before those of ours that have other names. */
static int make_environment(struct program *program, const json_t *variables)
{
    const char *key;
    json_t *value;
    size_t count = 0;
    size_t used = 0;
    while (environ[count])
        count++;
    program->environment = calloc(count + json_object_size(variables) + 1, sizeof *program->environment);
    if (!program->environment)
        return -ENOMEM;
    json_object_foreach((json_t *)variables, key, value)
    {
        size_t size = strlen(key) + json_string_length(value) + 2;
        char *text = json_is_string(value) ? malloc(size) : NULL;
        if (!text)
            return json_is_string(value) ? -ENOMEM : -EINVAL;
        snprintf(text, size, "%s=%s", key, json_string_value(value));
        program->environment[used++] = text;
        program->own = used;
    }
    for (char **each = environ; *each; each++) {
        size_t length = strcspn(*each, "=");
        json_t *ours = json_object_getn(variables, *each, length);
        if (!ours)
            program->environment[used++] = *each;
    }
    return 0;
}

static int make_program(struct program *program, const json_t *entry)
{
    const json_t *words = json_object_get(entry, "args");
    const json_t *folder = json_object_get(entry, "cwd");
    *program = (struct program){.folder = json_string_value(folder)};
    if ((words && !json_is_array(words)) || (folder && !program->folder))
        return -EINVAL;
    program->words = calloc(json_array_size(words) + 2, sizeof *program->words);
    if (!program->words)
        return -ENOMEM;
    program->words[0] = (char *)json_string_value(json_object_get(entry, "command"));
    for (size_t i = 0; i < json_array_size(words); i++) {
        program->words[i + 1] = (char *)json_string_value(json_array_get(words, i));
        if (!program->words[i + 1])
            return -EINVAL;
    }
    const json_t *variables = json_object_get(entry, "env");
    if (variables && !json_is_object(variables))
        return -EINVAL;
    return make_environment(program, variables);
}

static void close_pipes(int pipes[PIPES][2])
{
    for (int i = 0; i < PIPES; i++) {
        for (int end = 0; end < 2; end++) {
            if (pipes[i][end] >= 0)
                close(pipes[i][end]);
        }
    }
}

/* Returns 0 or a negative errno. */
static int spawn(const struct program *program, int pipes[PIPES][2], pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, interrupt;
    sigemptyset(&none);
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[INPUT][0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipes[OUTPUT][1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipes[REMARKS][1], STDERR_FILENO);
    if (program->folder)
        posix_spawn_file_actions_addchdir_np(&actions, program->folder);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &interrupt);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int cause =
        posix_spawnp(pid, program->words[0], &actions, &attributes, program->words, program->environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -cause;
}

enum status child_start(const json_t *entry, pid_t *pid, int *input, int *output, int *remarks,
                        struct error *error)
{
    struct program program;
    int pipes[PIPES][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    int result = make_program(&program, entry);
    for (int i = 0; i < PIPES && result == 0; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) < 0)
            result = -errno;
    }
    if (result == 0)
        result = spawn(&program, pipes, pid);
    release(&program);
    if (result == 0) {
        *input = pipes[INPUT][1];
        *output = pipes[OUTPUT][0];
        *remarks = pipes[REMARKS][0];
        pipes[INPUT][1] = pipes[OUTPUT][0] = pipes[REMARKS][0] = -1;
        fcntl(*input, F_SETFL, O_NONBLOCK); /* ours alone: the program's ends stay as programs expect them */
        fcntl(*output, F_SETFL, O_NONBLOCK);
        fcntl(*remarks, F_SETFL, O_NONBLOCK);
    }
    close_pipes(pipes);
    if (result == -EINVAL)
        return error_set(
            error, STATUS_USAGE,
            "an entry has a command, args as a list of texts, env as an object of texts, cwd as a "
            "text");
    if (result < 0)
        return error_set(error, STATUS_CONNECTION, "cannot run %s: %s%s",
                         json_string_value(json_object_get(entry, "command")), strerror(-result),
                         result == -ENOENT ? ". Is it installed, and in PATH? Is its folder there?" : "");
    return STATUS_OK;
}
