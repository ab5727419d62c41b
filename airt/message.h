/* SPDX-License-Identifier: MIT
 *
 * Builds the text of an airt_error, piece by piece, without printf. What does not fit is cut at a character.
 */
#ifndef AIRT_MESSAGE_H
#define AIRT_MESSAGE_H

#include "airt/airt.h"

/* Begins with "NAME: ". `error` may be NULL, then all of this does nothing. */
void message_start(struct airt_error *error, const char *name);
void message_text(struct airt_error *error, const char *text);
void message_number(struct airt_error *error, uint64_t number);

/* message_start, text, and rc: `return message_fail(error, name, -ENOMEM, "no memory");` */
int message_fail(struct airt_error *error, const char *name, int rc, const char *text);

#endif
