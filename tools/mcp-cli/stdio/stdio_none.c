/* SPDX-License-Identifier: MIT
 *
 * Windows: standard input cannot be waited for together with a socket there.
 */
#include "stdio/stdio.h"

enum status stdio_run(struct session *session, int count, char **argv, struct error *error)
{
    (void)session;
    (void)count;
    (void)argv;
    return error_set(error, STATUS_USAGE, "stdio is not for Windows");
}
