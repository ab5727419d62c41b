/* SPDX-License-Identifier: MIT
 *
 * Received bytes in a list of segments: memory is used for what is there, and no more than about twice that.
 */
#include <string.h>

#include "vsock/private.h"

#define SEGMENT_GRAIN 64u  /* allocations are multiples of this, */
#define SEGMENT_MIN   256u /* and have room for what comes byte by byte */

struct vsock_segment {
    struct vsock_segment *next;
    size_t capacity;
    size_t begin, end; /* of the bytes in it */
    uint8_t data[];
};
_Static_assert((SEGMENT_GRAIN - sizeof(struct vsock_segment)) % sizeof(uint32_t) == 0,
               "the size of a message lies in one segment");

static void free_first(const struct virtio_os *os, struct vsock_stream *stream)
{
    struct vsock_segment *segment = stream->first;

    stream->first = segment->next;
    if (stream->first == NULL)
        stream->last = NULL;
    os->free(os->context, segment, sizeof(*segment) + segment->capacity);
}

bool vsock_stream_append(const struct virtio_os *os, struct vsock_stream *stream, const uint8_t *data,
                         size_t size)
{
    struct vsock_segment *last = stream->last;
    size_t room = last != NULL ? last->capacity - last->end : 0;
    size_t here = size < room ? size : room;
    size_t rest = size - here;
    struct vsock_segment *segment = NULL;

    if (rest > 0) {
        size_t allocation = (sizeof(*segment) + rest + SEGMENT_GRAIN - 1) / SEGMENT_GRAIN * SEGMENT_GRAIN;
        if (allocation < SEGMENT_MIN)
            allocation = SEGMENT_MIN;
        segment = os->alloc(os->context, allocation);
        if (segment == NULL)
            return false;
        *segment = (struct vsock_segment){.capacity = allocation - sizeof(*segment), .end = rest};
        memcpy(segment->data, data + here, rest);
    }
    if (here > 0) {
        memcpy(last->data + last->end, data, here);
        last->end += here;
    }
    if (segment != NULL) {
        if (last != NULL)
            last->next = segment;
        else
            stream->first = segment;
        stream->last = segment;
    }
    stream->size += size;
    return true;
}

size_t vsock_stream_front(const struct vsock_stream *stream, const uint8_t **data)
{
    const struct vsock_segment *first = stream->first;

    if (first == NULL)
        return 0;
    *data = first->data + first->begin;
    return first->end - first->begin;
}

void vsock_stream_take(const struct virtio_os *os, struct vsock_stream *stream, size_t size)
{
    struct vsock_segment *first = stream->first;

    first->begin += size;
    stream->size -= size;
    if (first->begin == first->end)
        free_first(os, stream);
}

void vsock_stream_clear(const struct virtio_os *os, struct vsock_stream *stream)
{
    while (stream->first != NULL)
        free_first(os, stream);
    stream->size = 0;
}

bool vsock_messages_end(const struct virtio_os *os, struct vsock_messages *messages)
{
    uint32_t size = (uint32_t)messages->incoming; /* at most receive_buffer_size */

    if (messages->left == 0)
        messages->left = size;
    else if (!vsock_stream_append(os, &messages->behind, (const uint8_t *)&size, sizeof(size)))
        return false;
    messages->incoming = 0;
    return true;
}

void vsock_messages_take(const struct virtio_os *os, struct vsock_messages *messages, size_t size)
{
    const uint8_t *front = NULL;
    uint32_t next = 0;

    messages->left -= size;
    if (messages->left > 0 || vsock_stream_front(&messages->behind, &front) == 0)
        return;
    memcpy(&next, front, sizeof(next)); /* segments have room for whole ones */
    vsock_stream_take(os, &messages->behind, sizeof(next));
    messages->left = next;
}
