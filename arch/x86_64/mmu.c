/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <arch/mmu.h>

/* Intel SDM volume 3, tables 4-15 to 4-20 */
#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_WRITE   (1ull << 1)
#define ENTRY_USER    (1ull << 2)
#define ENTRY_PWT     (1ull << 3)
#define ENTRY_PCD     (1ull << 4)
#define ENTRY_LARGE   (1ull << 7)
#define ENTRY_NX      (1ull << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define ENTRY_COUNT   512
#define LEVEL_TOP     4
#define LEVEL_LARGE   2 /* page directory: an entry maps 2 MiB */
#define LEVEL_SMALL   1

#define FLUSH_ALL_PAGES 64 /* beyond this, reloading CR3 is cheaper than single invalidations */

extern uint8_t image_start[], rodata_start[], data_start[], sealed_start[], sealed_end[], image_end[];

static mmu_frame_source frame_source MMU_SEALED;
static uint64_t *root MMU_SEALED;
static const struct boot_info *boot MMU_SEALED;
static uintptr_t mmio_next;

static uint64_t level_size(unsigned level)
{
    return 1ull << (12 + 9 * (level - 1));
}

static unsigned level_index(uintptr_t address, unsigned level)
{
    return address >> (12 + 9 * (level - 1)) & (ENTRY_COUNT - 1);
}

static uint64_t flags_to_entry(unsigned flags)
{
    uint64_t entry = ENTRY_PRESENT;
    if (flags & MMU_WRITE)
        entry |= ENTRY_WRITE;
    if (!(flags & MMU_EXECUTE))
        entry |= ENTRY_NX;
    if (flags & MMU_UNCACHED)
        entry |= ENTRY_PCD | ENTRY_PWT;
    return entry;
}

static unsigned entry_to_flags(uint64_t entry)
{
    return (entry & ENTRY_WRITE ? MMU_WRITE : 0u) | (entry & ENTRY_NX ? 0u : MMU_EXECUTE) |
           (entry & ENTRY_PCD ? MMU_UNCACHED : 0u);
}

static uint64_t *table_of(uint64_t entry)
{
    return mmu_direct(entry & ENTRY_ADDRESS);
}

static void flush(uintptr_t address, size_t size)
{
    if (size / MMU_PAGE_SIZE > FLUSH_ALL_PAGES) {
        uint64_t cr3;
        __asm__ volatile("movq %%cr3, %0\n\tmovq %0, %%cr3" : "=r"(cr3) : : "memory");
        return;
    }
    for (size_t at = 0; at < size; at += MMU_PAGE_SIZE)
        __asm__ volatile("invlpg (%0)" : : "r"(address + at) : "memory");
}

/* The entry that decides about an address: a page's, or the first one missing on the way. *level says on
 * which level it stands. */
static uint64_t *lookup(uintptr_t address, unsigned *level)
{
    uint64_t *table = root;
    for (*level = LEVEL_TOP;; --*level) {
        uint64_t *entry = &table[level_index(address, *level)];
        if (*level == LEVEL_SMALL || !(*entry & ENTRY_PRESENT) || (*entry & ENTRY_LARGE))
            return entry;
        table = table_of(*entry);
    }
}

/* The entry for an address on `wanted` level, with the tables above it made where they are missing. NULL: no
 * frame. A large page on the way must have been split. */
static uint64_t *make_entry(uintptr_t address, unsigned wanted)
{
    uint64_t *table = root;
    for (unsigned level = LEVEL_TOP; level > wanted; level--) {
        uint64_t *entry = &table[level_index(address, level)];
        if (!(*entry & ENTRY_PRESENT)) {
            uint64_t frame = frame_source();
            if (frame == 0)
                return NULL;
            *entry = frame | ENTRY_PRESENT | ENTRY_WRITE; /* the leaf decides what is allowed */
        }
        table = table_of(*entry);
    }
    return &table[level_index(address, wanted)];
}

/* The tables are walked by the lower 48 bits; an address whose upper bits are not the 47th's would reach
 * somebody else's entry. */
static bool is_canonical(uintptr_t address)
{
    return (uintptr_t)((intptr_t)(address << 16) >> 16) == address;
}

static bool valid_range(uintptr_t address, size_t size)
{
    return address % MMU_PAGE_SIZE == 0 && size % MMU_PAGE_SIZE == 0 && size != 0 &&
           size - 1 <= UINTPTR_MAX - address && is_canonical(address) && is_canonical(address + size - 1) &&
           address >> 63 == (address + size - 1) >> 63;
}

