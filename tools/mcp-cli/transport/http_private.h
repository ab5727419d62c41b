/* SPDX-License-Identifier: MIT
 *
 * Private to http.c and http_exchange.c: a Streamable HTTP client by libcurl.
 */
#ifndef MCP_CLI_HTTP_PRIVATE_H
#define MCP_CLI_HTTP_PRIVATE_H

#include <curl/curl.h>

#include "sse.h"
#include "transport.h"

#define HTTP_SESSION_MAX 1024

enum exchange_kind {
    EXCHANGE_REQUEST, /* POST; its answer is a message */
    EXCHANGE_POST,    /* a notification or a response: accepted or not */
    EXCHANGE_STREAM,  /* GET: what the server says unasked (up to 2025-11-25) */
    EXCHANGE_DELETE   /* the end of the session */
};

/* One request of HTTP and what came back so far. */
struct exchange {
    struct exchange *next;
    struct http *http;
    enum exchange_kind kind;
    json_int_t id; /* of the request that waits for its response, else 0 */
    CURL *easy;    /* NULL between two attempts */
    struct curl_slist *headers;
    char *text; /* what is posted */
    struct buffer body;
    struct sse sse;
    bool begins_session; /* `initialize` */
    bool is_events, is_json, answered;
    int64_t again_at; /* clock_ms() of the next attempt to resume the stream */
    int attempts;     /* to resume since something came */
};

struct http {
    struct transport base;
    struct transport_options options;
    CURLM *multi;
    struct exchange *exchanges;
    json_t *messages; /* that have come and not been received */
    char session[HTTP_SESSION_MAX];
    char version[32];   /* of the older era, once it is settled; else "" */
    bool streams;       /* the server may speak unasked; the stream for it is not open yet */
    bool is_local;      /* the host is this machine: no proxy */
    enum status failed; /* what receive has to report; STATUS_OK: nothing */
    struct error failure;
};

/* Starts an exchange. `message` (NULL for EXCHANGE_STREAM and EXCHANGE_DELETE) and `headers` are not kept. */
enum status transfer_start(struct http *http, enum exchange_kind kind, const json_t *message,
                           const json_t *headers, struct exchange **started, struct error *error);
/* The transfer has ended. Messages, or the failure, are in `http` then; frees the exchange unless it goes on.
 */
void transfer_finish(struct exchange *exchange, CURLcode result);
/* Starts the attempt of an exchange that waits for `again_at`. */
void transfer_resume(struct exchange *exchange);
void transfer_end(struct exchange *exchange);

#endif
