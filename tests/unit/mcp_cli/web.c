/* SPDX-License-Identifier: MIT */
#include "web.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct web web;

int web_setup(void **state)
{
    harness_setup(state);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    memset(&web, 0, sizeof web);
    web.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    web.connection = web.stream = -1;
    assert_int_equal(bind(web.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(web.listener, 8), 0);
    assert_int_equal(getsockname(web.listener, (struct sockaddr *)&address, &size), 0);
    snprintf(web.url, sizeof web.url, "http://127.0.0.1:%d/mcp", ntohs(address.sin_port));
    harness.era = "auto";
    return 0;
}

void hang_up(int *file)
{
    if (*file >= 0)
        close(*file);
    *file = -1;
}

int web_teardown(void **state)
{
    hang_up(&web.connection);
    hang_up(&web.stream);
    hang_up(&web.listener);
    json_decref(web.body);
    return harness_teardown(state);
}

void say(int file, const char *text)
{
    size_t length = strlen(text);
    ssize_t sent = send(file, text, length, MSG_NOSIGNAL);
    assert_true(sent == (ssize_t)length || sent < 0); /* a program that has closed is some tests' subject */
}

static void read_more(int file, char *buffer, size_t length)
{
    while (length > 0) {
        struct pollfd poll_file = {.fd = file, .events = POLLIN};
        assert_int_equal(poll(&poll_file, 1, PATIENCE_MS), 1);
        ssize_t count = recv(file, buffer, length, 0);
        if (count <= 0)
            fail_msg("mcp-cli closed the connection");
        buffer += count;
        length -= (size_t)count;
    }
}

const char *header(const char *name)
{
    static char value[512];
    char wanted[80];
    snprintf(wanted, sizeof wanted, "\r\n%s: ", name);
    const char *found = strcasestr(web.head, wanted);
    if (!found)
        return "";
    found += strlen(wanted);
    snprintf(value, sizeof value, "%.*s", (int)strcspn(found, "\r"), found);
    return value;
}

/* Reads the next request that begins with `verb`; streams are refused on the way, or kept. */
void next_request(const char *verb)
{
    for (;;) {
        struct pollfd poll_file = {.fd = web.listener, .events = POLLIN};
        hang_up(&web.connection);
        if (poll(&poll_file, 1, PATIENCE_MS) != 1)
            fail_msg("no request came");
        web.connection = accept4(web.listener, NULL, NULL, SOCK_CLOEXEC);
        size_t used = 0;
        do {
            assert_true(used < sizeof web.head - 1);
            read_more(web.connection, web.head + used, 1);
            web.head[++used] = '\0';
        } while (!strstr(web.head, "\r\n\r\n"));
        size_t length = (size_t)strtoul(header("Content-Length"), NULL, 10);
        char *body = calloc(1, length + 1);
        assert_non_null(body);
        read_more(web.connection, body, length);
        json_decref(web.body);
        web.body = length ? json_loads(body, 0, NULL) : NULL;
        free(body);
        if (strncmp(web.head, verb, strlen(verb)) == 0)
            return;
        assert_true(strncmp(web.head, "GET ", 4) == 0);
        if (web.streams) {
            web.stream = web.connection;
            web.connection = -1;
            say(web.stream, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        } else {
            say(web.connection, "HTTP/1.1 405 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    }
}

const char *method(void)
{
    const char *name = json_string_value(json_object_get(web.body, "method"));
    return name ? name : "";
}

/* Expects a POST of this method. */
void expect(const char *name)
{
    next_request("POST ");
    assert_string_equal(method(), name);
    assert_string_equal(header("Accept"), "application/json, text/event-stream");
    assert_string_equal(header("Content-Type"), "application/json");
}

void reply(int status, const char *type, const char *more, const char *body)
{
    char *text = NULL;
    assert_true(
        asprintf(&text,
                 "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n%s",
                 status, type, strlen(body), more, body) > 0);
    say(web.connection, text);
    free(text);
    hang_up(&web.connection);
}

char *response(const char *result)
{
    char *text = NULL;
    assert_true(asprintf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%lld,%s}",
                         (long long)json_integer_value(json_object_get(web.body, "id")), result) > 0);
    return text;
}

void answer(const char *result)
{
    char *text = response(result);
    reply(200, "application/json", "", text);
    free(text);
}
