/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <logging/log.h>
#include <mcp/transport.h>
#include <service/connections.h>
#include <service/policy.h>

#define TOOLS_ALL UINT32_MAX

static const char *const tool_names[] = {"infer", "health",   "metadata", "load_model",
                                         "logs",  "tokenize", "embed"};

#define TOOL_COUNT (sizeof tool_names / sizeof tool_names[0])
_Static_assert(TOOL_COUNT < 31, "a bit for each, and one for all others");

struct parser {
    const char *at, *end;
    unsigned line, rule; /* from 1; rules are counted, because a command line has no lines */
    char *error;
    size_t error_size;
};

struct word {
    const char *text;
    size_t length;
};

static bool word_is(struct word word, const char *name)
{
    return strlen(name) == word.length && memcmp(word.text, name, word.length) == 0;
}

static int fail(const struct parser *parser, const char *what, struct word word)
{
    (void)log_format(parser->error, parser->error_size, "policy, line %u, rule %u: %s '%.*s'", parser->line,
                     parser->rule, what, (int)(word.length < 40 ? word.length : 40), word.text);
    return -EINVAL;
}

/* ---- characters ---- */

static void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->end) {
        if (*parser->at == '#')
            while (parser->at < parser->end && *parser->at != '\n')
                parser->at++;
        else if (*parser->at == ' ' || *parser->at == '\t' || *parser->at == '\r')
            parser->at++;
        else
            break;
    }
}

/* Takes the character if it is next. */
static bool take(struct parser *parser, char expected)
{
    skip_blanks(parser);
    if (parser->at == parser->end || *parser->at != expected)
        return false;
    parser->at++;
    return true;
}

static bool is_word_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct word take_word(struct parser *parser)
{
    skip_blanks(parser);
    struct word word = {parser->at, 0};
    while (parser->at < parser->end && is_word_character(*parser->at))
        parser->at++;
    word.length = (size_t)(parser->at - word.text);
    return word;
}

/* What stands where something else was expected, for an error. */
static struct word rest(struct parser *parser)
{
    skip_blanks(parser);
    struct word word = {parser->at, 0};
    while (parser->at + word.length < parser->end && parser->at[word.length] != '\n' &&
           parser->at[word.length] != ';')
        word.length++;
    return word;
}

/* Decimal; K or M may follow where `scaled`. */
static int read_number(struct word word, bool scaled, uint64_t maximum, uint64_t *number)
{
    uint64_t value = 0;
    size_t digits = 0;
    while (digits < word.length && word.text[digits] >= '0' && word.text[digits] <= '9') {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(word.text[digits] - '0'), &value))
            return -EINVAL;
        digits++;
    }
    unsigned shift = 0;
    if (scaled && digits + 1 == word.length)
        shift = word.text[digits] == 'K' ? 10 : word.text[digits] == 'M' ? 20 : 0;
    if (digits == 0 || digits + (shift != 0 ? 1 : 0) != word.length || value > maximum >> shift)
        return -EINVAL;
    *number = value << shift;
    return 0;
}

/* ---- rules ---- */

static int parse_port(struct parser *parser, uint32_t *port)
{
    struct word word = take_word(parser);
    uint64_t number;
    if (read_number(word, false, UINT32_MAX - 1, &number) != 0)
        return fail(parser, "not a port:", word);
    *port = (uint32_t)number;
    return 0;
}

static int parse_ports(struct parser *parser, struct policy_rule *rule)
{
    int error = parse_port(parser, &rule->port_first);
    rule->port_last = rule->port_first;
    if (error == 0 && take(parser, '-'))
        error = parse_port(parser, &rule->port_last);
    if (error == 0 && rule->port_last < rule->port_first)
        return fail(parser, "the last port is below the first, before", rest(parser));
    return error;
}

static int parse_peer(struct parser *parser, struct policy_rule *rule)
{
    struct word kind = take_word(parser);
    rule->any_cid = true;
    rule->port_last = UINT32_MAX;
    if (word_is(kind, "any"))
        rule->kind = POLICY_ANY;
    else if (word_is(kind, "console"))
        rule->kind = POLICY_CONSOLE;
    else if (word_is(kind, "vsock"))
        rule->kind = POLICY_VSOCK;
    else
        return fail(parser, "not vsock, console or any:", kind.length > 0 ? kind : rest(parser));
    if (rule->kind != POLICY_VSOCK || !take(parser, ':'))
        return 0;
    struct word cid = take_word(parser);
    rule->any_cid = false;
    if (word_is(cid, "host"))
        rule->cid = 2; /* VSOCK_CID_HOST */
    else if (read_number(cid, false, UINT64_MAX, &rule->cid) != 0)
        return fail(parser, "not a CID:", cid);
    return take(parser, ':') ? parse_ports(parser, rule) : 0;
}

