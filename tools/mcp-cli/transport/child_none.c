/* SPDX-License-Identifier: MIT
 *
 * In the place of child.c on Windows.
 */
#include "transport.h"

enum status child_open(struct transport **transport, const struct transport_options *options,
                       struct error *error)
{
    (void)transport;
    (void)options;
    return error_set(error, STATUS_CONNECTION, "on Windows, mcp-cli starts no servers");
}
