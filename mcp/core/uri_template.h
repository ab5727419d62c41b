/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: URI templates (RFC 6570), as far as resources use them: {name} and {+name}.
 */
#ifndef MCP_URI_TEMPLATE_H
#define MCP_URI_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "mcp/json.h"

#define URI_TEMPLATE_VARIABLES 8
#define URI_VARIABLE_NAME_MAX  63

struct uri_variable {
    char name[URI_VARIABLE_NAME_MAX + 1];
    const char *value; /* in the URI, as it stands there */
    size_t length;
};

/* Whether it has braces. */
bool uri_is_template(const char *uri);
/* At most URI_TEMPLATE_VARIABLES expressions, none next to another; names of letters, digits and '_'. */
bool uri_template_is_valid(const char *text);
bool uri_template_has_variable(const char *text, struct mcp_json name);

/* Whether the URI fits a valid template: how many variables, or -1. Linear in the length of the URI, for each
 * variable. */
int uri_template_match(const char *text, const char *uri,
                       struct uri_variable variables[URI_TEMPLATE_VARIABLES]);

/* Decodes percent-encoded bytes (RFC 3986, section 2.1), in place; what is not well encoded stays. Returns
 * the length. */
size_t uri_decode(char *text, size_t length);

#endif
