/* SPDX-License-Identifier: MIT
 *
 * What the guests of the `throughput` benchmark speak on vsock port 5000, ours (streams.c) and the one in
 * Linux (linux_guest.c): a client sends one order, and the bytes flow.
 */
#ifndef BENCH_STREAMS_H
#define BENCH_STREAMS_H

#include <stdint.h>

#define STREAMS_PORT       5000u
#define STREAMS_CHUNK      (64u * 1024) /* of one read or write in the guest */
#define STREAMS_SINK       'S'          /* the client sends `count` bytes, and gets one back at their end */
#define STREAMS_SOURCE     'R'          /* the guest sends `count` bytes */
#define STREAMS_ORDER_SIZE 9u           /* kind, and count in little-endian order */

static inline uint64_t streams_order_count(const uint8_t order[STREAMS_ORDER_SIZE])
{
    uint64_t count = 0;
    for (unsigned i = 8; i > 0; i--)
        count = count << 8 | order[i];
    return count;
}

#endif
