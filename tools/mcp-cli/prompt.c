/* SPDX-License-Identifier: MIT */
#include "prompt.h"

enum status prompt_run(struct session *session, struct error *error)
{
    (void)session;
    return error_set(error, STATUS_USAGE, "there is no command");
}
