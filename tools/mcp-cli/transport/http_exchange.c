/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "header_arguments.h"
#include "http_private.h"

#define RETRY_MS     1000 /* before a stream that ended is resumed, unless the server says otherwise */
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 30000
#define ATTEMPTS_MAX 5

static void fail(struct http *http, const char *format, const char *first, const char *second)
{
    if (http->failed == STATUS_OK)
        http->failed = error_set(&http->failure, STATUS_CONNECTION, format, first, second);
}

static void add_header(struct exchange *exchange, const char *name, const char *value)
{
    char *line = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&line, &size);
    if (!file)
        return;
    fprintf(file, "%s: %s", name, value);
    if (fclose(file) == 0) {
        struct curl_slist *longer = curl_slist_append(exchange->headers, line);
        exchange->headers = longer ? longer : exchange->headers;
    }
    free(line);
}

static void add_headers(struct exchange *exchange, const json_t *headers)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)headers, name, value)
    {
        if (json_is_string(value))
            add_header(exchange, name, json_string_value(value));
    }
}

/* MCP 2026-07-28, "Request Metadata": what the message says stands in headers, too. */
static void mirror(struct exchange *exchange, const json_t *message)
{
    const json_t *params = json_object_get(message, "params");
    const char *method = json_string_value(json_object_get(message, "method"));
    const json_t *meta = json_object_get(params, "_meta");
    const char *version = json_string_value(json_object_get(meta, "io.modelcontextprotocol/protocolVersion"));
    if (!version || !method) {
        if (exchange->http->version[0] != '\0')
            add_header(exchange, "MCP-Protocol-Version", exchange->http->version);
        return;
    }
    const char *name = json_string_value(json_object_get(params, "name"));
    if (strcmp(method, "resources/read") == 0)
        name = json_string_value(json_object_get(params, "uri"));
    else if (strncmp(method, "tasks/", 6) == 0) /* of the extension io.modelcontextprotocol/tasks */
        name = json_string_value(json_object_get(params, "taskId"));
    else if (strcmp(method, "tools/call") != 0 && strcmp(method, "prompts/get") != 0)
        name = NULL;
    json_t *value = name ? header_value(name) : NULL;
    add_header(exchange, "MCP-Protocol-Version", version);
    add_header(exchange, "Mcp-Method", method);
    if (value)
        add_header(exchange, "Mcp-Name", json_string_value(value));
    json_decref(value);
}

/* An event of a stream: a message. */
static int on_event(void *context, const char *data, size_t length)
{
    struct exchange *exchange = context;
    struct http *http = exchange->http;
    json_t *message = NULL;
    struct error error;
    if (transport_decode(data, length, &message, &error) != STATUS_OK) {
        fail(http, "%s%s", error.text, "");
        return -EPROTO;
    }
    const json_t *id = json_object_get(message, "id");
    if (!json_object_get(message, "method") && json_is_integer(id) && json_integer_value(id) == exchange->id)
        exchange->answered = true;
    exchange->attempts = 0;
    json_array_append_new(http->messages, message);
    return 0;
}

static size_t on_body(char *bytes, size_t one, size_t length, void *context)
{
    struct exchange *exchange = context;
    struct http *http = exchange->http;
    bool grew = true;
    int result;
    (void)one; /* is 1 */
    if (exchange->is_events)
        result = sse_feed(&exchange->sse, bytes, length, &grew);
    else
        result = buffer_add(&exchange->body, bytes, length);
    if (grew)
        http->base.heard = clock_ms();
    if (result < 0 && result != -EPROTO)
        fail(http, "the server's answer is too long, or there is no memory for it: %s%s", strerror(-result),
             "");
    return result < 0 ? 0 : length;
}

/* The value of a header if the line has this name; cut to size. */
static bool header_is(const char *line, size_t length, const char *name, char *value, size_t size)
{
    size_t named = strlen(name);
    if (length <= named || strncasecmp(line, name, named) != 0 || line[named] != ':')
        return false;
    line += named + 1;
    length -= named + 1;
    while (length > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        length--;
    }
    while (length > 0 && strchr(" \t\r\n", line[length - 1]))
        length--;
    bool fits = length < size;
    memcpy(value, line, fits ? length : 0);
    value[fits ? length : 0] = '\0';
    return true;
}