int mmu_map(uint64_t physical, uintptr_t virtual_address, size_t size, unsigned flags)
{
    if (!valid_range(virtual_address, size) || physical % MMU_PAGE_SIZE != 0 || physical > ENTRY_ADDRESS ||
        size > ENTRY_ADDRESS - physical || ((flags & MMU_WRITE) && (flags & MMU_EXECUTE)))
        return -EINVAL;

    for (size_t at = 0; at < size;) {
        unsigned level;
        if (*lookup(virtual_address + at, &level) & ENTRY_PRESENT)
            return -EEXIST;
        uint64_t hole = level_size(level) - (virtual_address + at) % level_size(level);
        at = hole < size - at ? at + hole : size;
    }

    for (size_t done = 0; done < size;) {
        uintptr_t address = virtual_address + done;
        uint64_t frame = physical + done;
        bool large = (address | frame) % MMU_LARGE_PAGE_SIZE == 0 && size - done >= MMU_LARGE_PAGE_SIZE;
        uint64_t *entry = make_entry(address, large ? LEVEL_LARGE : LEVEL_SMALL);
        if (entry != NULL && large && (*entry & ENTRY_PRESENT)) {
            /* An empty table of earlier small pages stands here: use it. */
            large = false;
            entry = make_entry(address, LEVEL_SMALL);
        }
        if (entry == NULL) {
            if (done > 0)
                (void)mmu_unmap(virtual_address, done); /* exactly what was mapped here: nothing to split */
            return -ENOMEM;
        }
        *entry = frame | flags_to_entry(flags) | (large ? ENTRY_LARGE : 0);
        done += large ? MMU_LARGE_PAGE_SIZE : MMU_PAGE_SIZE;
    }
    return 0;
}

/* Replaces a large page by a table of small ones that allow the same. */
static int split(uint64_t *entry)
{
    uint64_t frame = frame_source();
    if (frame == 0)
        return -ENOMEM;
    uint64_t *table = mmu_direct(frame);
    uint64_t page = *entry & ~ENTRY_LARGE;
    for (unsigned i = 0; i < ENTRY_COUNT; i++)
        table[i] = page + i * MMU_PAGE_SIZE;
    *entry = frame | ENTRY_PRESENT | ENTRY_WRITE;
    return 0;
}

/* Sets every mapped page of a range to `change` (0: unmapped; else the bits besides the address). */
static int change_range(uintptr_t address, size_t size, uint64_t change, bool holes_allowed)
{
    if (!valid_range(address, size))
        return -EINVAL;
    int error = 0;
    for (size_t at = 0; at < size && error == 0;) {
        unsigned level;
        uint64_t *entry = lookup(address + at, &level);
        uint64_t span = level_size(level) - (address + at) % level_size(level);
        if (!(*entry & ENTRY_PRESENT)) {
            if (!holes_allowed)
                error = -ENOENT;
        } else if (level != LEVEL_SMALL && (span != level_size(level) || size - at < span)) {
            error = split(entry);
            continue; /* look again, at the small page */
        } else if (change == 0) {
            *entry = 0;
        } else {
            *entry = (*entry & (ENTRY_ADDRESS | ENTRY_LARGE)) | change;
        }
        at = span < size - at ? at + span : size;
    }
    flush(address, size);
    return error;
}

int mmu_unmap(uintptr_t virtual_address, size_t size)
{
    return change_range(virtual_address, size, 0, true);
}

int mmu_protect(uintptr_t virtual_address, size_t size, unsigned flags)
{
    if ((flags & MMU_WRITE) && (flags & MMU_EXECUTE))
        return -EINVAL;
    return change_range(virtual_address, size, flags_to_entry(flags), false);
}

int mmu_guard_page(uintptr_t virtual_address)
{
    return mmu_unmap(virtual_address, MMU_PAGE_SIZE);
}

bool mmu_query(uintptr_t virtual_address, uint64_t *physical, unsigned *flags)
{
    if (root == NULL || !is_canonical(virtual_address))
        return false;
    unsigned level;
    uint64_t entry = *lookup(virtual_address, &level);
    if (!(entry & ENTRY_PRESENT))
        return false;
    uint64_t offset = virtual_address & (level_size(level) - 1);
    if (physical != NULL)
        *physical = (entry & ENTRY_ADDRESS & ~(level_size(level) - 1)) + offset;
    if (flags != NULL)
        *flags = entry_to_flags(entry);
    return true;
}

