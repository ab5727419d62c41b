/* SPDX-License-Identifier: MIT
 *
 * What operators ask for: whether the server can be reached, and numbers in Prometheus' text format.
 */
#include <stdio.h>
#include <string.h>

#include "gateway_private.h"

void health_answer(struct exchange *exchange)
{
    struct gateway *gateway = exchange->gateway;
    gateway_probe(gateway);
    bool good = gateway->statistics.reachable && !gateway->draining;
    const char *body = good                ? "{\"status\":\"ok\"}\n"
                       : gateway->draining ? "{\"status\":\"ending\"}\n"
                                           : "{\"status\":\"the server cannot be reached\"}\n";
    answer_body(&exchange->answer, good ? 200 : 503, "application/json", body, strlen(body));
    exchange_answered(exchange);
}

struct metric {
    const char *name, *kind, *help;
    uint64_t value;
};

void metrics_answer(struct exchange *exchange)
{
    struct gateway_statistics s;
    gateway_get_statistics(exchange->gateway, &s);
    const struct metric metrics[] = {
        {"http_requests_total", "counter", "HTTP requests", s.requests},
        {"http_unauthorised_total", "counter", "without the token", s.unauthorised},
        {"http_forbidden_total", "counter", "with a Host or an Origin that may not ask", s.forbidden},
        {"http_header_mismatches_total", "counter", "whose headers differ from the body", s.mismatches},
        {"http_exchanges", "gauge", "HTTP requests under way", s.exchanges},
        {"http_waiting", "gauge", "of these, waiting for a connection to the server", s.waiting},
        {"http_streams", "gauge", "of these, streams of events", s.reading},
        {"http_streams_total", "counter", "streams of events", s.streams},
        {"http_streams_resumed_total", "counter", "of these, gone on with by Last-Event-ID",
         s.streams_resumed},
        {"http_body_bytes", "gauge", "memory of requests that are being read", s.bodies},
        {"event_bytes", "gauge", "memory of events", s.buffered},
        {"events_dropped_total", "counter", "events that nobody came back for", s.events_dropped},
        {"sessions", "gauge", "sessions", s.sessions},
        {"sessions_connected", "gauge", "of these, with a connection to the server", s.sessions_connected},
        {"sessions_created_total", "counter", "sessions that were begun", s.sessions_created},
        {"sessions_ended_total", "counter", "sessions that have ended", s.sessions_ended},
        {"sessions_expired_total", "counter", "of these, because nobody used them", s.sessions_expired},
        {"sessions_parked_total", "counter", "times a session gave its connection up", s.sessions_parked},
        {"sessions_replayed_total", "counter", "times one got another", s.sessions_replayed},
        {"server_reachable", "gauge", "1 when the server can be reached", s.reachable ? 1 : 0},
        {"server_connections", "gauge", "connections to the server", s.links},
        {"server_connections_idle", "gauge", "of these, used by nobody", s.links_idle},
        {"server_connections_total", "counter", "connections that were opened", s.links_opened},
        {"server_connections_failed_total", "counter", "connections that could not be", s.links_failed},
        {"server_connections_lost_total", "counter", "connections that the server ended", s.links_lost},
        {"messages_in_total", "counter", "messages to the server", s.messages_in},
        {"messages_out_total", "counter", "messages of the server", s.messages_out},
        {"messages_dropped_total", "counter", "of these, for nobody", s.messages_dropped},
    };
    char text[8192];
    size_t at = 0;
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        const struct metric *m = &metrics[i];
        at +=
            (size_t)snprintf(text + at, sizeof text - at, "# HELP mcp_%s %s\n# TYPE mcp_%s %s\nmcp_%s %llu\n",
                             m->name, m->help, m->name, m->kind, m->name, (unsigned long long)m->value);
    }
    at +=
        (size_t)snprintf(text + at, sizeof text - at,
                         "# HELP mcp_http_answers_total by status\n# TYPE mcp_http_answers_total counter\n");
    for (unsigned i = 2; i < 6; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "mcp_http_answers_total{status=\"%uxx\"} %llu\n",
                               i, (unsigned long long)s.answers[i]);
    answer_body(&exchange->answer, 200, "text/plain; version=0.0.4", text, at);
    exchange_answered(exchange);
}