static size_t on_header(char *line, size_t one, size_t length, void *context)
{
    struct exchange *exchange = context;
    char value[HTTP_SESSION_MAX];
    (void)one;
    if (header_is(line, length, "Content-Type", value, sizeof value)) {
        exchange->is_events = strncasecmp(value, "text/event-stream", 17) == 0;
        exchange->is_json = strncasecmp(value, "application/json", 16) == 0;
    } else if (exchange->begins_session && header_is(line, length, "Mcp-Session-Id", value, sizeof value)) {
        memcpy(exchange->http->session, value, sizeof value);
    }
    return length;
}

/* Begins a transfer with what the exchange has. */
static bool transfer(struct exchange *exchange)
{
    struct http *http = exchange->http;
    const json_t *entry = http->options.endpoint->entry;
    CURL *easy = exchange->easy = curl_easy_init();
    if (!easy)
        return false;
    exchange->is_events = exchange->is_json = false;
    curl_easy_setopt(easy, CURLOPT_URL, json_string_value(json_object_get(entry, "url")));
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "mcp-cli/" MK_VERSION);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)http->options.timeout_ms);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    if (http->is_local)
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (exchange->text) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(exchange->text));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->text);
    } else if (exchange->kind == EXCHANGE_DELETE) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
    }
    return curl_multi_add_handle(http->multi, easy) == CURLM_OK;
}

/* The headers of every attempt. */
static void begin_headers(struct exchange *exchange, bool posts)
{
    struct http *http = exchange->http;
    curl_slist_free_all(exchange->headers);
    exchange->headers = NULL;
    add_header(exchange, "Accept", posts ? "application/json, text/event-stream" : "text/event-stream");
    add_header(exchange, "Expect", "");
    if (posts)
        add_header(exchange, "Content-Type", "application/json");
    if (http->session[0] != '\0')
        add_header(exchange, "Mcp-Session-Id", http->session);
    add_headers(exchange, json_object_get(http->options.endpoint->entry, "headers"));
}

void transfer_end(struct exchange *exchange)
{
    struct exchange **place = &exchange->http->exchanges;
    while (*place && *place != exchange)
        place = &(*place)->next;
    if (*place)
        *place = exchange->next;
    if (exchange->easy) {
        curl_multi_remove_handle(exchange->http->multi, exchange->easy);
        curl_easy_cleanup(exchange->easy);
    }
    curl_slist_free_all(exchange->headers);
    sse_release(&exchange->sse);
    buffer_release(&exchange->body);
    free(exchange->text);
    free(exchange);
}

enum status transfer_start(struct http *http, enum exchange_kind kind, const json_t *message,
                           const json_t *headers, struct exchange **started, struct error *error)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    enum status status = STATUS_OK;
    if (!exchange)
        return error_set(error, STATUS_CONNECTION, "out of memory");
    *exchange = (struct exchange){.next = http->exchanges, .http = http, .kind = kind};
    exchange->sse = (struct sse){.event = on_event, .context = exchange};
    http->exchanges = exchange;
    if (message) {
        size_t length = 0;
        char *text = NULL;
        status = transport_encode(message, BUFFER_MAX, &text, &length, error);
        exchange->text = status == STATUS_OK ? strndup(text, length) : NULL;
        free(text);
        const char *method = json_string_value(json_object_get(message, "method"));
        exchange->begins_session = method && strcmp(method, "initialize") == 0;
        if (kind == EXCHANGE_REQUEST)
            exchange->id = json_integer_value(json_object_get(message, "id"));
    }
    if (status == STATUS_OK) {
        begin_headers(exchange, message != NULL);
        mirror(exchange, message);
        add_headers(exchange, headers);
        if ((message && !exchange->text) || !transfer(exchange))
            status = error_set(error, STATUS_CONNECTION, "out of memory");
    }
    if (status != STATUS_OK)
        transfer_end(exchange);
    else if (started)
        *started = exchange;
    return status;
}

void transfer_resume(struct exchange *exchange)
{
    exchange->again_at = 0;
    free(exchange->text);
    exchange->text = NULL;
    begin_headers(exchange, false);
    mirror(exchange, NULL);
    if (exchange->sse.id[0] != '\0')
        add_header(exchange, "Last-Event-ID", exchange->sse.id);
    if (!transfer(exchange))
        transfer_end(exchange);
}

