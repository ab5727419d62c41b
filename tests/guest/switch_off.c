/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <arch/mmu.h>
#include <memory/frames.h>
#include <panic.h>
#include <switch_off.h>

/* Intel SDM volume 3, 2.5 and tables 4-15 to 4-20 */
#define CR0_WP        (1ull << 16)
#define CR4_SMEP      (1ull << 20)
#define CR4_SMAP      (1ull << 21)
#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_USER    (1ull << 2)
#define ENTRY_LARGE   (1ull << 7)
#define ENTRY_NX      (1ull << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull

/* Changes the entries on the way to a mapped address: the bits `set` in all of them, the bits `clear` in the
 * last. */
static void change_entries(uintptr_t address, uint64_t set, uint64_t clear)
{
    uint64_t table;
    __asm__ volatile("movq %%cr3, %0" : "=r"(table));
    for (unsigned shift = 39;; shift -= 9) {
        uint64_t *entry = (uint64_t *)mmu_direct(table & ENTRY_ADDRESS) + (address >> shift & 511);
        if ((*entry & ENTRY_PRESENT) == 0)
            panic("nothing is mapped at %llx", (unsigned long long)address);
        *entry |= set;
        if (shift == 12 || (*entry & ENTRY_LARGE) != 0) {
            *entry &= ~clear;
            break;
        }
        table = *entry;
    }
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static void clear_cr4(uint64_t bits)
{
    uint64_t cr4;
    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    if ((cr4 & bits) != bits)
        panic("the protection is off already");
    __asm__ volatile("movq %0, %%cr4" : : "r"(cr4 & ~bits) : "memory");
}

void switch_off_write_protection(void)
{
    uint64_t cr0;
    __asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movq %0, %%cr0" : : "r"(cr0 & ~CR0_WP) : "memory");
}

void switch_off_smep(void)
{
    clear_cr4(CR4_SMEP);
}

void switch_off_smap(void)
{
    clear_cr4(CR4_SMAP);
}

void switch_off_no_execute(uintptr_t address)
{
    change_entries(address, 0, ENTRY_NX);
}

uint8_t *switch_off_hole(uintptr_t page, unsigned flags)
{
    uint64_t frame;
    if (frames_alloc(1, FRAME_SIZE, &frame) != 0 || mmu_map(frame, page, FRAME_SIZE, flags) != 0)
        panic("cannot map %llx", (unsigned long long)page);
    return memset(mmu_direct(frame), 0, FRAME_SIZE);
}

void make_user_page(uintptr_t address)
{
    change_entries(address, ENTRY_USER, 0);
}
