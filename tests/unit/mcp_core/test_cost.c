/* SPDX-License-Identifier: MIT
 *
 * Work on a message is linear in its length: the worst 1 MiB costs at most 20 times what 64 KiB cost (16
 * times would be exactly linear), counted in instructions.
 *
 * Without arguments it runs itself under callgrind, once per kind of input and size. With a kind and a size
 * it handles one such message.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mcp/server.h>

#define SKIPPED 77
#define SMALL   ((size_t)64 * 1024)
#define LARGE   ((size_t)1024 * 1024)
#define WORST   20.0

static void *allocate(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

static size_t sent;

static int count_bytes(void *context, const char *message, size_t length)
{
    (void)context;
    (void)message;
    sent += length;
    return 0;
}

static void echo(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *result = mcp_call_result(call);

    (void)context;
    mcp_json_begin_object(result);
    mcp_json_key_write(result, "x");
    mcp_json_value(result, mcp_json_member(mcp_call_arguments(call), "x"));
    mcp_json_end_object(result);
    mcp_call_finish(call);
}

static const struct mcp_tool tool = {
    .name = "t",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"x\":{},\"n\":{\"type\":\"integer\"}},\"required\":[\"x\"]}",
    .handler = echo,
};

/* A message: `head`, then `unit` as often as it fits, then `tail`. */
struct kind {
    const char *name, *head, *unit, *tail;
};

#define CALL                                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"                                                      \
    "call\",\"params\":{\"name\":\"t\",\"arguments\":{\"x\":"
#define END "}}}"
/* 60 levels in the five of a call */
#define OPEN12  "[[[[[[[[[[[["
#define CLOSE12 "]]]]]]]]]]]]"
#define OPEN60  OPEN12 OPEN12 OPEN12 OPEN12 OPEN12
#define CLOSE60 CLOSE12 CLOSE12 CLOSE12 CLOSE12 CLOSE12
#define DEEP6   "{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":"
#define BACK6   "}}}}}}"
#define DEEP48  DEEP6 DEEP6 DEEP6 DEEP6 DEEP6 DEEP6 DEEP6 DEEP6
#define BACK48  BACK6 BACK6 BACK6 BACK6 BACK6 BACK6 BACK6 BACK6

static const struct kind kinds[] = {
    {"nested", CALL "[0", "," OPEN60 CLOSE60, "]" END},
    {"nested-objects", CALL "[0", "," DEEP48 "0" BACK48, "]" END},
    {"siblings-in-the-deep", CALL OPEN12 OPEN12 OPEN12 OPEN12 "0", ",0", CLOSE12 CLOSE12 CLOSE12 CLOSE12 END},
    {"short-keys", CALL "0", ",\"\":0", END},
    {"the-same-argument", CALL "0", ",\"n\":1e300", END},
    {"many-ids", "{\"jsonrpc\":\"2.0\",\"method\":\"ping\"", ",\"ie\":0", "}"},
    {"empty-objects", CALL "[{}", ",{}", "]" END},
    {"escapes", CALL "\"", "\\u00e9", "\"" END},
    {"backslashes", CALL "\"", "\\\\", "\"" END},
    {"long-number", CALL, "1", END},
    {"space", CALL, " ", "0" END},
    {"batch", "[0", ",0", "]"},
    {"long-id", "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"none\"},\"id\":\"",
     "i", "\"}"},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static char *message_of(const struct kind *kind, size_t size)
{
    size_t fixed = strlen(kind->head) + strlen(kind->tail);
    size_t unit = strlen(kind->unit);
    size_t filled = (size - fixed) / unit * unit;
    char *text = malloc(size + 1);
    size_t at = strlen(kind->head);

    if (text == NULL)
        exit(1);
    memcpy(text, kind->head, at);
    memcpy(text + at, kind->unit, unit);
    for (size_t done = unit; done < filled; done *= 2) /* doubling costs next to nothing */
        memcpy(text + at + done, text + at, done * 2 <= filled ? done : filled - done);
    memcpy(text + at + filled, kind->tail, strlen(kind->tail) + 1);
    return text;
}

static int handle_one(const struct kind *kind, size_t size)
{
    struct mcp_server_config config = {
        .name = "n", .version = "v", .memory = {.allocate = allocate, .release = release}};
    static const char initialize[] = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
                                     "\"protocolVersion\":\"2025-03-26\"}}";
    struct mcp_server *server;
    struct mcp_session *session;
    char *text;

    if (mcp_server_create(&config, &server) != 0 || mcp_server_add_tool(server, &tool) != 0 ||
        mcp_session_open(server, count_bytes, NULL, &session) != 0)
        return 1;
    mcp_session_receive(session, initialize, strlen(initialize));
    sent = 0;
    text = message_of(kind, size);
    mcp_session_receive(session, text, strlen(text));
    mcp_session_close(session);
    mcp_server_destroy(server);
    free(text);
    return sent > 0 || strcmp(kind->name, "many-ids") == 0 ? 0 : 1; /* a notification has no answer */
}

/* Instructions that this program takes with these arguments; 0 when they cannot be counted. */
static uint64_t count_instructions(const char *self, const char *kind, size_t size)
{
    char command[1024], line[512];
    uint64_t count = 0;
    FILE *output;

    (void)snprintf(command, sizeof(command),
                   "valgrind --tool=callgrind --callgrind-out-file=/dev/null '%s' %s %zu 2>&1", self, kind,
                   size);
    output = popen(command, "r");
    if (output == NULL)
        return 0;
    while (fgets(line, sizeof(line), output) != NULL) {
        const char *found = strstr(line, "Collected : ");

        if (found != NULL)
            count = strtoull(found + strlen("Collected : "), NULL, 10);
    }
    return pclose(output) == 0 ? count : 0;
}

static int compare_all(const char *self)
{
    uint64_t none = count_instructions(self, "none", 0);
    bool failed = false;

    for (size_t i = 0; i < KINDS; i++) {
        uint64_t small = count_instructions(self, kinds[i].name, SMALL);
        uint64_t large = count_instructions(self, kinds[i].name, LARGE);
        double ratio = small > none ? (double)(large - none) / (double)(small - none) : 0;
        bool linear = ratio > 1 && ratio <= WORST;

        printf("%-24s %12" PRIu64 " %12" PRIu64 "  x %.2f  %.0f per byte%s\n", kinds[i].name, small, large,
               ratio, (double)(large - none) / (double)LARGE, linear ? "" : "  FAILED");
        failed = failed || !linear;
    }
    return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    char self[512];
    ssize_t length;

    if (argc == 3) {
        for (size_t i = 0; i < KINDS; i++)
            if (strcmp(argv[1], kinds[i].name) == 0)
                return handle_one(&kinds[i], (size_t)strtoull(argv[2], NULL, 10));
        return 0; /* "none": what the program costs by itself */
    }
#ifdef __SANITIZE_ADDRESS__
    puts("skipped: valgrind cannot run a program with AddressSanitizer in it");
    return SKIPPED;
#endif
    length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length <= 0)
        return 1;
    self[length] = '\0';
    if (count_instructions(self, "none", 0) == 0) {
        puts("skipped: valgrind is not installed, or cannot run here");
        return SKIPPED;
    }
    return compare_all(self);
}
