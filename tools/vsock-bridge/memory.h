/* SPDX-License-Identifier: MIT
 *
 * The guest's memory, as the memory table of vhost-user describes it (SET_MEM_TABLE), mapped into this
 * process. The guest writes to it at any moment: whoever reads from it copies once and validates the copy.
 */
#ifndef VSOCK_BRIDGE_MEMORY_H
#define VSOCK_BRIDGE_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* What a back end without CONFIGURE_MEM_SLOTS supports, by the vhost-user specification. */
#define MEMORY_REGIONS_MAX 8

/* One region as it stands on the wire. */
struct memory_region_description {
    uint64_t guest_address;
    uint64_t size;
    uint64_t user_address; /* where QEMU has mapped it: ring addresses come in these terms */
    uint64_t mapping_offset;
};
_Static_assert(sizeof(struct memory_region_description) == 32, "vhost-user: memory region description");

struct memory_region {
    uint64_t guest_address;
    uint64_t size;
    uint64_t user_address;
    uint8_t *base; /* where guest_address is mapped here */
    void *mapping;
    size_t mapping_size;
};

struct guest_memory {
    struct memory_region regions[MEMORY_REGIONS_MAX];
    unsigned count;
};

/* Maps `count` regions, region i from descriptors[i], in place of what was mapped. The descriptors stay the
 * caller's and may be closed at once. Returns 0, -EINVAL (empty, overlapping or overflowing regions, a file
 * shorter than its region) or mmap's errno; then nothing is mapped. */
int memory_map(struct guest_memory *memory, const struct memory_region_description *descriptions,
               unsigned count, const int *descriptors);
void memory_unmap(struct guest_memory *memory);

/* Where `size` bytes at QEMU's address `user_address` are mapped, or NULL when they are not all in one
 * region. */
void *memory_at_user_address(const struct guest_memory *memory, uint64_t user_address, uint64_t size);

/* Appends the pieces of guest physical memory [address, address + length) to `segments`: one, or more where
 * the range crosses from one region into the next, none where `length` is 0. Returns how many were appended,
 * -EFAULT (not all in the table) or -E2BIG (more than `capacity`). */
int memory_segments(const struct guest_memory *memory, uint64_t address, uint64_t length,
                    struct iovec *segments, unsigned capacity);

#endif
