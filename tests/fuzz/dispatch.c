/* SPDX-License-Identifier: MIT
 *
 * The whole MCP server, two sessions of it. The input is text, a line at a time: "a" or "b" and a message for
 * that session; or what else happens:
 *   k, e, c, n   the handler that waits longest finishes; fails; says a JSON-RPC error; finds nothing
 *   g            it goes on: a log message, and progress
 *   u, l         a resource has changed; the server logs
 *   t and t, r, p      a tool, a resource, a prompt goes or comes back
 *   z, T         session a's subscriptions end; all tasks
 *   w and a letter     time passes, and tasks may expire
 *   i and a letter     session a is another principal
 *   x, y         session a, b closes, and another takes its place
 *   f, F and a digit   the n-th allocation from here fails; and all after it, until the next message is over
 *   s and a letter     what the next send does: fail, close its session, finish a tool (k), ask again (p)
 * A line that begins with none of these goes to session a. The first line's length chooses the configuration.
 *
 * Every message of the server is one line of valid JSON-RPC; each request is answered once, with its id.
 */
#include "fuzz.h"
#include "offers.h"
#include "server_private.h"
#include "mcp/task.h"
#include "unit/mcp_core/support.h"

#define SESSIONS    2
#define PENDING_MAX 512
#define LINES_MAX   200

struct client_session {
    struct mcp_session *session;
    bool closed;
    char next_send;
    bool asked;  /* it has questions to answer, and may never do so */
    bool unsure; /* ids that two parsers see differently: do not count */
    size_t answers, null_answers;
};

/* A request that is not answered. */
struct pending {
    struct client_session *session;
    char *id;      /* JSON text */
    bool optional; /* it was cancelled */
};

static struct test_memory memory;
static struct mcp_server *server;
static struct mcp_server_config config;
static struct client_session *sessions[SESSIONS];
static struct client_session *all[LINES_MAX + SESSIONS]; /* closed ones too: no message may come for them */
static size_t all_count;
static struct pending pending[PENDING_MAX];
static size_t pending_count;
static uint64_t now;           /* milliseconds */
static uint8_t last_seed;      /* of what the server takes for entropy */
static unsigned depth, nested; /* calls from within the send hook, now and ever */

/* ---- what comes from the server ---- */

static void remove_pending(size_t i)
{
    free(pending[i].id);
    memmove(&pending[i], &pending[i + 1], (--pending_count - i) * sizeof(pending[0]));
}

static void answered(struct client_session *session, const json_t *id)
{
    char *text = json_dumps(id, JSON_ENCODE_ANY);

    session->answers++;
    session->null_answers += json_is_null(id);
    /* One that was cancelled need not be answered: the other one of that id, rather. */
    size_t found = pending_count;
    for (size_t i = 0; i < pending_count; i++)
        if (pending[i].session == session && strcmp(pending[i].id, text) == 0 &&
            (found == pending_count || pending[found].optional))
            found = i;
    if (found < pending_count) {
        remove_pending(found);
        free(text);
        return;
    }
    if (!json_is_null(id) && !session->unsure)
        fail_msg("an answer to %s, which nobody asked", text);
    free(text);
}

static void check_message(struct client_session *session, const json_t *message)
{
    const json_t *error = json_object_get(message, "error"), *id = json_object_get(message, "id");

    assert_true(json_is_object(message));
    assert_string_equal(json_string_value(json_object_get(message, "jsonrpc")), "2.0");
    if (json_object_get(message, "method") != NULL) { /* of the server's own accord */
        assert_true(json_is_string(json_object_get(message, "method")));
        assert_true(id == NULL || json_is_integer(id));
        session->asked |= id != NULL;
        return;
    }
    assert_true(json_is_string(id) || json_is_number(id) || json_is_null(id));
    assert_true((error != NULL) != (json_object_get(message, "result") != NULL));
    if (error != NULL) {
        /* A real one beside an id that is too large for an integer. */
        double code = json_number_value(json_object_get(error, "code"));
        assert_true(code <= -32000 && code >= -32768 && code == (int)code);
        assert_true(json_string_length(json_object_get(error, "message")) > 0);
    }
    answered(session, id);
}

