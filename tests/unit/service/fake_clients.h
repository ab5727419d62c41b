/* SPDX-License-Identifier: MIT
 *
 * Clients whose streams the test plays, a clock, and a model that only keeps its jobs; over the real server,
 * with the tools `infer` (a job), `health` (100,000 bytes of text at once) and `logs` (nothing).
 */
#ifndef FAKE_CLIENTS_H
#define FAKE_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mcp/server.h>
#include <service/connections.h>
#include <service/job_queue.h>
#include <service/policy.h>
#include <tasks/task.h>

#define CLIENTS_MAX 80
#define MODEL_JOBS  100

/* One client's stream: what it has sent, and what it got. */
struct client {
    struct connection *connection;
    const char *request; /* repeated for ever, or `requests_left` times */
    size_t length;       /* of the request where it holds zero bytes; otherwise 0 */
    size_t at;
    uint64_t requests_left, answers;
    size_t window; /* bytes that can still be sent to it */
    bool aborted, closed, ended;
    bool gone; /* it takes nothing any more */
    char last[512];
};

extern struct client clients[CLIENTS_MAX];
extern struct policy policy;
extern struct mcp_server *server;
extern uint64_t now, listener_due;
extern struct job model_jobs[MODEL_JOBS];
extern size_t model_job_count;

/* Setup and teardown of a test; the latter checks that all memory came back. */
int start(void **state);
int end(void **state);

void set_policy(const char *text);

/* Client `number` connects, and sends the request `count` times. */
struct client *come(unsigned number, const char *request, uint64_t count);
/* It sends another one, and is served until there is nothing to do at once. */
void ask(struct client *client, const char *request);
/* By initialize. */
void use_version(struct client *client, const char *version);

/* Does all jobs of the model. */
void run_model_jobs(void);

struct connections_statistics get_statistics(void);

extern const struct stream_operations client_operations;

#define PING "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"

#endif
