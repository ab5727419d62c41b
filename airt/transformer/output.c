/* SPDX-License-Identifier: MIT */
#include "transformer/output.h"

#include <errno.h>
#include <string.h>

#include "utf8.h"

/* For each byte of a token: itself, and the comparisons with a stop string, of which nearly all end at once.
 */
#define WORK_PER_BYTE 16
#define WORK_PER_STOP (4 * AIRT_STOP_LENGTH_MAX)

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static int flush(struct output *output)
{
    size_t length = output->length;

    output->length = 0;
    if (length > 0 && output->emit(output->context, output->piece, length) != 0)
        return -ECANCELED;
    return 0;
}

/* Gives away the first bytes of what is held. Held are whole characters, and so is a stop string's beginning
 * that is kept: no character is cut. */
static int release(struct output *output, size_t length)
{
    int rc = 0;

    if (output->length + length > sizeof(output->piece))
        rc = flush(output);
    memcpy(output->piece + output->length, output->held, length);
    output->length += length;
    output->held_length -= length;
    memmove(output->held, output->held + length, output->held_length);
    return rc;
}

static bool ends_with(const struct output *output, const char *text, size_t length)
{
    return length <= output->held_length &&
           memcmp(output->held + output->held_length - length, text, length) == 0;
}

/* How much of the end of what is held may begin a stop string. */
static size_t beginning(const struct output *output)
{
    size_t longest = 0;

    for (size_t i = 0; i < output->stop_count; i++) {
        size_t length = output->stops[i].length - 1;

        while (length > longest && !ends_with(output, output->stops[i].bytes, length))
            length--;
        if (length > longest)
            longest = length;
    }
    return longest;
}

static int add_character(struct output *output, const char *bytes, size_t length)
{
    memcpy(output->held + output->held_length, bytes, length);
    output->held_length += length;
    for (size_t i = 0; i < output->stop_count; i++) {
        if (ends_with(output, output->stops[i].bytes, output->stops[i].length)) {
            output->stopped = true;
            output->held_length -= output->stops[i].length;
            return release(output, output->held_length);
        }
    }
    return release(output, output->held_length - beginning(output));
}

/* Whether more bytes can make a character of these, which are none yet. */
static bool may_continue(const char *bytes, size_t length)
{
    static const char least[] = "\x80\x80\x80";
    static const char most[] = "\xbf\xbf\xbf";
    char tried[4];
    uint32_t character;

    for (size_t total = length + 1; total <= sizeof(tried); total++) {
        memcpy(tried, bytes, length);
        /* The second byte alone has limits that depend on the first. */
        memcpy(tried + length, least, total - length);
        if (utf8_decode(tried, total, &character) == total)
            return true;
        memcpy(tried + length, most, total - length);
        if (utf8_decode(tried, total, &character) == total)
            return true;
    }
    return false;
}

/* Takes one byte more. */
static int add_byte(struct output *output, char byte)
{
    uint32_t character;
    int rc;

    output->partial[output->partial_length++] = byte;
    if (utf8_decode(output->partial, output->partial_length, &character) == output->partial_length) {
        rc = add_character(output, output->partial, output->partial_length);
        output->partial_length = 0;
        return rc;
    }
    if (may_continue(output->partial, output->partial_length))
        return 0;
    /* One mark for what was well-formed so far; the byte that is not begins anew. */
    rc = add_character(output, REPLACEMENT, sizeof(REPLACEMENT) - 1);
    if (output->partial_length == 1 || output->stopped || rc != 0) {
        output->partial_length = 0;
        return rc;
    }
    output->partial_length = 0;
    return add_byte(output, byte);
}

int output_add(struct output *output, const char *bytes, size_t length)
{
    int rc = 0;

    for (size_t i = 0; i < length && rc == 0 && !output->stopped; i++) {
        rc = add_byte(output, bytes[i]);
        if (rc == 0)
            rc = work_spend(output->work, WORK_PER_BYTE + output->stop_count * WORK_PER_STOP);
    }
    return rc == 0 ? flush(output) : rc;
}

int output_end(struct output *output)
{
    int rc = 0;

    if (!output->stopped && output->partial_length > 0)
        rc = add_character(output, REPLACEMENT, sizeof(REPLACEMENT) - 1);
    output->partial_length = 0;
    if (rc == 0)
        rc = release(output, output->held_length);
    return rc == 0 ? flush(output) : rc;
}