static void tell(struct client_session *session, const char *text, size_t length);
static void close_session(size_t which);

static int on_send(void *context, const char *text, size_t length)
{
    struct client_session *session = context;
    bool unsure = false;
    json_t *message = test_load(text, length, &unsure);
    char next = session->next_send;

    assert_false(session->closed);
    assert_true(message != NULL || unsure);
    assert_null(memchr(text, '\n', length));
    assert_true(length <= config.message_max);
    if (message == NULL) {
        session->unsure = true;
    } else if (json_is_array(message)) {
        assert_true(json_array_size(message) > 0);
        for (size_t i = 0; i < json_array_size(message); i++)
            check_message(session, json_array_get(message, i));
    } else {
        check_message(session, message);
    }
    json_decref(message);
    session->next_send = 0;
    if (next == 0 || depth > 2)
        return 0;
    depth++;
    nested++;
    if (next == 'f')
        session->unsure = true; /* who knows what has come through */
    else if (next == 'k')
        (void)offers_end_oldest('k');
    else if (next == 'p')
        tell(session, "{\"jsonrpc\":\"2.0\",\"id\":\"again\",\"method\":\"ping\"}", 46);
    else if (next == 'x')
        close_session(session == sessions[0] ? 0 : 1);
    depth--;
    return next == 'f' ? -1 : 0;
}

/* ---- what goes to it ---- */

static void open_session(size_t which)
{
    size_t fail_at = memory.fail_at;
    struct client_session *session = calloc(1, sizeof(*session));

    assert_true(session != NULL && all_count < sizeof(all) / sizeof(all[0]));
    memory.fail_at = 0;
    assert_int_equal(mcp_session_open(server, on_send, session, &session->session), 0);
    memory.fail_at = fail_at;
    sessions[which] = session;
    all[all_count++] = session;
}

static void close_session(size_t which)
{
    struct client_session *session = sessions[which];

    if (all_count == sizeof(all) / sizeof(all[0]))
        return;
    session->closed = true;
    mcp_session_close(session->session);
    for (size_t i = pending_count; i > 0; i--)
        if (pending[i - 1].session == session)
            remove_pending(i - 1);
    open_session(which);
}

static void expect(struct client_session *session, const json_t *id)
{
    if (pending_count == PENDING_MAX) {
        session->unsure = true;
        return;
    }
    pending[pending_count++] = (struct pending){.session = session, .id = json_dumps(id, JSON_ENCODE_ANY)};
}

static bool is_response(const json_t *message)
{
    return json_object_get(message, "method") == NULL &&
           (json_object_get(message, "result") != NULL || json_object_get(message, "error") != NULL);
}

/* How many answers a message must get, sooner or later; those with an id are noted. JSON-RPC 2.0, section 4.
 * With `request`, nothing but requests with an id counts. */
static size_t expected_answers(struct client_session *session, const json_t *message, bool *request)
{
    const json_t *id = json_object_get(message, "id"), *method = json_object_get(message, "method");
    const json_t *version = json_object_get(message, "jsonrpc");
    const char *version_text = json_string_value(version), *name = json_string_value(method);

    *request = false;
    if (!json_is_object(message))
        return 1;
    if (is_response(message))
        return 0;
    if (id != NULL && !json_is_string(id) && !json_is_integer(id))
        return 1;
    bool valid =
        (version_text != NULL && strcmp(version_text, "2.0") == 0 && json_string_length(version) == 3) ||
        (version == NULL && config.methods_are_tools && name != NULL && offers_has_tool(name));
    if (name != NULL && valid && id == NULL) {
        if (strcmp(name, "notifications/cancelled") == 0) {
            const json_t *target = json_object_get(json_object_get(message, "params"), "requestId");
            char *text = json_dumps(target, JSON_ENCODE_ANY);
            for (size_t i = 0; text != NULL && i < pending_count; i++)
                if (pending[i].session == session && strcmp(pending[i].id, text) == 0)
                    pending[i].optional = true;
            free(text);
        }
        return 0;
    }
    *request = id != NULL && method != NULL;
    if (id != NULL)
        expect(session, id);
    return 1;
}

