/* SPDX-License-Identifier: MIT
 *
 * From tokens' bytes to the text that is given away: whole characters, and nothing that may be the beginning
 * of a stop string.
 */
#ifndef AIRT_TRANSFORMER_OUTPUT_H
#define AIRT_TRANSFORMER_OUTPUT_H

#include "work.h"

#define OUTPUT_PIECE 1024

struct output {
    struct work *work;
    airt_emit emit;
    void *context;
    const struct airt_text *stops; /* none longer than AIRT_STOP_LENGTH_MAX */
    size_t stop_count;
    bool stopped; /* a stop string is complete: what follows is ignored */
    /* A character of which bytes are missing. */
    char partial[4];
    size_t partial_length;
    /* What may be the beginning of a stop string. */
    char held[AIRT_STOP_LENGTH_MAX + 4];
    size_t held_length;
    /* What can be given away. */
    char piece[OUTPUT_PIECE];
    size_t length;
};

/* Adds a token's bytes and gives away what can be. Bytes that are not UTF-8 become U+FFFD. Returns 0, or
 * -ECANCELED where emit or the yield said so. */
int output_add(struct output *output, const char *bytes, size_t length);

/* The text ends here: gives away the rest. */
int output_end(struct output *output);

#endif
