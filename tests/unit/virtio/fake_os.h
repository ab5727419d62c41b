/* SPDX-License-Identifier: MIT
 *
 * The embedder's side of <virtio/os.h>, for tests: it counts what is allocated, fails on request, and hands
 * out bus addresses that are not pointers.
 */
#ifndef FAKE_OS_H
#define FAKE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <virtio/os.h>

#define FAKE_VECTORS 32
#define FAKE_LINES   24

struct fake_os {
    struct virtio_os hooks; /* first: a pointer to it is a pointer to this */
    size_t blocks;          /* allocated and not freed */
    size_t bytes, bytes_peak;
    long fail_at;  /* the n-th allocation or mapping from now fails, once; 0: none does */
    bool fail_all; /* every one does */
    long requests; /* allocations and mappings asked for */
    uint64_t now;  /* microseconds; each look at the clock takes one */
    int vectors_max;
    int vectors; /* allocated now */
    struct {
        virtio_interrupt_handler handler;
        void *argument;
    } interrupts[FAKE_VECTORS];
    int lines;      /* interrupt lines allocated now */
    int line_error; /* what allocating one says */
    struct fake_line {
        virtio_interrupt_handler handler;
        void *argument;
        bool busy, again; /* its handler runs; an edge came meanwhile */
    } line[FAKE_LINES];
    /* Ordinary memory that a device can reach, in pieces of at most piece_size contiguous bytes. */
    uint8_t *reachable;
    size_t reachable_size, piece_size;
    size_t log_lines[4]; /* by level */
    char last_log[256];
};

/* One at a time. */
struct fake_os *fake_os_start(void);
/* Fails the test when something was not given back. */
void fake_os_stop(void);
extern struct fake_os fake_os;

/* What a device finds at a bus address; fails the test when it is not wholly in memory that was given to it.
 */
void *fake_dma(uint64_t physical, size_t size);

/* A message arrives. */
void fake_message(uint64_t address, uint32_t data);

/* A line rises. As an interrupt controller does, it remembers one edge that comes while the handler runs; one
 * that comes while nobody has the line is lost. */
void fake_line_edge(uint32_t number);

#endif