static int parse_tools(struct parser *parser, struct policy_rule *rule)
{
    struct word word = take_word(parser);
    if (word_is(word, "none"))
        return 0;
    if (word_is(word, "all")) {
        rule->tools = TOOLS_ALL;
        return 0;
    }
    for (;;) {
        uint32_t bit = 0;
        for (size_t i = 0; i < TOOL_COUNT; i++)
            if (word_is(word, tool_names[i]))
                bit = 1u << i;
        if (bit == 0)
            return fail(parser, rule->tools == 0 ? "not a tool, all or none:" : "not a tool:",
                        word.length > 0 ? word : rest(parser));
        rule->tools |= bit;
        if (!take(parser, '+'))
            return 0;
        word = take_word(parser);
    }
}

static int parse_limit(struct parser *parser, struct policy_rule *rule)
{
    struct word name = take_word(parser);
    uint32_t *count = NULL;
    uint64_t maximum = UINT32_MAX, number;
    if (word_is(name, "connections")) {
        count = &rule->connections_max;
        maximum = CONNECTIONS_MAX;
    } else if (word_is(name, "calls")) {
        count = &rule->calls_max;
    } else if (word_is(name, "rate")) {
        count = &rule->requests_per_second;
    } else if (word_is(name, "message")) {
        maximum = MCP_MESSAGE_MAX;
    } else {
        return fail(parser,
                    "not connections, calls, rate or message:", name.length > 0 ? name : rest(parser));
    }
    if (count != NULL ? *count != 0 : rule->message_max != 0)
        return fail(parser, "given twice:", name);
    if (!take(parser, '='))
        return fail(parser, "'=' is missing after", name);
    struct word value = take_word(parser);
    if (read_number(value, count == NULL, maximum, &number) != 0 || number == 0)
        return fail(parser, "out of range:", value);
    if (count != NULL)
        *count = (uint32_t)number;
    else
        rule->message_max = (size_t)number;
    return 0;
}

static int parse_rule(struct parser *parser, struct policy_rule *rule)
{
    int error = parse_peer(parser, rule);
    if (error == 0 && !take(parser, '='))
        error = fail(parser, "'=' expected before", rest(parser));
    if (error == 0)
        error = parse_tools(parser, rule);
    while (error == 0 && take(parser, ','))
        error = parse_limit(parser, rule);
    return error;
}

static int parse_rules(struct parser *parser, struct policy *policy)
{
    for (;;) {
        while (take(parser, ';') || take(parser, '\n'))
            parser->line += parser->at[-1] == '\n' ? 1 : 0;
        if (parser->at == parser->end)
            return 0;
        parser->rule++;
        if (policy->count == POLICY_RULES_MAX)
            return fail(parser, "more than 32 rules:", rest(parser));
        struct policy_rule *rule = &policy->rules[policy->count++];
        *rule = (struct policy_rule){.kind = POLICY_ANY};
        int error = parse_rule(parser, rule);
        if (error != 0)
            return error;
        skip_blanks(parser);
        if (parser->at < parser->end && *parser->at != ';' && *parser->at != '\n')
            return fail(parser, "not understood:", rest(parser));
    }
}

int policy_parse(struct policy *policy, const char *text, size_t length, char *error, size_t error_size)
{
    struct parser parser = {
        .at = text, .end = text + length, .line = 1, .error = error, .error_size = error_size};
    policy->count = 0;
    int result = parse_rules(&parser, policy);
    if (result == 0 && policy->count == 0)
        result = fail(&parser, "no rule, so nobody could connect", (struct word){"", 0});
    if (result != 0)
        policy->count = 0;
    return result;
}

/* ---- decisions ---- */

static bool fits(const struct policy_rule *rule, const char *kind, uint64_t cid, uint32_t port)
{
    switch (rule->kind) {
    case POLICY_ANY:
        return true;
    case POLICY_CONSOLE:
        return strcmp(kind, "console") == 0;
    case POLICY_VSOCK:
        return strcmp(kind, "vsock") == 0 && (rule->any_cid || rule->cid == cid) &&
               port >= rule->port_first && port <= rule->port_last;
    }
    return false;
}

const struct policy_rule *policy_find(const struct policy *policy, const char *kind, uint64_t cid,
                                      uint32_t port)
{
    for (size_t i = 0; i < policy->count; i++)
        if (fits(&policy->rules[i], kind, cid, port))
            return policy->rules[i].tools != 0 ? &policy->rules[i] : NULL;
    return NULL;
}

uint32_t policy_needs(const char *tool)
{
    for (size_t i = 0; i < TOOL_COUNT; i++)
        if (strcmp(tool_names[i], tool) == 0)
            return 1u << i;
    return 1u << 31;
}
