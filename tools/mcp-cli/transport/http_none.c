/* SPDX-License-Identifier: MIT
 *
 * In the place of http.c where there is no libcurl.
 */
#include "transport.h"

enum status http_open(struct transport **transport, const struct transport_options *options,
                      struct error *error)
{
    (void)transport;
    (void)options;
    return error_set(error, STATUS_CONNECTION, "this mcp-cli is built without HTTP (libcurl)");
}

bool http_is_private(const char *url)
{
    (void)url;
    return true;
}
