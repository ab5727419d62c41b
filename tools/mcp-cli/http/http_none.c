/* SPDX-License-Identifier: MIT
 *
 * Where libmicrohttpd is missing, or on Windows.
 */
#include "http.h"

enum status http_run(struct session *session, int count, char **argv, struct error *error)
{
    (void)session;
    (void)count;
    (void)argv;
    return error_set(
        error, STATUS_USAGE,
        "this mcp-cli was built without libmicrohttpd: install it (tools/setup --dev) and build again");
}
