/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/interrupts.h>
#include <arch/mmu.h>
#include <arch/timer.h>
#include <memory/frames.h>
#include <panic.h>
#include <tasks/task.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#include "fake_machine.h"

/* Where the address space for stacks really is. */
#define PAGES_MAX ((size_t)TASKS_MAX * 16)
static uint8_t arena[PAGES_MAX * MMU_PAGE_SIZE] __attribute__((aligned(4096)));
static uint64_t mapped[PAGES_MAX]; /* a frame, or 0 */
static bool taken[PAGES_MAX + 1];  /* frame n is at physical n * 4096; there is no frame 0 */

struct machine machine;
struct mmu_layout mmu_layout = {.stacks = MMU_STACKS_WINDOW + 0x1234000};

static _Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "machine: %s\n", what);
    abort();
}

void machine_start(void)
{
    machine = (struct machine){.now_us = 1000, .alarm_us = UINT64_MAX, .interrupts = true};
    memset(mapped, 0, sizeof mapped);
    memset(taken, 0, sizeof taken);
}

/* ---- time and interrupts ---- */

uint64_t timer_now_us(void)
{
    return machine.now_us;
}

void timer_set_alarm(uint64_t deadline_us)
{
    machine.alarm_us = deadline_us;
}

void interrupts_enable(void)
{
    machine.interrupts = true;
}

void interrupts_disable(void)
{
    if (machine.on_disable != NULL)
        machine.on_disable();
    machine.interrupts = false;
}

void interrupts_wait(void)
{
    if (machine.interrupts)
        fail("halted with interrupts on: an interrupt just before would be missed");
    machine.halts++;
    machine.interrupts = true;
    uint64_t wake = machine.alarm_us;
    if (machine.alarm_step != 0 && wake != UINT64_MAX && wake > machine.now_us + machine.alarm_step)
        wake = machine.now_us + machine.alarm_step;
    if (machine.on_halt != NULL)
        machine.on_halt();
    else if (wake == UINT64_MAX)
        fail("halted for ever");
    else if (wake > machine.now_us)
        machine.now_us = wake;
}

/* ---- memory ---- */

int frames_alloc(size_t count, size_t align, uint64_t *physical)
{
    if (count != 1 || align != MMU_PAGE_SIZE)
        fail("more than a frame");
    if (machine.fail_frame != 0 && --machine.fail_frame == 0)
        return -ENOMEM;
    for (size_t i = 1; i <= PAGES_MAX; i++) {
        if (!taken[i]) {
            taken[i] = true;
            machine.frames++;
            *physical = i * MMU_PAGE_SIZE;
            return 0;
        }
    }
    return -ENOMEM;
}

void frames_free(uint64_t physical, size_t count)
{
    size_t frame = physical / MMU_PAGE_SIZE;
    if (count != 1 || frame > PAGES_MAX || !taken[frame])
        fail("free of a frame that nobody has");
    taken[frame] = false;
    machine.frames--;
}

static size_t page_of(uintptr_t address)
{
    if (address < mmu_layout.stacks || address % MMU_PAGE_SIZE != 0 ||
        (address - mmu_layout.stacks) / MMU_PAGE_SIZE >= PAGES_MAX)
        fail("an address outside the stacks");
    return (address - mmu_layout.stacks) / MMU_PAGE_SIZE;
}

int mmu_map(uint64_t physical, uintptr_t virtual_address, size_t size, unsigned flags)
{
    size_t page = page_of(virtual_address);
    if (size != MMU_PAGE_SIZE || flags != MMU_WRITE || mapped[page] != 0)
        fail("a stack's page is mapped wrongly");
    if (machine.fail_map != 0 && --machine.fail_map == 0)
        return -ENOMEM;
    mapped[page] = physical;
    machine.pages++;
    return 0;
}

int mmu_unmap(uintptr_t virtual_address, size_t size)
{
    size_t page = page_of(virtual_address);
    if (size != MMU_PAGE_SIZE || mapped[page] == 0)
        fail("unmap of a page that is not mapped");
    uintptr_t stack = (uintptr_t)__builtin_frame_address(0);
    if (stack - (uintptr_t)(arena + page * MMU_PAGE_SIZE) < MMU_PAGE_SIZE)
        fail("the running task's stack is unmapped");
    mapped[page] = 0;
    machine.pages--;
    return 0;
}

bool mmu_query(uintptr_t virtual_address, uint64_t *physical, unsigned *flags)
{
    size_t page = page_of(virtual_address);
    if (mapped[page] == 0)
        return false;
    if (physical != NULL)
        *physical = mapped[page];
    if (flags != NULL)
        *flags = MMU_WRITE;
    return true;
}

/* ---- the CPU ---- */

void cpu_stack_start(void);

/* As arch/x86_64/cpu.c does it, at the place where the stack really is. */
void *cpu_prepare_stack(void *top, void (*entry)(void *argument), void *argument)
{
    size_t last = page_of((uintptr_t)top - MMU_PAGE_SIZE);
    if (mapped[last] == 0)
        fail("a stack without memory");
    uint8_t *end = arena + (last + 1) * MMU_PAGE_SIZE;
    /* What ran on it before has not returned from all its functions. */
    ASAN_UNPOISON_MEMORY_REGION(end - 16 * MMU_PAGE_SIZE, 16 * MMU_PAGE_SIZE);
    uint64_t *stack = (uint64_t *)(void *)end;
    *--stack = (uintptr_t)cpu_stack_start;
    *--stack = 0;
    *--stack = (uintptr_t)entry;
    *--stack = (uintptr_t)argument;
    *--stack = 0;
    *--stack = 0;
    *--stack = 0;
    *--stack = 0x1f80 | 0x037full << 32;
    return stack;
}

_Noreturn void panic(const char *format, ...)
{
    fail(format);
}
