/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <hooks/library_memory.h>
#include <service/output_queue.h>

struct output_block {
    struct output_block *next;
    size_t size, start, end; /* of the whole block; of the bytes that wait in it */
    uint8_t bytes[];
};

#define BLOCK_MIN (4096 - 64) /* with what the heap adds, one frame */

int output_queue_add(struct output_queue *queue, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    struct output_block *last = queue->last;
    size_t room = last != NULL ? last->size - sizeof *last - last->end : 0;
    size_t here = length < room ? length : room, rest = length - here;
    struct output_block *block = NULL;
    if (rest > 0) {
        size_t size = sizeof *block + rest;
        if (size < BLOCK_MIN)
            size = BLOCK_MIN;
        block = budget_alloc(&client_pool, size);
        if (block == NULL)
            return -ENOMEM;
        *block = (struct output_block){.size = size, .end = rest};
        memcpy(block->bytes, from + here, rest);
    }
    if (here > 0) {
        memcpy(last->bytes + last->end, from, here);
        last->end += here;
    }
    if (block != NULL) {
        if (last != NULL)
            last->next = block;
        else
            queue->first = block;
        queue->last = block;
    }
    queue->size += length;
    return 0;
}

size_t output_queue_front(const struct output_queue *queue, const void **bytes)
{
    const struct output_block *first = queue->first;
    if (first == NULL)
        return 0;
    *bytes = first->bytes + first->start;
    return first->end - first->start;
}

void output_queue_take(struct output_queue *queue, size_t length)
{
    struct output_block *first = queue->first;
    if (first == NULL)
        return; /* nothing can have been asked for */
    first->start += length;
    queue->size -= length;
    if (first->start < first->end)
        return;
    queue->first = first->next;
    if (queue->first == NULL)
        queue->last = NULL;
    budget_free(&client_pool, first, first->size);
}

void output_queue_clear(struct output_queue *queue)
{
    while (queue->first != NULL)
        output_queue_take(queue, queue->first->end - queue->first->start);
}
