/* SPDX-License-Identifier: MIT */
#include "suggest.h"

#include <stdio.h>
#include <string.h>

#define LENGTH_MAX 64 /* bytes of words that are compared */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Insertions, deletions, replacements and exchanges of neighbours that make one word of the other. */
static size_t edit_distance(const char *from, size_t from_length, const char *to, size_t to_length)
{
    size_t rows[3][LENGTH_MAX + 1]; /* the one before the last, the last, this */
    for (size_t j = 0; j <= to_length; j++)
        rows[1][j] = j;
    for (size_t i = 1; i <= from_length; i++) {
        rows[2][0] = i;
        for (size_t j = 1; j <= to_length; j++) {
            size_t cost = from[i - 1] != to[j - 1];
            rows[2][j] = smallest(rows[1][j] + 1, rows[2][j - 1] + 1, rows[1][j - 1] + cost);
            if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] &&
                rows[0][j - 2] + 1 < rows[2][j])
                rows[2][j] = rows[0][j - 2] + 1;
        }
        memcpy(rows[0], rows[1], sizeof rows[0]);
        memcpy(rows[1], rows[2], sizeof rows[1]);
    }
    return rows[1][to_length];
}

void suggest_offer(struct suggestion *suggestion, const char *candidate)
{
    size_t length = strlen(suggestion->word);
    size_t other = candidate ? strlen(candidate) : 0;
    if (length == 0 || other == 0 || length > LENGTH_MAX || other > LENGTH_MAX)
        return;
    size_t distance = edit_distance(suggestion->word, length, candidate, other);
    size_t allowed = 1 + length / 4; /* one mistake, and one more in every four letters */
    if (distance > allowed || distance >= length || distance >= other)
        return;
    if (!suggestion->best || distance < suggestion->distance) {
        suggestion->best = candidate;
        suggestion->distance = distance;
    }
}

void suggest_append(const struct suggestion *suggestion, struct error *error)
{
    size_t used = strlen(error->text);
    if (suggestion->best)
        snprintf(error->text + used, sizeof error->text - used, "; did you mean '%s'?", suggestion->best);
}