/* What is refused as a whole is answered once. */
static bool batch_is_taken(const struct mcp_session *session, size_t count)
{
    return session->version != NULL && session->version->batches && count > 0 && count <= MCP_BATCH_MAX;
}

/* NULL also where two parsers may differ: a member that comes twice, a number beyond a double. */
static json_t *load_strictly(const char *text, size_t length)
{
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES;
    json_error_t error;

    return memchr(text, '\0', length) != NULL ? NULL : json_loadb(text, length, flags, &error);
}

static void tell(struct client_session *session, const char *text, size_t length)
{
    bool failing = memory.fail_at != 0, request = false;
    struct mcp_session *target = session->session;
    json_t *message = load_strictly(text, length);
    bool unsure = false, counted = message != NULL && !json_is_array(message);
    size_t before = session->answers, nulls = session->null_answers, pending_before = pending_count;
    size_t count = 0, nested_before = nested;
    bool batch = false;

    if (message == NULL) {
        json_t *again = test_load(text, length, &unsure);
        if (again != NULL || unsure)
            session->unsure = true; /* JSON, with what the two read differently */
        json_decref(again);
    }
    if (counted) {
        count = expected_answers(session, message, &request);
    } else if (message != NULL) {
        batch = batch_is_taken(target, json_array_size(message));
        for (size_t i = 0; batch && i < json_array_size(message); i++)
            (void)expected_answers(session, json_array_get(message, i), &request);
        for (size_t i = pending_before; failing && i < pending_count; i++)
            pending[i].optional = true; /* it may be refused as a whole, with a null for an id */
    }
    char *copy = exact_copy(text, length);
    mcp_session_receive(target, copy, length);
    memset(copy, 0xee, length);
    free(copy);
    memory.fail_at = 0;
    memory.fail_from = false;
    if (session->closed || session->unsure) {
        json_decref(message);
        return;
    }
    size_t got = session->answers - before;
    if ((message == NULL || (json_is_array(message) && !batch && !failing)) && depth == 0) { /* refused */
        assert_true(got >= 1 && session->null_answers > nulls);
    } else if (counted && depth == 0) {
        /* One that waits with its tool is answered later; without memory, what is no request may go by. What
         * the client answers may be what a tool, and a tasks/result, have waited for. */
        if (count == 0)
            assert_true(got == 0 || nested > nested_before || is_response(message));
        else if (!failing || request)
            assert_true(got >= 1 || pending_count > pending_before);
        /* An id too long for an answer without memory comes back as null; what is no request may go by. */
        bool passed = !request || session->null_answers > nulls;
        if (failing && passed && pending_count > pending_before)
            remove_pending(pending_count - 1);
    }
    json_decref(message);
}

static void one_line(const char *line, size_t length)
{
    size_t which = line[0] == 'b' || line[0] == 'y' ? 1 : 0;

    switch (line[0]) {
    case 'a':
    case 'b':
        tell(sessions[which], line + 1, length - 1);
        break;
    case 'k':
    case 'e':
    case 'c':
    case 'n':
    case 'g':
        (void)offers_end_oldest(line[0]);
        break;
    case 'u':
        mcp_server_resource_updated(server, OFFERS_URI);
        break;
    case 'l':
        mcp_server_log(server, length > 1 ? (enum mcp_log_level)((uint8_t)line[1] % 8) : MCP_LOG_INFO, NULL,
                       "\"text\"");
        break;
    case 't':
        offers_change(server, length > 1 ? line[1] : 't');
        break;
    case 'z':
        mcp_session_end_subscriptions(sessions[0]->session);
        break;
    case 'T':
        mcp_server_end_tasks(server);
        break;
    case 'w':
        now += length > 1 ? (uint64_t)(uint8_t)line[1] * 100 : 1;
        mcp_server_expire_tasks(server);
        break;
    case 'i':
        mcp_session_identify(sessions[0]->session, line + 1, length - 1);
        break;
    case 'x':
    case 'y':
        close_session(which);
        break;
    case 'f':
    case 'F':
        memory.allocations = 0;
        memory.fail_at = length > 1 ? (size_t)(uint8_t)line[1] % 16 + 1 : 1;
        memory.fail_from = line[0] == 'F';
        break;
    case 's':
        sessions[0]->next_send = length > 1 ? line[1] : 'x';
        sessions[1]->next_send = length > 2 ? line[2] : 0;
        break;
    default:
        tell(sessions[0], line, length);
        break;
    }
}