/* A stream ended: it goes on after a pause, where it can. */
static bool try_again(struct exchange *exchange)
{
    struct http *http = exchange->http;
    if (exchange->kind == EXCHANGE_STREAM)
        exchange->attempts = 0; /* there is no end of what a server may say, but a pause */
    bool can = http->version[0] != '\0' && (exchange->kind == EXCHANGE_STREAM || exchange->sse.id[0] != '\0');
    if (!can || http->failed != STATUS_OK || ++exchange->attempts > ATTEMPTS_MAX)
        return false;
    int64_t pause = exchange->sse.retry_ms ? exchange->sse.retry_ms : RETRY_MS;
    pause = pause < RETRY_MIN_MS ? RETRY_MIN_MS : pause;
    exchange->again_at = clock_ms() + (pause < RETRY_MAX_MS ? pause : RETRY_MAX_MS);
    struct sse *sse = &exchange->sse; /* what the cut event had is sent again */
    sse->line.length = sse->data.length = 0;
    sse->has_data = sse->is_other = sse->after_return = sse->begun = false;
    curl_multi_remove_handle(http->multi, exchange->easy);
    curl_easy_cleanup(exchange->easy);
    exchange->easy = NULL;
    return true;
}

/* Hands over what came in one piece, which has to be the answer: no other will come. */
static void take_answer(const struct exchange *exchange, json_t *message)
{
    const json_t *id = json_object_get(message, "id");
    bool is_ours = !id || json_is_null(id) || (json_is_integer(id) && json_integer_value(id) == exchange->id);
    if (json_is_object(message) && !is_ours)
        fail(exchange->http, "the server answers another request than was asked%s%s", "", "");
    else
        json_array_append(exchange->http->messages, message);
}

/* The server refused: with an error of JSON-RPC, which is a message, or in HTTP's own way. */
static void refused(struct exchange *exchange, long status)
{
    struct http *http = exchange->http;
    json_t *answer =
        exchange->body.length ? json_loadb(exchange->body.bytes, exchange->body.length, 0, NULL) : NULL;
    char number[24];
    snprintf(number, sizeof number, "%ld", status);
    bool is_answer = exchange->kind == EXCHANGE_REQUEST && json_is_object(json_object_get(answer, "error")) &&
                     json_object_get(answer, "jsonrpc");
    if (is_answer && !(status == 404 && http->version[0] != '\0')) {
        take_answer(exchange, answer);
    } else if (status == 401 || status == 403 || status == 407) {
        fail(http, "the server wants to know who you are, or lets you not do this (HTTP %s)%s", number,
             ". --token-file FILE names a bearer token; an mcpServers file may have headers");
    } else if (status >= 300 && status < 400) {
        fail(http, "the server sends elsewhere (HTTP %s)%s", number,
             ", which is not followed: give that URL");
    } else if (status == 404 && http->session[0] != '\0') {
        fail(http, "the server has ended the session (HTTP %s)%s", number,
             "; the next command begins another");
    } else {
        http->base.may_be_older = true;
        fail(http, "the server refuses (HTTP %s)%s", number,
             status == 404 || status == 405 ? ". Is this the URL of an MCP server? It often ends with /mcp"
                                            : "");
    }
    json_decref(answer);
}

/* The answer to a request came in one piece. */
static void take_body(struct exchange *exchange)
{
    struct error error;
    json_t *message = NULL;
    if (!exchange->is_json)
        fail(exchange->http, "the server answers with something that is no JSON. %s%s",
             "Is this the URL of an MCP server?", " It often ends with /mcp");
    else if (transport_decode(exchange->body.bytes ? exchange->body.bytes : "", exchange->body.length,
                              &message, &error) != STATUS_OK)
        fail(exchange->http, "%s%s", error.text, "");
    else
        take_answer(exchange, message);
    json_decref(message);
}

void transfer_finish(struct exchange *exchange, CURLcode result)
{
    struct http *http = exchange->http;
    long status = 0;
    bool keeps = false;
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    bool is_stream = exchange->is_events && status == 200;
    if (exchange->kind == EXCHANGE_DELETE || (exchange->kind == EXCHANGE_STREAM && !is_stream)) {
        /* a server without such a stream says 405; one that is gone is noticed by the next request */
        http->base.is_deaf = exchange->kind == EXCHANGE_STREAM;
    } else if (is_stream) {
        keeps = !exchange->answered && exchange->kind != EXCHANGE_POST && try_again(exchange);
        if (!keeps && exchange->kind == EXCHANGE_REQUEST && !exchange->answered)
            fail(http, "the server ended the stream before its answer%s%s", result == CURLE_OK ? "" : ": ",
                 result == CURLE_OK ? "" : curl_easy_strerror(result));
    } else if (result != CURLE_OK) {
        fail(http, "%s: %s", status == 0 ? "cannot connect" : "the connection broke",
             curl_easy_strerror(result));
    } else if (status >= 300) {
        refused(exchange, status);
    } else if (exchange->kind == EXCHANGE_REQUEST) {
        take_body(exchange);
    }
    if (!keeps)
        transfer_end(exchange);
}
