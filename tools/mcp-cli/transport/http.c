/* SPDX-License-Identifier: MIT
 *
 * A server at a URL: Streamable HTTP of both eras (MCP 2025-11-25, "Transports / Streamable HTTP", and
 * 2026-07-28).
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "http_private.h"

#define GOODBYE_MS 1000 /* for the end of a session, which nobody has to see */

static void finish_transfers(struct http *http)
{
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        struct exchange *exchange = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result; /* removing the handle frees the message */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
        transfer_finish(exchange, result);
    }
}

/* Starts what waited for its time. Returns the milliseconds to the next one, `wait_ms` at most. */
static int64_t resume_streams(struct http *http, int64_t wait_ms)
{
    int64_t now = clock_ms();
    struct exchange *next;
    for (struct exchange *each = http->exchanges; each; each = next) {
        next = each->next;
        if (each->again_at != 0 && each->again_at <= now)
            transfer_resume(each);
        else if (each->again_at != 0 && each->again_at - now < wait_ms)
            wait_ms = each->again_at - now;
    }
    return wait_ms;
}

/* Lets the transfers go on, waiting no longer than wait_ms for something to happen. */
static enum status turn(struct http *http, int64_t wait_ms, struct error *error)
{
    int running = 0;
    wait_ms = resume_streams(http, wait_ms);
    curl_multi_perform(http->multi, &running);
    finish_transfers(http);
    if (http->failed != STATUS_OK || json_array_size(http->messages) > 0 || wait_ms <= 0)
        return STATUS_OK;
    int file = interrupt_file();
    struct curl_waitfd interrupt = {.fd = file, .events = CURL_WAIT_POLLIN};
    if (!interrupt_pending())
        curl_multi_poll(http->multi, &interrupt, file < 0 ? 0 : 1, (int)(wait_ms < 60000 ? wait_ms : 60000),
                        NULL);
    if (interrupt_pending() && interrupt_take())
        return error_set(error, STATUS_INTERRUPTED, "interrupted");
    curl_multi_perform(http->multi, &running);
    finish_transfers(http);
    return STATUS_OK;
}

static enum status take_failure(struct http *http, struct error *error)
{
    enum status status = http->failed;
    *error = http->failure;
    http->failed = STATUS_OK;
    return status;
}

static bool is_under_way(const struct http *http, const struct exchange *exchange)
{
    for (const struct exchange *each = http->exchanges; each; each = each->next) {
        if (each == exchange)
            return true;
    }
    return false;
}

static enum status http_send(struct transport *transport, const json_t *message, const json_t *headers,
                             int64_t timeout_ms, struct error *error)
{
    struct http *http = (struct http *)transport;
    struct exchange *exchange = NULL;
    bool is_request = json_object_get(message, "method") && json_object_get(message, "id");
    int64_t deadline = clock_ms() + timeout_ms;
    http->base.may_be_older = false;
    enum status status = transfer_start(http, is_request ? EXCHANGE_REQUEST : EXCHANGE_POST, message, headers,
                                        &exchange, error);
    while (status == STATUS_OK && !is_request && is_under_way(http, exchange) && clock_ms() < deadline) {
        json_t *messages = http->messages; /* what comes meanwhile waits for receive */
        http->messages = json_array();
        status = turn(http, deadline - clock_ms(), error);
        json_array_extend(messages, http->messages);
        json_decref(http->messages);
        http->messages = messages;
        if (http->failed != STATUS_OK)
            break;
    }
    if (status == STATUS_OK && http->failed != STATUS_OK)
        status = take_failure(http, error);
    return status;
}

