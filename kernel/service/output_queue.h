/* SPDX-License-Identifier: MIT
 *
 * Bytes that a connection could not take yet, in order.
 */
#ifndef KERNEL_SERVICE_OUTPUT_QUEUE_H
#define KERNEL_SERVICE_OUTPUT_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct output_block;

/* The zero value is empty. */
struct output_queue {
    struct output_block *first, *last;
    size_t size; /* bytes that wait */
};

/* Copies the bytes to the end. Returns 0 or -ENOMEM (the client pool is exhausted; nothing was added). */
int output_queue_add(struct output_queue *queue, const void *bytes, size_t length);

/* The bytes at the front, as far as they lie together; 0 when empty. */
size_t output_queue_front(const struct output_queue *queue, const void **bytes);

/* Takes `length` bytes, at most what output_queue_front returned, off the front. */
void output_queue_take(struct output_queue *queue, size_t length);

void output_queue_clear(struct output_queue *queue);

#endif
