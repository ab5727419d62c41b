/* SPDX-License-Identifier: MIT
 *
 * What may stand in a line of the log.
 */
#ifndef LOGGING_TEXT_H
#define LOGGING_TEXT_H

#include <stddef.h>

/* Makes `text` (NUL-terminated, cut by the formatter to size - 1 bytes when `whole_length`, the length that
 * it would have, is more) fit for the log: what was cut ends in "...", and control characters other than tab
 * and bytes that are not UTF-8 become '?'. Returns its length. */
size_t text_fit(char *text, size_t whole_length, size_t size);

#endif
