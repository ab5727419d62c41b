/* SPDX-License-Identifier: MIT
 *
 * Compiled for general registers only, as a whole: the stubs save nothing else.
 */
#include <errno.h>
#include <stddef.h>

#include <arch/interrupts.h>
#include <arch/io.h>
#include <arch/mmu.h>

#define VECTOR_COUNT    256
#define EXCEPTION_COUNT 32
#define FIRST_DYNAMIC   0x30
#define LAST_DYNAMIC    0xef
#define STUB_SIZE       16
#define SELECTOR_CODE   0x08
#define GATE_INTERRUPT  0x8e /* present, ring 0, 64-bit interrupt gate (Intel SDM volume 3, figure 6-8) */

/* Stacks of the task state segment, as cpu.c names them. */
enum { IST_DOUBLE_FAULT = 1, IST_NMI = 2, IST_MACHINE_CHECK = 3, IST_EXCEPTION = 4, IST_INTERRUPT = 5 };

#define MSR_APIC_BASE        0x1bu
#define APIC_BASE_ENABLE     (1ull << 11)
#define APIC_BASE_X2APIC     (1ull << 10)
#define APIC_BASE_ADDRESS    0x000ffffffffff000ull
#define APIC_EOI             0x0b0
#define APIC_SPURIOUS        0x0f0
#define APIC_ID              0x020
#define APIC_SOFTWARE_ENABLE (1u << 8)
#define MSI_ADDRESS          0xfee00000u

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "64-bit IDT gate");

struct handler {
    interrupt_handler call;
    void *argument;
};

static struct gate gates[VECTOR_COUNT] MMU_SEALED __attribute__((aligned(16)));
static void (*exception_handler)(const struct interrupt_frame *frame) MMU_SEALED;
static volatile uint32_t *apic MMU_SEALED;
static uint32_t apic_id MMU_SEALED;
static struct handler handlers[VECTOR_COUNT]; /* devices come and go */
static uint64_t spurious;

extern const uint8_t interrupt_stubs[VECTOR_COUNT * STUB_SIZE];
void interrupts_dispatch(const struct interrupt_frame *frame);

void interrupts_initialise(void (*exception)(const struct interrupt_frame *frame))
{
    exception_handler = exception;
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        uint64_t address = (uintptr_t)interrupt_stubs + vector * STUB_SIZE;
        uint8_t ist = vector >= EXCEPTION_COUNT ? IST_INTERRUPT : IST_EXCEPTION;
        if (vector == 8)
            ist = IST_DOUBLE_FAULT;
        else if (vector == 2)
            ist = IST_NMI;
        else if (vector == 18)
            ist = IST_MACHINE_CHECK;
        gates[vector] = (struct gate){.offset_low = (uint16_t)address,
                                      .selector = SELECTOR_CODE,
                                      .ist = ist,
                                      .type = GATE_INTERRUPT,
                                      .offset_middle = (uint16_t)(address >> 16),
                                      .offset_high = (uint32_t)(address >> 32)};
    }
    struct {
        uint16_t unused[3], limit; /* as in cpu.c */
        uint64_t base;
    } pointer = {.limit = sizeof gates - 1, .base = (uintptr_t)gates};
    __asm__ volatile("lidt %0" : : "m"(pointer.limit), "m"(pointer.base));
}

uint32_t apic_read(uint32_t reg)
{
    return apic[reg / 4];
}

void apic_write(uint32_t reg, uint32_t value)
{
    apic[reg / 4] = value;
}

int interrupts_enable_apic(void)
{
    /* The 8259s: everything masked, and moved out of the exceptions' way in case one speaks all the same. */
    static const uint8_t setup[][3] = {{0x20, 0xa0, 0x11}, {0x21, 0, 0xf0}, {0xa1, 0, 0xf8},   {0x21, 0, 4},
                                       {0xa1, 0, 2},       {0x21, 0xa1, 1}, {0x21, 0xa1, 0xff}};
    for (size_t i = 0; i < sizeof setup / sizeof setup[0]; i++) {
        io_write8(setup[i][0], setup[i][2]);
        if (setup[i][1] != 0)
            io_write8(setup[i][1], setup[i][2]);
    }

    uint64_t base = msr_read(MSR_APIC_BASE);
    if ((base & APIC_BASE_X2APIC) != 0)
        return -ENODEV; /* firmware left the register page switched off */
    msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    apic = mmu_map_mmio(base & APIC_BASE_ADDRESS, MMU_PAGE_SIZE);
    if (apic == NULL)
        return -ENOMEM;
    apic_id = apic_read(APIC_ID) >> 24;
    apic_write(APIC_SPURIOUS, APIC_SOFTWARE_ENABLE | INTERRUPT_VECTOR_SPURIOUS);
    return 0;
}

int interrupt_allocate(interrupt_handler handler, void *argument, uint64_t *address, uint32_t *data)
{
    for (unsigned vector = FIRST_DYNAMIC; vector <= LAST_DYNAMIC; vector++) {
        if (handlers[vector].call == NULL) {
            handlers[vector].argument = argument;
            __atomic_store_n(&handlers[vector].call, handler, __ATOMIC_RELEASE);
            *address = MSI_ADDRESS | (uint64_t)apic_id << 12;
            *data = vector; /* fixed delivery, edge */
            return 0;
        }
    }
    return -ENOSPC;
}

void interrupt_free(uint64_t address, uint32_t data)
{
    (void)address;
    if (data >= FIRST_DYNAMIC && data <= LAST_DYNAMIC)
        __atomic_store_n(&handlers[data].call, (interrupt_handler)NULL, __ATOMIC_RELEASE);
}

uint64_t interrupts_spurious(void)
{
    return spurious;
}

void interrupts_dispatch(const struct interrupt_frame *frame)
{
    uint64_t vector = frame->vector;
    if (vector < EXCEPTION_COUNT) {
        exception_handler(frame);
        for (;;)
            __asm__ volatile("cli\n\thlt");
    }
    if (vector == INTERRUPT_VECTOR_SPURIOUS) {
        spurious++;
        return; /* no EOI: Intel SDM volume 3, 11.9 */
    }
    interrupt_handler call = __atomic_load_n(&handlers[vector].call, __ATOMIC_ACQUIRE);
    if (call != NULL)
        call(handlers[vector].argument);
    else if (vector != INTERRUPT_VECTOR_TIMER)
        spurious++;
    if (apic != NULL)
        apic_write(APIC_EOI, 0);
}
