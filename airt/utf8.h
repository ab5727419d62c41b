/* SPDX-License-Identifier: MIT
 *
 * UTF-8 (Unicode 15, table 3-7).
 */
#ifndef AIRT_UTF8_H
#define AIRT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Reads one character of `text`, of which `length` bytes (at least 1) are there. Returns its bytes and sets
 * *character, or 0 when it is not well-formed. */
size_t utf8_decode(const char *text, size_t length, uint32_t *character);

/* The largest length up to `limit` that does not cut a character of `text` in two. */
size_t utf8_cut(const char *text, size_t length, size_t limit);

#endif
