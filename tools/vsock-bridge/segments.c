/* SPDX-License-Identifier: MIT */
#include "segments.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum action { SKIP, COPY_OUT, COPY_IN };

static void consume(struct segments *segments, size_t size, enum action action, uint8_t *out,
                    const uint8_t *in)
{
    while (size > 0) {
        struct iovec *first = segments->first;
        size_t piece = first->iov_len < size ? first->iov_len : size;

        if (action == COPY_OUT) {
            memcpy(out, first->iov_base, piece);
            out += piece;
        } else if (action == COPY_IN) {
            memcpy(first->iov_base, in, piece);
            in += piece;
        }
        first->iov_base = (uint8_t *)first->iov_base + piece;
        first->iov_len -= piece;
        size -= piece;
        if (first->iov_len == 0) {
            segments->first++;
            segments->count--;
        }
    }
}

void segments_skip(struct segments *segments, size_t size)
{
    consume(segments, size, SKIP, NULL, NULL);
}

void segments_copy_out(struct segments *segments, void *to, size_t size)
{
    consume(segments, size, COPY_OUT, to, NULL);
}

void segments_copy_in(struct segments *segments, const void *from, size_t size)
{
    consume(segments, size, COPY_IN, NULL, from);
}

struct segments segments_split(struct segments *segments, size_t size, struct iovec *pieces)
{
    struct segments front = {.first = pieces, .count = 0};

    while (size > 0) {
        const struct iovec *first = segments->first;
        size_t piece = first->iov_len < size ? first->iov_len : size;

        pieces[front.count++] = (struct iovec){.iov_base = first->iov_base, .iov_len = piece};
        segments_skip(segments, piece);
        size -= piece;
    }
    return front;
}

void segments_limit(struct segments *segments, size_t size)
{
    unsigned count = 0;

    while (size > 0) {
        struct iovec *piece = &segments->first[count++];

        if (piece->iov_len > size)
            piece->iov_len = size;
        size -= piece->iov_len;
    }
    segments->count = count;
}
