/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

int sandbox_close_inherited(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return -errno;
    if ((fcntl(2, F_GETFD) < 0 && dup2(null, 2) < 0) || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        return -errno;
    closefrom(3);
    return 0;
}

/* --- Landlock --- */

/* Every right to files that the version of the kernel's interface knows; what it does not know, it does not
 * restrict. */
static __u64 file_rights(long version)
{
    const unsigned first_version = 13; /* rights: up to MAKE_SYM; the second adds REFER, the third TRUNCATE */

    return (1ULL << (first_version + (version < 3 ? version - 1 : 2))) - 1;
}

static int allow_removal(int rules, const char *path)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_REMOVE_FILE};
    int result;

    if (length >= sizeof folder)
        return -ENAMETOOLONG;
    memcpy(folder, length > 0 ? path : ".", length > 0 ? length : 1);
    folder[length > 0 ? length : 1] = '\0';
    rule.parent_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return -errno;
    result = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
    (void)close(rule.parent_fd);
    return result;
}

int sandbox_hide_files(const char *const *paths)
{
    struct landlock_ruleset_attr rights;
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    int result = 0;
    int rules;

    if (version < 0)
        return -errno;
    rights = (struct landlock_ruleset_attr){.handled_access_fs = file_rights(version)};
    rules = (int)syscall(SYS_landlock_create_ruleset, &rights, sizeof rights, 0);
    if (rules < 0)
        return -errno;
    while (result == 0 && *paths != NULL)
        result = allow_removal(rules, *paths++);
    if (result == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        result = -errno;
    (void)close(rules);
    return result;
}

/* --- seccomp --- */

/* A process inherits the filters of the one that started it: what the server may, the keeper may, too. */
#define KEEPER (1U << SANDBOX_KEEPER)
#define BOTH   (1U << SANDBOX_SERVER | KEEPER)

/* A call, and what its arguments must be. Where glibc has two ways to the same end, on different processors
 * say, both stand here. */
static const struct allowed_call {
    int number;
    unsigned parts;
    unsigned condition_count;
    struct scmp_arg_cmp conditions[2];
} allowed_calls[] = {
#define ARGUMENT(number, mask, value)                                                                        \
    {                                                                                                        \
        number, SCMP_CMP_MASKED_EQ, mask, value                                                              \
    }
#define EXACTLY(number, value)                                                                               \
    {                                                                                                        \
        number, SCMP_CMP_EQ, value, 0                                                                        \
    }
    /* Streams, events, messages. Nothing is sent to an address. */
    {SCMP_SYS(read), BOTH, 0, {{0}}},
    {SCMP_SYS(write), BOTH, 0, {{0}}},
    {SCMP_SYS(close), BOTH, 0, {{0}}},
    {SCMP_SYS(recvfrom), BOTH, 0, {{0}}},
    {SCMP_SYS(recvmsg), BOTH, 0, {{0}}},
    {SCMP_SYS(sendto), BOTH, 1, {EXACTLY(4, 0)}},
    /* Its address is behind a pointer. Without MSG_FASTOPEN none connects a stream. */
    {SCMP_SYS(sendmsg), BOTH, 1, {ARGUMENT(2, ~(scmp_datum_t)(MSG_NOSIGNAL | MSG_DONTWAIT), 0)}},
    {SCMP_SYS(shutdown), BOTH, 0, {{0}}},
    {SCMP_SYS(epoll_wait), BOTH, 0, {{0}}},
    {SCMP_SYS(epoll_pwait), BOTH, 0, {{0}}},
    {SCMP_SYS(epoll_ctl), BOTH, 0, {{0}}},
    {SCMP_SYS(poll), BOTH, 0, {{0}}},
    {SCMP_SYS(ppoll), BOTH, 0, {{0}}},
    /* Clients. */
    {SCMP_SYS(accept4), BOTH, 0, {{0}}},
    {SCMP_SYS(setsockopt), BOTH, 2, {EXACTLY(1, IPPROTO_TCP), EXACTLY(2, TCP_NODELAY)}},
    /* The guest's memory, and malloc's: readable and writable, never executable. */
    {SCMP_SYS(mmap), BOTH, 1, {ARGUMENT(2, ~(scmp_datum_t)(PROT_READ | PROT_WRITE), 0)}},
    {SCMP_SYS(munmap), BOTH, 0, {{0}}},
    {SCMP_SYS(madvise), BOTH, 0, {{0}}},
    {SCMP_SYS(brk), BOTH, 0, {{0}}},
    /* Of descriptors from QEMU: their size and flags. (A name would be looked at, too: that a file exists
     * cannot be hidden here.) */
    {SCMP_SYS(fstat), BOTH, 0, {{0}}},
    {SCMP_SYS(newfstatat), BOTH, 1, {EXACTLY(3, AT_EMPTY_PATH)}},
    {SCMP_SYS(fcntl), BOTH, 1, {EXACTLY(1, F_GETFL)}},
    {SCMP_SYS(fcntl), BOTH, 1, {EXACTLY(1, F_SETFL)}},
    /* The keeper names files and has children, which enter sandboxes of their own. */
    {SCMP_SYS(socket), KEEPER, 1, {EXACTLY(0, AF_UNIX)}},
    {SCMP_SYS(connect), KEEPER, 0, {{0}}},
    {SCMP_SYS(newfstatat), KEEPER, 1, {EXACTLY(3, AT_SYMLINK_NOFOLLOW)}},
    {SCMP_SYS(lstat), KEEPER, 0, {{0}}},
    {SCMP_SYS(unlink), KEEPER, 0, {{0}}},
    {SCMP_SYS(unlinkat), KEEPER, 1, {EXACTLY(2, 0)}},
    {SCMP_SYS(socketpair), KEEPER, 0, {{0}}},
    {SCMP_SYS(clone),
     KEEPER,
     1,
     {ARGUMENT(0, ~(scmp_datum_t)(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID), SIGCHLD)}},
    {SCMP_SYS(set_robust_list), KEEPER, 0, {{0}}},
    {SCMP_SYS(rseq), KEEPER, 0, {{0}}},
    {SCMP_SYS(rt_sigprocmask), KEEPER, 0, {{0}}},
    {SCMP_SYS(wait4), KEEPER, 0, {{0}}},
    {SCMP_SYS(kill), KEEPER, 1, {EXACTLY(1, SIGKILL)}},
    {SCMP_SYS(epoll_create1), KEEPER, 0, {{0}}},
    {SCMP_SYS(getrandom), BOTH, 0, {{0}}},
    {SCMP_SYS(prctl), KEEPER, 0, {{0}}},
    {SCMP_SYS(seccomp), KEEPER, 0, {{0}}},
    {SCMP_SYS(landlock_create_ruleset), KEEPER, 0, {{0}}},
    {SCMP_SYS(landlock_restrict_self), KEEPER, 0, {{0}}},
    /* Time where the kernel's page for it (vdso) does not know it, the ways back from SIGSTOP, the end. */
    {SCMP_SYS(clock_gettime), BOTH, 0, {{0}}},
    {SCMP_SYS(restart_syscall), BOTH, 0, {{0}}},
    {SCMP_SYS(rt_sigreturn), BOTH, 0, {{0}}},
    {SCMP_SYS(exit_group), BOTH, 0, {{0}}},
};

int sandbox_limit_calls(enum sandbox_part part)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int result;

    if (filter == NULL)
        return -ENOMEM;
    result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    for (size_t i = 0; i < sizeof allowed_calls / sizeof allowed_calls[0] && result == 0; i++) {
        const struct allowed_call *call = &allowed_calls[i];

        if ((call->parts & 1U << part) != 0)
            result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call->number, call->condition_count,
                                            call->conditions);
    }
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result;
}

int sandbox_enter(enum sandbox_part part, const char *const *paths)
{
    int result;

    if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        result = -errno;
        log_error("privileges cannot be given up: %s", strerror(-result));
        return result;
    }
    result = sandbox_hide_files(paths);
    if (result == -ENOSYS || result == -EOPNOTSUPP) {
        log_debug("this kernel has no Landlock; system calls are limited all the same");
        result = 0;
    }
    if (result != 0) {
        log_error("the file system cannot be given up (Landlock): %s; --no-sandbox serves without protection",
                  strerror(-result));
        return result;
    }
    result = sandbox_limit_calls(part);
    if (result != 0)
        log_error("system calls cannot be limited (seccomp): %s; --no-sandbox serves without protection",
                  strerror(-result));
    return result;
}
