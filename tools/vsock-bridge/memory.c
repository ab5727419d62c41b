/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

static bool overlaps(const struct memory_region_description *a, const struct memory_region_description *b)
{
    return a->guest_address < b->guest_address + b->size && b->guest_address < a->guest_address + a->size;
}

static bool description_valid(const struct memory_region_description *description)
{
    uint64_t end;

    return description->size > 0 && description->size <= SIZE_MAX / 2 &&
           !__builtin_add_overflow(description->guest_address, description->size, &end) &&
           !__builtin_add_overflow(description->user_address, description->size, &end) &&
           !__builtin_add_overflow(description->mapping_offset, description->size, &end) && end <= INT64_MAX;
}

static int map_region(struct memory_region *region, const struct memory_region_description *description,
                      int descriptor)
{
    struct stat status;
    size_t size = description->mapping_offset + description->size;
    void *mapping;

    /* A mapping beyond the end of its file would end this process with SIGBUS at the first touch. */
    if (fstat(descriptor, &status) < 0)
        return -errno;
    if (status.st_size < 0 || (uint64_t)status.st_size < size)
        return -EINVAL;
    /* From offset 0, whatever the region's own offset: that one need not be a multiple of the file's page
     * size (huge pages). */
    mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
    if (mapping == MAP_FAILED)
        return -errno;
    (void)madvise(mapping, size, MADV_DONTDUMP);
    *region = (struct memory_region){
        .guest_address = description->guest_address,
        .size = description->size,
        .user_address = description->user_address,
        .base = (uint8_t *)mapping + description->mapping_offset,
        .mapping = mapping,
        .mapping_size = size,
    };
    return 0;
}

int memory_map(struct guest_memory *memory, const struct memory_region_description *descriptions,
               unsigned count, const int *descriptors)
{
    memory_unmap(memory);
    if (count > MEMORY_REGIONS_MAX)
        return -EINVAL;
    for (unsigned i = 0; i < count; i++) {
        int result = description_valid(&descriptions[i]) ? 0 : -EINVAL;

        for (unsigned j = 0; j < i && result == 0; j++) {
            if (overlaps(&descriptions[i], &descriptions[j]))
                result = -EINVAL;
        }
        if (result == 0)
            result = map_region(&memory->regions[i], &descriptions[i], descriptors[i]);
        if (result != 0) {
            memory_unmap(memory);
            return result;
        }
        memory->count = i + 1;
    }
    return 0;
}

void memory_unmap(struct guest_memory *memory)
{
    for (unsigned i = 0; i < memory->count; i++)
        (void)munmap(memory->regions[i].mapping, memory->regions[i].mapping_size);
    memory->count = 0;
}

void *memory_at_user_address(const struct guest_memory *memory, uint64_t user_address, uint64_t size)
{
    for (unsigned i = 0; i < memory->count; i++) {
        const struct memory_region *region = &memory->regions[i];

        if (user_address >= region->user_address && user_address - region->user_address <= region->size &&
            size <= region->size - (user_address - region->user_address))
            return region->base + (user_address - region->user_address);
    }
    return NULL;
}

static const struct memory_region *region_of(const struct guest_memory *memory, uint64_t address)
{
    for (unsigned i = 0; i < memory->count; i++) {
        const struct memory_region *region = &memory->regions[i];

        if (address >= region->guest_address && address - region->guest_address < region->size)
            return region;
    }
    return NULL;
}

int memory_segments(const struct guest_memory *memory, uint64_t address, uint64_t length,
                    struct iovec *segments, unsigned capacity)
{
    unsigned count = 0;

    while (length > 0) {
        const struct memory_region *region = region_of(memory, address);
        uint64_t offset;
        uint64_t piece;

        if (region == NULL)
            return -EFAULT;
        if (count == capacity)
            return -E2BIG;
        offset = address - region->guest_address;
        piece = region->size - offset < length ? region->size - offset : length;
        segments[count++] = (struct iovec){.iov_base = region->base + offset, .iov_len = piece};
        address += piece;
        length -= piece;
    }
    return (int)count;
}
