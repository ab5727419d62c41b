/* SPDX-License-Identifier: MIT
 *
 * One forbidden thing per function. Each announces the address that the report must name, and returns only
 * where the protection is missing. The names of the functions must be in the backtrace.
 */
#include <string.h>

#include <arch/cpu.h>
#include <arch/mmu.h>
#include <guest.h>
#include <logging/log.h>
#include <memory/frames.h>
#include <memory/heap.h>
#include <panic.h>
#include <tasks/task.h>

#define RETURN_INSTRUCTION 0xc3

/* The compiler may not know what value comes out, so it can neither warn of the fault nor remove it. */
static uintptr_t opaque(uintptr_t value)
{
    __asm__ volatile("" : "+r"(value));
    return value;
}

static void announce(const char *access, uintptr_t address)
{
    log_write(LOG_INFO, "guest", "%s of %016llx", access, (unsigned long long)address);
}

/* Always inlined, so that what faults lies in the function that the backtrace must name. */
static inline __attribute__((always_inline)) void read_byte(uintptr_t address)
{
    announce("read", address);
    (void)*(const volatile uint8_t *)opaque(address);
}

static inline __attribute__((always_inline)) void write_byte(uintptr_t address)
{
    announce("write", address);
    *(volatile uint8_t *)opaque(address) = RETURN_INSTRUCTION;
}

static inline __attribute__((always_inline)) void execute(uintptr_t address)
{
    announce("execute", address);
    ((void (*)(void))opaque(address))();
    __asm__ volatile(""); /* no tail call */
}

static void fault_null_read(void)
{
    read_byte(0);
}

static void fault_null_write(void)
{
    write_byte(8);
}

static void fault_null_call(void)
{
    execute(0);
}

static void fault_write_text(void)
{
    write_byte((uintptr_t)memcpy);
}

static void fault_write_text_alias(void)
{
    write_byte((uintptr_t)memcpy - MMU_IMAGE_BASE + MMU_DIRECT_MAP);
}

static void fault_write_rodata(void)
{
    static const uint8_t constant = 1;
    write_byte((uintptr_t)&constant);
}

static void fault_execute_data(void)
{
    static uint8_t code[] = {RETURN_INSTRUCTION};
    execute((uintptr_t)code);
}

static void fault_execute_heap(void)
{
    uint8_t *code = heap_alloc(64);
    if (code == NULL)
        return;
    memset(code, RETURN_INSTRUCTION, 64);
    execute((uintptr_t)code);
}

static void fault_execute_stack(void)
{
    uint8_t code[64];
    memset(code, RETURN_INSTRUCTION, sizeof code);
    execute((uintptr_t)code);
}

static void fault_execute_text_alias(void)
{
    execute((uintptr_t)memcpy - MMU_IMAGE_BASE + MMU_DIRECT_MAP);
}

/* What the CPU remembers of a page must be gone when its mapping changes. */
static volatile uint8_t *used_page(void)
{
    uint64_t frame;
    volatile uint8_t *page = (volatile uint8_t *)0xffffd00000000000;
    if (frames_alloc(1, FRAME_SIZE, &frame) != 0 ||
        mmu_map(frame, (uintptr_t)page, FRAME_SIZE, MMU_WRITE) != 0)
        panic("no page");
    page[5] = page[6];
    return page;
}

static void fault_write_protected(void)
{
    volatile uint8_t *page = used_page();
    if (mmu_protect((uintptr_t)page, FRAME_SIZE, MMU_READ) == 0)
        write_byte((uintptr_t)page + 5);
}

static void fault_read_unmapped(void)
{
    volatile uint8_t *page = used_page();
    if (mmu_unmap((uintptr_t)page, FRAME_SIZE) == 0)
        read_byte((uintptr_t)page + 5);
}

/* Frames far smaller than the guard page, so that none steps over it. */
static unsigned recurse(unsigned depth) // NOLINT(misc-no-recursion): that is the point
{
    volatile uint8_t frame[200];
    frame[opaque(0)] = (uint8_t)depth;
    return depth == 0 ? 0 : recurse(depth - 1) + frame[opaque(0)];
}

static void fault_boot_stack_overflow(void)
{
    announce("write", cpu_stacks()[0].guard);
    (void)recurse((unsigned)opaque(1000000));
}

static void overflow_task(void *argument)
{
    (void)argument;
    uintptr_t guard, bottom, top;
    if (task_stack(&guard, &bottom, &top))
        announce("write", guard);
    (void)recurse((unsigned)opaque(1000000));
}

static void fault_stack_overflow(void)
{
    if (task_create("deep", overflow_task, NULL, (size_t)TASK_STACK_SIZE) == 0)
        task_yield();
}

static void fault_smash_canary(void)
{
    char buffer[16];
    volatile char *at = (volatile char *)opaque((uintptr_t)buffer);
    for (unsigned i = 0; i < 64; i++)
        at[i] = 'A';
    __asm__ volatile("" : : "r"(buffer) : "memory");
}

static void fault_divide(void)
{
    volatile unsigned quotient = (unsigned)opaque(1) / (unsigned)opaque(0);
    (void)quotient;
}

static void fault_invalid_opcode(void)
{
    __asm__ volatile("ud2");
}

static void fault_not_canonical(void)
{
    read_byte(0x0000800000000000);
}

static void fault_double_free(void)
{
    void *block = heap_alloc(100);
    heap_free(block);
    heap_free((void *)opaque((uintptr_t)block));
    __asm__ volatile(""); /* no tail call */
}

static void fault_panic(void)
{
    panic("asked for by the guest, number %d", 42);
}

static void faulty_sink(void *context, enum log_level level, const char *line, size_t length)
{
    (void)level;
    (void)line;
    (void)length;
    if (context != NULL)
        *(volatile uint8_t *)opaque(0) = 1;
}

static void fault_in_report(void)
{
    static uint8_t anything;
    if (log_add_sink(faulty_sink, &anything) == 0)
        panic("the report is going to fault");
}

static void fault_none(void)
{
    announce("nothing", 0);
}

bool guest_fault(const char *name, size_t length)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } faults[] = {
        {"null-read", fault_null_read},
        {"null-write", fault_null_write},
        {"null-call", fault_null_call},
        {"write-text", fault_write_text},
        {"write-text-alias", fault_write_text_alias},
        {"write-rodata", fault_write_rodata},
        {"write-protected", fault_write_protected},
        {"read-unmapped", fault_read_unmapped},
        {"execute-data", fault_execute_data},
        {"execute-heap", fault_execute_heap},
        {"execute-stack", fault_execute_stack},
        {"execute-text-alias", fault_execute_text_alias},
        {"stack-overflow", fault_stack_overflow},
        {"boot-stack-overflow", fault_boot_stack_overflow},
        {"smash-canary", fault_smash_canary},
        {"divide", fault_divide},
        {"invalid-opcode", fault_invalid_opcode},
        {"not-canonical", fault_not_canonical},
        {"double-free", fault_double_free},
        {"panic", fault_panic},
        {"in-report", fault_in_report},
        {"none", fault_none},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (strlen(faults[i].name) == length && memcmp(faults[i].name, name, length) == 0) {
            faults[i].run();
            return true;
        }
    }
    return false;
}
