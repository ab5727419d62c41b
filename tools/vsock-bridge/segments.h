/* SPDX-License-Identifier: MIT
 *
 * Scatter-gather lists: the pieces of a packet in guest memory.
 */
#ifndef VSOCK_BRIDGE_SEGMENTS_H
#define VSOCK_BRIDGE_SEGMENTS_H

#include <stddef.h>
#include <sys/uio.h>

/* A list that is consumed from its front. The array is the caller's and is changed. */
struct segments {
    struct iovec *first;
    unsigned count;
};

/* Drop, copy out or fill the first `size` bytes, which the list must have. */
void segments_skip(struct segments *segments, size_t size);
void segments_copy_out(struct segments *segments, void *to, size_t size);
void segments_copy_in(struct segments *segments, const void *from, size_t size);

/* Moves the first `size` bytes, which the list must have, into a list of their own over `pieces`, which has
 * room for `size` entries. */
struct segments segments_split(struct segments *segments, size_t size, struct iovec *pieces);

/* Shortens the list to `size` bytes, which it must have. */
void segments_limit(struct segments *segments, size_t size);

#endif