static enum status http_receive(struct transport *transport, int64_t wait_ms, json_t **message,
                                struct error *error)
{
    struct http *http = (struct http *)transport;
    int64_t deadline = clock_ms() + wait_ms;
    *message = NULL;
    if (http->streams) {
        http->streams = false;
        enum status status = transfer_start(http, EXCHANGE_STREAM, NULL, NULL, NULL, error);
        if (status != STATUS_OK)
            return status;
    }
    for (;;) {
        if (json_array_size(http->messages) > 0) {
            *message = json_incref(json_array_get(http->messages, 0));
            json_array_remove(http->messages, 0);
            return STATUS_OK;
        }
        if (http->failed != STATUS_OK)
            return take_failure(http, error);
        int64_t left = deadline - clock_ms();
        enum status status = turn(http, left > 0 ? left : 0, error);
        if (status != STATUS_OK)
            return status;
        if (left <= 0 && json_array_size(http->messages) == 0 && http->failed == STATUS_OK)
            return STATUS_OK;
    }
}

static void http_settle(struct transport *transport, const char *version, bool stateless)
{
    struct http *http = (struct http *)transport;
    if (stateless)
        return;
    http->streams = true;
    strncpy(http->version, version, sizeof http->version - 1);
}

/* 2026-07-28: the end of the stream is the word. */
static bool http_abandon(struct transport *transport, json_int_t id)
{
    struct http *http = (struct http *)transport;
    struct exchange *next;
    if (http->version[0] != '\0')
        return false;
    for (struct exchange *each = http->exchanges; each; each = next) {
        next = each->next;
        if (each->id == id)
            transfer_end(each);
    }
    return true;
}

static void http_close(struct transport *transport)
{
    struct http *http = (struct http *)transport;
    struct error ignored;
    struct exchange *goodbye = NULL;
    while (http->exchanges)
        transfer_end(http->exchanges);
    json_array_clear(http->messages);
    http->failed = STATUS_OK;
    if (http->session[0] != '\0')
        transfer_start(http, EXCHANGE_DELETE, NULL, NULL, &goodbye, &ignored);
    int64_t deadline = clock_ms() + GOODBYE_MS;
    while (goodbye && is_under_way(http, goodbye) && clock_ms() < deadline) {
        if (turn(http, deadline - clock_ms(), &ignored) != STATUS_OK)
            break;
    }
    while (http->exchanges)
        transfer_end(http->exchanges);
    curl_multi_cleanup(http->multi);
    json_decref(http->messages);
    free(http);
}

/* Whether the URL's host is this machine. */
static bool is_local(const char *url)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    bool found = false;
    char *host = NULL;
    CURLU *parts = curl_url();
    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            found = found || strcmp(host, names[i]) == 0;
    }
    curl_free(host);
    curl_url_cleanup(parts);
    return found;
}

/* A header that would end its line would be another header. */
static enum status check_headers(const json_t *headers, struct error *error)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)headers, name, value)
    {
        const char *text = json_string_value(value);
        if (!text || strpbrk(text, "\r\n") || strpbrk(name, "\r\n:"))
            return error_set(error, STATUS_USAGE, "the header %.100s is no text of one line", name);
    }
    return STATUS_OK;
}

bool http_is_private(const char *url)
{
    return strncmp(url, "https:", 6) == 0 || is_local(url);
}

enum status http_open(struct transport **transport, const struct transport_options *options,
                      struct error *error)
{
    static const struct transport_operations operations = {.send = http_send,
                                                           .receive = http_receive,
                                                           .settle = http_settle,
                                                           .abandon = http_abandon,
                                                           .close = http_close};
    const json_t *entry = options->endpoint->entry;
    enum status status = check_headers(json_object_get(entry, "headers"), error);
    if (status != STATUS_OK)
        return status;
    struct http *http = calloc(1, sizeof *http);
    CURLM *multi = curl_multi_init();
    if (!http || !multi) {
        curl_multi_cleanup(multi);
        free(http);
        return error_set(error, STATUS_CONNECTION, "out of memory");
    }
    *http = (struct http){.base = {.operations = &operations}, .options = *options, .multi = multi};
    http->messages = json_array();
    http->is_local = is_local(json_string_value(json_object_get(entry, "url")));
    *transport = &http->base;
    return STATUS_OK;
}
