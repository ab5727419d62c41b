/* SPDX-License-Identifier: MIT
 *
 * A FUSE server behind a virtio-fs device: a small tree, whose lookups and open files it counts. It checks
 * what it is asked; a test may change any byte of what it answers.
 *
 * The tasks that call the driver are threads of which one runs at a time: they switch in the `wait` hook
 * only. The server works when all of them wait, so that a wake-up that gets lost is seen, as -EDEADLK.
 */
#ifndef FAKE_FUSE_H
#define FAKE_FUSE_H

#include <virtio/fs.h>

#include "fake_os.h"
#include "fake_pci.h"
#include "fs/private.h"

#define FUSE_NODES      64
#define FUSE_REPLY_MAX  (FS_READ_SIZE + 4096)
#define FUSE_TASKS      6
#define FUSE_OPCODE_MAX 64

struct fuse_node {
    const char *name;
    uint64_t parent;
    uint32_t mode;
    uint64_t size;
    const char *target; /* of a link */
    long lookups;       /* counted and not forgotten */
};

/* An answer on its way. */
struct fuse_answer {
    enum fuse_opcode opcode;
    uint8_t bytes[FUSE_REPLY_MAX]; /* header and contents */
    size_t size;
    uint32_t used; /* the length that the device reports */
    bool dropped;  /* it never answers */
};

struct fuse_server {
    struct fake_function *function;
    struct virtio_fs *fs;
    struct fuse_node nodes[FUSE_NODES]; /* by id: 0 is none, 1 the root */
    size_t node_count;
    long open_files;

    /* How it behaves. */
    uint32_t major, minor, flags, max_write;
    bool last_first;         /* answers the request that came last first */
    size_t answers_per_step; /* 0: all there are */
    size_t listing_max;      /* entries in one reply; 0: as many as fit */
    int fail_opcode, error;  /* answers these requests with an error */
    void (*lie)(struct fuse_answer *answer);
    bool lies; /* what it is told in turn makes no sense: do not check it */

    /* What it saw. */
    size_t requests, opcodes[FUSE_OPCODE_MAX];
    size_t held_peak; /* requests at a time */
    uint64_t last_unique;

    /* Waiting. */
    unsigned long waits, fail_wait_at; /* the n-th gives up */
    size_t tasks, sleepers;
    unsigned long generation;
    bool raised, deadlock;
};
extern struct fuse_server fuse_server;

/* A device and a server with this tree, the driver not created:
 *   empty, small (100 bytes), large (10 MiB and 1), fifo, sub/, sub/deep/, sub/deep/file (5000), and links:
 *   to-small -> small, to-deep -> ./sub//deep, sub/near -> deep/file, chain1..9 -> the next, chain9 -> small,
 *   loop -> loop, absolute -> /small, out -> ../small, sub/up -> ../small, long-link, dead -> missing, blank
 * -> "" */
void fuse_prepare(void);
int fuse_create(void);
/* Both, and it works. */
void fuse_start(void);
/* Nothing is looked up, open or in flight. */
void fuse_check_quiet(void);
/* Destroys the driver; all memory came back. */
void fuse_stop(void);
/* The same, for a driver that may not exist and a server whose counts mean nothing. */
void fuse_stop_any(void);

uint64_t fuse_find(uint64_t parent, const char *name);
uint8_t fuse_byte(uint64_t node, uint64_t offset);

/* Calls `run` that often at once, with its number, until all have ended. */
void fuse_run_tasks(size_t count, void (*run)(size_t number));

#endif
