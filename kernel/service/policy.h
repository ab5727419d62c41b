/* SPDX-License-Identifier: MIT
 *
 * Who may connect, and what each client may do: a list of rules, the first of which that fits a client
 * decides; a client that none fits is refused.
 *
 *   vsock:2:1-1023 = all                                  # the host's privileged ports
 *   vsock:2        = infer+health+metadata, rate=20       # everybody else on the host
 *   console        = all
 *
 * A rule is PEER=TOOLS[,LIMIT]... Rules stand on lines of their own or behind ';'; blanks mean nothing; '#'
 * begins a comment.
 *
 *   PEER   vsock[:CID[:PORT[-PORT]]], where CID is a number or `host` (2) and the ports are the client's own;
 *          console; any
 *   TOOLS  names joined by '+'; all; none (refuse the connection)
 *   LIMIT  connections=N (at once, of this rule), calls=N (unanswered, of one connection), rate=N (requests a
 *          second, of one connection), message=SIZE (bytes of one request; K and M are understood)
 */
#ifndef KERNEL_SERVICE_POLICY_H
#define KERNEL_SERVICE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_RULES_MAX 32
#define POLICY_TEXT_MAX  8192 /* bytes */

/* The host itself may do everything, nobody else anything. */
#define POLICY_DEFAULT "vsock:host=all;console=all"

enum policy_kind { POLICY_ANY, POLICY_VSOCK, POLICY_CONSOLE };

struct policy_rule {
    enum policy_kind kind;
    bool any_cid;
    uint64_t cid;
    uint32_t port_first, port_last;
    uint32_t tools;           /* a bit for each, in the order of policy_tool_name */
    uint32_t connections_max; /* 0: no limit of the rule's own, as for the others */
    uint32_t calls_max;
    uint32_t requests_per_second;
    size_t message_max;
};

struct policy {
    struct policy_rule rules[POLICY_RULES_MAX];
    size_t count;
};

/* Reads rules. Returns 0, or -EINVAL with what is wrong, and where, in `error`; *policy then refuses
 * everybody. */
int policy_parse(struct policy *policy, const char *text, size_t length, char *error, size_t error_size);

/* The rule for a client (`kind` as in <service/stream.h>), or NULL: refuse it. A rule that gives no tool
 * refuses, too. */
const struct policy_rule *policy_find(const struct policy *policy, const char *kind, uint64_t cid,
                                      uint32_t port);

/* The bit of a tool among a rule's `tools`; of an unknown name, one that `all` alone has. */
uint32_t policy_needs(const char *tool);

#endif
