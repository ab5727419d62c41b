/* SPDX-License-Identifier: MIT
 *
 * vsock-bridge: options, signals, exit codes.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "bridge.h"
#include "keeper.h"
#include "log.h"
#include "sandbox.h"

#define EXIT_USAGE 2
#define EXIT_SERVE 3

/* Two per connection would be plenty; the rest is for listeners, rings and memory. */
#define DESCRIPTORS_NEEDED (CONNECTIONS_MAX + 64)

static const char help[] =
    "Usage: vsock-bridge --vhost PATH [OPTION]...\n"
    "Gives host programs a Unix socket to a VM's virtio-vsock device, without root.\n"
    "\n"
    "  --vhost PATH       Unix socket where QEMU connects (vhost-user-vsock-pci); required\n"
    "  --socket PATH      Unix socket where host programs connect (default /tmp/vm.sock);\n"
    "                     guest connections to host port P go to the Unix socket PATH_P\n"
    "  --admin-socket PATH  like --socket, for administrators: the guest sees them at ports\n"
    "                     below 1024, and nobody else\n"
    "  --tcp ADDR:PORT    host programs may connect here too; loopback addresses only\n"
    "  --port N           guest port for programs that send no \"CONNECT <port>\" (default 5000)\n"
    "  --guest-cid N      the guest's context identifier (default 3)\n"
    "  --once             end when the VM disconnects\n"
    "  --no-sandbox       keep all rights, where the kernel has no seccomp\n"
    "  --log LEVEL        error, warning, info (default) or debug\n"
    "  --help, --version\n"
    "\n"
    "QEMU needs shared memory and the device:\n"
    "  qemu-system-x86_64 -m 256M -object memory-backend-memfd,id=mem,size=256M,share=on \\\n"
    "    -M q35,memory-backend=mem -chardev socket,id=vsock,path=PATH \\\n"
    "    -device vhost-user-vsock-pci,chardev=vsock ...\n"
    "\n"
    "Exit status: 0 ended by a signal or by --once, 2 usage, 3 a socket cannot be served.\n";

static const struct option long_options[] = {
    {"vhost", required_argument, NULL, 'v'},
    {"socket", required_argument, NULL, 's'},
    {"admin-socket", required_argument, NULL, 'a'},
    {"tcp", required_argument, NULL, 't'},
    {"port", required_argument, NULL, 'p'},
    {"guest-cid", required_argument, NULL, 'c'},
    {"once", no_argument, NULL, 'o'},
    {"log", required_argument, NULL, 'l'},
    {"no-sandbox", no_argument, NULL, 'n'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* Parses a whole number between `least` and 2^32 - 2: the greatest one means "any", for ports and for CIDs.
 */
static int parse_number(const char *name, const char *text, uint32_t least, uint32_t *number)
{
    unsigned long long value;
    char *end;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < least ||
        value >= UINT32_MAX) {
        log_error("--%s %s: a number from %u to %u is needed", name, text, least, UINT32_MAX - 1);
        return -EINVAL;
    }
    *number = (uint32_t)value;
    return 0;
}

static int parse_log_level(const char *text)
{
    enum log_level level;

    if (log_parse_level(text, &level) != 0) {
        log_error("--log %s: choose error, warning, info or debug", text);
        return -EINVAL;
    }
    log_set_level(level);
    return 0;
}

static int check(const struct bridge_options *options)
{
    /* Room for "_" and the longest port of a guest's connection. */
    const size_t socket_path_max = sizeof((struct sockaddr_un *)0)->sun_path - sizeof "_4294967295";

    if (options->vhost_path == NULL) {
        log_error("--vhost PATH is missing: the socket where QEMU connects (see --help)");
        return -EINVAL;
    }
    if (strcmp(options->vhost_path, options->socket_path) == 0) {
        log_error("--vhost and --socket are the same path: choose two");
        return -EINVAL;
    }
    if (options->admin_path != NULL && (strcmp(options->admin_path, options->socket_path) == 0 ||
                                        strcmp(options->admin_path, options->vhost_path) == 0)) {
        log_error("--admin-socket is the path of --socket or --vhost, too: choose another");
        return -EINVAL;
    }
    if (strlen(options->socket_path) > socket_path_max) {
        log_error("--socket %s: the path may have at most %zu bytes", options->socket_path, socket_path_max);
        return -EINVAL;
    }
    return 0;
}

/* Returns 0 to go on, 1 when all is said, or -EINVAL after a log line. */
static int parse(int count, char **arguments, struct bridge_options *options)
{
    int option;
    int result = 0;

    while (result == 0 && (option = getopt_long(count, arguments, "", long_options, NULL)) != -1) {
        switch (option) {
        case 'v':
            options->vhost_path = optarg;
            break;
        case 's':
            options->socket_path = optarg;
            break;
        case 'a':
            options->admin_path = optarg;
            break;
        case 't':
            options->tcp_address = optarg;
            break;
        case 'p':
            result = parse_number("port", optarg, 0, &options->direct_port);
            break;
        case 'c':
            /* 0 to 2 are the hypervisor, the local and the host's identifiers (section 5.10.4). */
            result = parse_number("guest-cid", optarg, 3, &options->guest_cid);
            break;
        case 'o':
            options->once = true;
            break;
        case 'n':
            options->no_sandbox = true;
            break;
        case 'l':
            result = parse_log_level(optarg);
            break;
        case 'h':
            (void)fputs(help, stdout);
            return 1;
        case 'V':
            (void)puts("vsock-bridge " MK_VERSION);
            return 1;
        default:
            (void)fputs("Try 'vsock-bridge --help'.\n", stderr);
            return -EINVAL;
        }
    }
    if (result == 0 && optind < count) {
        log_error("%s: not an option (see --help)", arguments[optind]);
        return -EINVAL;
    }
    return result == 0 ? check(options) : result;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS_NEEDED)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_NEEDED ? limit.rlim_max : DESCRIPTORS_NEEDED;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < DESCRIPTORS_NEEDED)
        log_warning("only %llu descriptors are allowed (ulimit -n), %d would serve all %d connections",
                    (unsigned long long)limit.rlim_cur, DESCRIPTORS_NEEDED, CONNECTIONS_MAX);
}