volatile void *mmu_map_mmio(uint64_t physical, size_t size)
{
    uint64_t offset = physical % MMU_PAGE_SIZE;
    if (size == 0 || size > MMU_MMIO_SIZE || physical > ENTRY_ADDRESS - MMU_MMIO_SIZE)
        return NULL;
    uint64_t first = physical - offset;
    size_t pages_size = (size + offset + MMU_PAGE_SIZE - 1) & ~(MMU_PAGE_SIZE - 1);
    /* A device that claims to live in memory would get a second, writable way to it. */
    for (size_t i = 0; i < boot->range_count; i++)
        if (first < boot->ranges[i].base + boot->ranges[i].size && boot->ranges[i].base < first + pages_size)
            return NULL;
    if (pages_size > mmu_layout.registers + MMU_MMIO_SIZE - mmio_next)
        return NULL;
    if (mmu_map(first, mmio_next, pages_size, MMU_WRITE | MMU_UNCACHED) != 0)
        return NULL;
    volatile uint8_t *mapped = (volatile uint8_t *)mmio_next + offset;
    mmio_next += pages_size;
    return mapped;
}

static uint64_t image_physical(uintptr_t address)
{
    return address - mmu_layout.image_distance - MMU_IMAGE_BASE;
}

void mmu_image(uint64_t *start, uint64_t *end)
{
    *start = image_physical((uintptr_t)image_start);
    *end = image_physical((uintptr_t)image_end);
}

static int protect_sections(uintptr_t direct_map)
{
    uintptr_t text = (uintptr_t)image_start, rodata = (uintptr_t)rodata_start, data = (uintptr_t)data_start,
              end = (uintptr_t)image_end;
    int error = mmu_protect(text, rodata - text, MMU_EXECUTE);
    if (error == 0)
        error = mmu_protect(rodata, data - rodata, MMU_READ);
    if (error == 0)
        error = mmu_protect(data, end - data, MMU_WRITE);
    /* The same bytes through the direct map: never writable behind the image's back. */
    if (error == 0)
        error = mmu_protect(direct_map + image_physical(text), data - text, MMU_READ);
    return error;
}

int mmu_seal(void)
{
    uintptr_t start = (uintptr_t)sealed_start;
    size_t size = (uintptr_t)sealed_end - start;
    if (size == 0)
        return 0;
    int error = mmu_protect((uintptr_t)mmu_direct(image_physical(start)), size, MMU_READ);
    return error != 0 ? error : mmu_protect(start, size, MMU_READ);
}

static bool table_is_good(const uint64_t *table, unsigned level) // NOLINT(misc-no-recursion): four levels
{
    for (unsigned i = 0; i < ENTRY_COUNT; i++) {
        uint64_t entry = table[i];
        if (!(entry & ENTRY_PRESENT))
            continue;
        if (entry & ENTRY_USER || (level == LEVEL_TOP && i < ENTRY_COUNT / 2))
            return false;
        bool leaf = level == LEVEL_SMALL || (entry & ENTRY_LARGE);
        if (leaf ? (entry & ENTRY_WRITE) && !(entry & ENTRY_NX) : !table_is_good(table_of(entry), level - 1))
            return false;
    }
    return true;
}

int mmu_verify(void)
{
    return table_is_good(root, LEVEL_TOP) ? 0 : -EPERM;
}

int mmu_initialise(const struct boot_info *info, mmu_frame_source frames)
{
    const uintptr_t direct_map = mmu_layout.next_direct_map;
    boot = info;
    frame_source = frames;
    mmio_next = mmu_layout.registers;
    uint64_t top = frames();
    if (top == 0)
        return -ENOMEM;
    root = mmu_direct(top);

    int error = 0;
    for (size_t i = 0; i < info->range_count && error == 0; i++) {
        uint64_t start = (info->ranges[i].base + MMU_PAGE_SIZE - 1) & ~(MMU_PAGE_SIZE - 1);
        uint64_t end = (info->ranges[i].base + info->ranges[i].size) & ~(MMU_PAGE_SIZE - 1);
        if (start < end)
            error = mmu_map(start, direct_map + start, end - start, MMU_WRITE);
    }
    uint64_t start, end;
    mmu_image(&start, &end);
    if (error == 0)
        error = mmu_map(start, (uintptr_t)image_start, end - start, MMU_WRITE);
    if (error == 0)
        error = protect_sections(direct_map);
    if (error != 0)
        return error;
    __asm__ volatile("movq %0, %%cr3" : : "r"(top) : "memory");
    mmu_layout.direct_map = direct_map;
    root = mmu_direct(top);
    return 0;
}

void mmu_set_frame_source(mmu_frame_source frames)
{
    frame_source = frames;
}