static int entropy(void *context, void *bytes, size_t size)
{
    (void)context;
    last_seed = last_seed % 15 + 1; /* ids that the input can guess, and that come again */
    memset(bytes, last_seed, size);
    return last_seed == 15 ? -1 : 0;
}

static uint64_t clock_ms(void *context)
{
    (void)context;
    return now;
}

static void start(size_t choice)
{
    static const size_t limits[] = {1 << 20, 4096, 1024, 2000};
    const struct mcp_task_config tasks = {
        .tasks_per_client = choice & 64 ? 2 : 0, .tasks_in_all = 40, .ttl_ms = 5000};

    memory = (struct test_memory){0};
    config = (struct mcp_server_config){.name = "fuzz",
                                        .title = "A \"test\"",
                                        .version = "0.1",
                                        .instructions = "None.",
                                        .memory = test_memory_hooks(&memory),
                                        .message_max = limits[choice / 2 % 4],
                                        .calls_per_session = choice & 8 ? 2 : 0,
                                        .memory_per_session = choice & 16 ? 600 : 0,
                                        .logging = true,
                                        .subscriptions_per_session = choice & 64 ? 2 : 0,
                                        .check_results = (choice & 32) != 0,
                                        .entropy = entropy,
                                        .clock_ms = clock_ms,
                                        .methods_are_tools = (choice & 1) != 0};
    assert_int_equal(mcp_server_create(&config, &server), 0);
    now = last_seed = 0;
    assert_int_equal(mcp_server_enable_tasks(server, &tasks), 0);
    mcp_server_enable_changes(server, true, true);
    offers_add(server);
    all_count = pending_count = depth = nested = 0;
    for (size_t i = 0; i < SESSIONS; i++)
        open_session(i);
}

static void stop(void)
{
    struct mcp_server_statistics statistics;

    memory.fail_at = 0;
    for (size_t i = 0; i < SESSIONS; i++)
        sessions[i]->next_send = 0;
    while (offers_end_oldest('k'))
        continue;
    mcp_server_end_tasks(server);
    for (size_t i = 0; i < SESSIONS; i++)
        mcp_session_end_subscriptions(sessions[i]->session);
    for (size_t i = 0; i < pending_count; i++)
        if (!pending[i].optional && !pending[i].session->asked && !pending[i].session->unsure &&
            !pending[i].session->closed)
            fail_msg("no answer to %s", pending[i].id);
    while (pending_count > 0)
        remove_pending(pending_count - 1);
    for (size_t i = 0; i < SESSIONS; i++) {
        assert_int_equal(mcp_session_pending(sessions[i]->session), 0);
        sessions[i]->closed = true;
        mcp_session_close(sessions[i]->session);
    }
    mcp_server_get_statistics(server, &statistics);
    assert_true(statistics.sessions == 0 && statistics.pending == 0 && statistics.tasks == 0);
    mcp_server_destroy(server);
    assert_int_equal(memory.held, 0);
    while (all_count > 0)
        free(all[--all_count]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;

    const uint8_t *first = memchr(data, '\n', size);
    start(first != NULL ? (size_t)(first - data) : size);
    size_t base = memory.held;
    for (size_t lines = 0; at < end && lines < LINES_MAX; lines++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = newline != NULL ? (size_t)(newline - at) : (size_t)(end - at);
        if (length > 0)
            one_line(at, length);
        at += length + 1;
    }
    /* Tokens, copies of arguments, an answer that grows up to a message, and sessions. */
    assert_true(memory.most <= base + 64 * size + 4 * config.message_max + LINES_MAX * 1024);
    stop();
    return 0;
}