/* Signals become events, from before the first socket exists: none is left behind. */
static int block_signals(void)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGCHLD);
    /* Of a log that nobody reads any more, say; every write tells whether it failed. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -errno;
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Whether there will be a sandbox; says why if there will be none. */
static bool sandboxed(const struct bridge_options *options)
{
#ifdef MK_INSTRUMENTED
    /* Sanitizers and line counts open files and start threads of their own. */
    log_warning("no sandbox: this build is instrumented for tests");
    return false;
#endif
    if (options->no_sandbox)
        log_warning("no sandbox, as --no-sandbox says: whoever breaks in here has all rights of this user");
    return !options->no_sandbox;
}

struct program {
    struct bridge bridge;
    struct keeper keeper;
    uint64_t *ports; /* shared by the keeper and the servers */
};

/* The server's process, from its beginning to its end (keeper.h). */
static int serve(void *context, int channel, const struct kept *slots)
{
    static const char *const no_paths[] = {NULL};
    struct program *program = context;
    struct bridge *bridge = &program->bridge;
    int result = bridge_start(bridge);

    if (result == 0)
        result = bridge_end_with(bridge, channel);
    if (result == 0 && !bridge->options->no_sandbox)
        result = sandbox_enter(SANDBOX_SERVER, no_paths);
    if (result == 0) {
        bridge_restore(bridge, channel, slots, program->ports);
        log_info("serves %s and waits for QEMU on %s", bridge->options->socket_path,
                 bridge->options->vhost_path);
    }
    while (result == 0 && !bridge->ended) {
        result = bridge_step(bridge, -1);
        if (result != 0)
            log_error("the event loop failed: %s", strerror(-result));
    }
    bridge_close(bridge);
    return result == 0 ? EXIT_SUCCESS : EXIT_SERVE;
}

int main(int count, char **arguments)
{
    static struct program program;
    struct bridge_options options = {.socket_path = "/tmp/vm.sock", .guest_cid = 3, .direct_port = 5000};
    int result = parse(count, arguments, &options);

    if (result != 0)
        return result > 0 ? EXIT_SUCCESS : EXIT_USAGE;
    result = sandbox_close_inherited();
    if (result != 0) {
        log_error("inherited descriptors cannot be closed: %s", strerror(-result));
        return EXIT_SERVE;
    }
    raise_descriptor_limit();
    options.no_sandbox = !sandboxed(&options);
    program.ports = mmap(NULL, CONNECTIONS_MAX * sizeof *program.ports, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    program.keeper = (struct keeper){
        .socket_path = options.socket_path,
        .listeners = {&program.bridge.vhost_listener, &program.bridge.client_listener,
                      &program.bridge.admin_listener},
        .signal_fd = block_signals(),
        .sandbox = !options.no_sandbox,
        .serve = serve,
        .context = &program,
    };
    if (program.ports == MAP_FAILED || program.keeper.signal_fd < 0) {
        log_error("this process cannot be prepared: %s", strerror(errno));
        return EXIT_SERVE;
    }
    if (bridge_listen(&program.bridge, &options) != 0)
        return EXIT_SERVE;
    result = keeper_run(&program.keeper);
    bridge_close(&program.bridge);
    return result < 0 ? EXIT_SERVE : result;
}
