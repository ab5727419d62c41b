/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000

struct harness harness;

static int listener = -1, tcp_listener = -1, peer = -1, terminal = -1;
static int out_file = -1, err_file = -1;
static pid_t child = -1;
static json_int_t last_id;
static size_t screen_used;

static void wait_until_ready(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    if (poll(&poll_fd, 1, PATIENCE_MS) != 1)
        fail_msg("nothing came within %d ms; the screen: %s", PATIENCE_MS, harness.screen);
}

static int listen_on(int family, const struct sockaddr *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, address, size), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

int harness_setup(void **state)
{
    (void)state;
    harness = (struct harness){.folder = "/tmp/mcp-cli-test-XXXXXX"};
    assert_non_null(mkdtemp(harness.folder));
    snprintf(harness.socket_path, sizeof harness.socket_path, "%s/vm.sock", harness.folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", harness.socket_path);
    listener = listen_on(AF_UNIX, (struct sockaddr *)&address, sizeof address);
    screen_used = 0;
    setenv("XDG_STATE_HOME", harness.folder, 1);
    setenv("XDG_CONFIG_HOME", harness.folder, 1);
    setenv("HOME", harness.folder, 1);
    setenv("TERM", "xterm", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    unsetenv("MCP_SOCKET");
    unsetenv("NO_COLOR");
    return 0;
}

static void close_all(void)
{
    int *const files[] = {&listener, &tcp_listener, &peer, &terminal, &out_file, &err_file};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (*files[i] >= 0)
            close(*files[i]);
        *files[i] = -1;
    }
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *level)
{
    (void)status;
    (void)type;
    (void)level;
    return remove(path);
}

int harness_teardown(void **state)
{
    (void)state;
    if (child > 0) { /* the test failed before its program ended */
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        child = -1;
    }
    close_all();
    free(harness.out);
    free(harness.err);
    nftw(harness.folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

void harness_listen_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    tcp_listener = listen_on(AF_INET, (struct sockaddr *)&address, size);
    assert_int_equal(getsockname(tcp_listener, (struct sockaddr *)&address, &size), 0);
    snprintf(harness.tcp, sizeof harness.tcp, "127.0.0.1:%d", ntohs(address.sin_port));
}

static void execute(const char *const *words)
{
    char *argv[64] = {(char *)MCP_CLI, (char *)"--protocol-era",
                      (char *)(harness.era ? harness.era : "initialize")};
    size_t count = 3;
    for (; *words && count < 63; words++)
        argv[count++] = (char *)*words;
    execv(MCP_CLI, argv);
    _exit(127);
}

void run_start(const char *input, const char *const *words)
{
    if (out_file >= 0)
        close(out_file);
    if (err_file >= 0)
        close(err_file);
    free(harness.out);
    free(harness.err);
    harness.out = harness.err = NULL;
    out_file = memfd_create("out", MFD_CLOEXEC);
    err_file = memfd_create("err", MFD_CLOEXEC);
    int in_file = memfd_create("in", MFD_CLOEXEC);
    assert_true(out_file >= 0 && err_file >= 0 && in_file >= 0);
    if (input) {
        assert_int_equal(write(in_file, input, strlen(input)), (ssize_t)strlen(input));
        lseek(in_file, 0, SEEK_SET);
    }
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(in_file, STDIN_FILENO);
        dup2(out_file, STDOUT_FILENO);
        dup2(err_file, STDERR_FILENO);
        execute(words);
    }
    close(in_file);
}

void run_on_terminal(const char *const *words)
{
    if (terminal >= 0)
        close(terminal);
    const char *all[64] = {"--socket", harness.socket_path};
    size_t count = 2;
    while (*words)
        all[count++] = *words++;
    struct winsize size = {.ws_row = 40, .ws_col = 200};
    child = forkpty(&terminal, NULL, NULL, &size);
    assert_true(child >= 0);
    if (child == 0) {
        setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* libedit 3.1 leaks the names given to EL_ADDFN */
        execute(all);
    }
    fcntl(terminal, F_SETFD, FD_CLOEXEC);
}

static char *contents(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(pread(fd, text, (size_t)size, 0), size);
    return text;
}

int run_finish(void)
{
    if (terminal >= 0) { /* reading it to its end lets the program end, too */
        char rest[1024];
        ssize_t count = 0;
        do {
            wait_until_ready(terminal);
            count = read(terminal, rest, sizeof rest);
            size_t room = sizeof harness.screen - 1 - screen_used;
            size_t taken = count < 0 ? 0 : (size_t)count < room ? (size_t)count : room;
            memcpy(harness.screen + screen_used, rest, taken);
            screen_used += taken;
        } while (count > 0);
    }
    int status = 0;
    int waited = 0;
    for (; waited < PATIENCE_MS && waitpid(child, &status, WNOHANG) == 0; waited += 5)
        usleep(5000);
    assert_true(waited < PATIENCE_MS);
    child = -1;
    if (terminal < 0) {
        harness.out = contents(out_file);
        harness.err = contents(err_file);
    }
    if (WIFSIGNALED(status))
        fail_msg("mcp-cli died of signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

void assert_fails(int status, const char *message)
{
    assert_int_equal(run_finish(), status);
    assert_string_equal(harness.out, "");
    if (!strstr(harness.err, message))
        fail_msg("expected '%s' in: %s", message, harness.err);
}

void run_interrupt(void)
{
    assert_int_equal(kill(child, SIGINT), 0);
}

void terminal_type(const char *keys)
{
    assert_int_equal(write(terminal, keys, strlen(keys)), (ssize_t)strlen(keys));
}

void terminal_wait_for(const char *text)
{
    while (!strstr(harness.screen, text)) {
        assert_true(screen_used < sizeof harness.screen - 1);
        wait_until_ready(terminal);
        ssize_t count = read(terminal, harness.screen + screen_used, sizeof harness.screen - 1 - screen_used);
        if (count <= 0)
            fail_msg("the program ended; its screen: %s", harness.screen);
        screen_used += (size_t)count;
    }
}

void terminal_forget(void)
{
    memset(harness.screen, 0, sizeof harness.screen);
    screen_used = 0;
}

void server_accept(void)
{
    int from = tcp_listener >= 0 ? tcp_listener : listener;
    wait_until_ready(from);
    if (peer >= 0)
        close(peer);
    peer = accept4(from, NULL, NULL, SOCK_CLOEXEC);
    assert_true(peer >= 0);
}

void server_hang_up(void)
{
    close(peer);
    peer = -1;
}

void server_send_bytes(const void *bytes, size_t length)
{
    /* a program that has closed already is some tests' subject */
    ssize_t sent = send(peer, bytes, length, MSG_NOSIGNAL);
    assert_true(sent == (ssize_t)length || errno == EPIPE || errno == ECONNRESET);
}

void server_send(const char *json)
{
    size_t length = strlen(json);
    uint32_t header = htonl((uint32_t)length);
    if (!harness.lines)
        server_send_bytes(&header, sizeof header);
    server_send_bytes(json, length);
    if (harness.lines)
        server_send_bytes("\n", 1);
}

static void read_exactly(void *buffer, size_t length)
{
    for (char *next = buffer; length > 0;) {
        wait_until_ready(peer);
        ssize_t count = recv(peer, next, length, 0);
        if (count <= 0)
            fail_msg("mcp-cli closed the connection");
        next += count;
        length -= (size_t)count;
    }
}

json_t *server_read(void)
{
    static char text[2 << 20];
    size_t length = 0;
    if (harness.lines) {
        do
            read_exactly(text + length, 1);
        while (text[length++] != '\n');
    } else {
        uint32_t header;
        read_exactly(&header, sizeof header);
        length = ntohl(header);
        assert_true(length <= 1 << 20);
        read_exactly(text, length);
    }
    json_t *message = json_loadb(text, length, 0, NULL);
    assert_non_null(message);
    assert_string_equal(json_string_value(json_object_get(message, "jsonrpc")), "2.0");
    return message;
}

void server_expect_end(void)
{
    char byte;
    wait_until_ready(peer);
    assert_int_equal(recv(peer, &byte, 1, 0), 0);
}

static void assert_json_equal(const json_t *found, const char *expected)
{
    json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
    assert_non_null(wanted);
    if (!json_equal(found, wanted)) {
        char *text = found ? json_dumps(found, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        fail_msg("expected %s, found %s", expected, text ? text : "nothing");
    }
    json_decref(wanted);
}

static json_t *expect_method(const char *method)
{
    json_t *message = server_read();
    assert_string_equal(json_string_value(json_object_get(message, "method")), method);
    last_id = json_integer_value(json_object_get(message, "id"));
    return message;
}

void server_expect(const char *method, const char *params)
{
    json_t *message = expect_method(method);
    if (params)
        assert_json_equal(json_object_get(message, "params"), params);
    else
        assert_null(json_object_get(message, "params"));
    json_decref(message);
}

void server_expect_call(const char *tool, const char *arguments)
{
    json_t *message = expect_method("tools/call");
    json_t *params = json_object_get(message, "params");
    assert_string_equal(json_string_value(json_object_get(params, "name")), tool);
    assert_json_equal(json_object_get(params, "arguments"), arguments);
    json_t *token = json_object_get(json_object_get(params, "_meta"), "progressToken");
    assert_int_equal(json_integer_value(token), last_id);
    assert_int_equal(json_object_size(params), 3);
    json_decref(message);
}

json_int_t server_id(void)
{
    return last_id;
}

static void send_response(const char *member, const char *value)
{
    char *text = NULL;
    assert_true(asprintf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"%s\":%s}", (long long)last_id, member,
                         value) > 0);
    server_send(text);
    free(text);
}

void server_reply(const char *result)
{
    send_response("result", result);
}

void server_reply_error(int code, const char *message)
{
    char value[300];
    snprintf(value, sizeof value, "{\"code\":%d,\"message\":\"%s\"}", code, message);
    send_response("error", value);
}

void server_reply_structured(const char *structured)
{
    char *text = NULL;
    assert_true(asprintf(&text,
                         "{\"content\":[{\"type\":\"text\",\"text\":\"as text\"}],\"structuredContent\":%s}",
                         structured) > 0);
    server_reply(text);
    free(text);
}

json_t *server_expect_stateless(const char *method, const char *params)
{
    json_t *message = expect_method(method);
    json_t *found = json_object_get(message, "params");
    json_t *meta = json_incref(json_object_get(found, "_meta"));
    assert_string_equal(json_string_value(json_object_get(meta, "io.modelcontextprotocol/protocolVersion")),
                        "2026-07-28");
    assert_true(json_is_object(json_object_get(meta, "io.modelcontextprotocol/clientCapabilities")));
    assert_true(json_is_object(json_object_get(meta, "io.modelcontextprotocol/clientInfo")));
    json_object_del(found, "_meta");
    if (params)
        assert_json_equal(found, params);
    json_decref(message);
    return meta;
}

void server_discovered(void)
{
    server_accept();
    json_decref(server_expect_stateless("server/discover", "{}"));
    server_reply("{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\",\"2025-11-25\"],"
                 "\"capabilities\":{\"tools\":{}},\"ttlMs\":0,\"cacheScope\":\"private\","
                 "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"new\",\"version\":\"1\"}}}");
}

void server_handshake(void)
{
    server_accept();
    json_t *message = expect_method("initialize");
    json_t *params = json_object_get(message, "params");
    assert_string_equal(json_string_value(json_object_get(params, "protocolVersion")), "2025-11-25");
    /* on a terminal there is somebody to ask */
    assert_json_equal(json_object_get(params, "capabilities"),
                      terminal >= 0 ? "{\"elicitation\":{\"form\":{},\"url\":{}}}" : "{}");
    assert_string_equal(json_string_value(json_object_get(json_object_get(params, "clientInfo"), "name")),
                        "mcp-cli");
    json_decref(message);
    server_reply("{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},"
                 "\"serverInfo\":{\"name\":\"fake\",\"version\":\"9.8.7\"}}");
    json_int_t id = last_id;
    message = expect_method("notifications/initialized");
    assert_null(json_object_get(message, "id"));
    assert_null(json_object_get(message, "params"));
    json_decref(message);
    last_id = id;
}
