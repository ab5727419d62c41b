/* SPDX-License-Identifier: MIT
 *
 * One forbidden thing per function. The names of the functions must be in the report.
 */
#include <string.h>

#include <arch/mmu.h>
#include <faults.h>
#include <guest.h>
#include <memory/frames.h>
#include <memory/heap.h>
#include <panic.h>
#include <switch_off.h>

/* Addresses that nothing else uses. */
#define PLACE      0xffffd00000000000ull
#define USER_PLACE 0x400000ull

/* mov eax, ANSWER; ret */
static const uint8_t answer_code[] = {0xb8, ANSWER, 0, 0, 0, RETURN_INSTRUCTION};

/* The same in text, for somebody to overwrite, or to call through the direct map. */
static __attribute__((noinline)) int answer(void)
{
    return (int)opaque(ANSWER);
}

static uintptr_t alias_of(uintptr_t address)
{
    uint64_t physical;
    if (!mmu_query(address, &physical, NULL))
        panic("nothing is mapped at %llx", (unsigned long long)address);
    return (uintptr_t)mmu_direct(physical);
}

/* Always inlined, so that what faults lies in the function that the report must name. */
static inline __attribute__((always_inline)) void read_byte(uintptr_t address, uint8_t expected)
{
    announce("read", address);
    uint8_t value = *(const volatile uint8_t *)opaque(address);
    happened(value == expected, "it was read");
}

static inline __attribute__((always_inline)) void write_byte(uintptr_t address)
{
    announce("write", address);
    *(volatile uint8_t *)opaque(address) = RETURN_INSTRUCTION;
    happened(*(volatile uint8_t *)opaque(address) == RETURN_INSTRUCTION, "it was written");
}

static inline __attribute__((always_inline)) void execute(uintptr_t address)
{
    announce("execute", address);
    int result = ((int (*)(void))opaque(address))();
    happened(result == ANSWER, "it was executed");
}

static void fault_null_read(bool off)
{
    if (off)
        (void)switch_off_hole(0, MMU_READ);
    read_byte(0, 0);
}

static void fault_null_write(bool off)
{
    if (off)
        (void)switch_off_hole(0, MMU_WRITE);
    write_byte(8);
}

static void fault_null_call(bool off)
{
    if (off)
        memcpy(switch_off_hole(0, MMU_EXECUTE), answer_code, sizeof answer_code);
    execute(0);
}

static void fault_write_text(bool off)
{
    if (off)
        switch_off_write_protection();
    write_byte((uintptr_t)answer);
}

static void fault_write_text_alias(bool off)
{
    if (off)
        switch_off_write_protection();
    write_byte(alias_of((uintptr_t)answer));
}

static void fault_write_rodata(bool off)
{
    static const uint8_t constant = 1;
    if (off)
        switch_off_write_protection();
    write_byte((uintptr_t)&constant);
}

/* Constants that hold addresses are written when the image is moved: only then. */
static void fault_write_rodata_address(bool off)
{
    static int (*const table[])(void) = {answer};
    if (off)
        switch_off_write_protection();
    write_byte((uintptr_t)&table[0]);
}

static void fault_write_sealed(bool off)
{
    static volatile uint8_t sealed MMU_SEALED;
    if (off)
        switch_off_write_protection();
    write_byte((uintptr_t)&sealed);
}

static void fault_write_sealed_alias(bool off)
{
    static volatile uint8_t sealed MMU_SEALED;
    if (off)
        switch_off_write_protection();
    write_byte(alias_of((uintptr_t)&sealed));
}

/* The table that says which code runs at an interrupt: its last four bytes, which are reserved. */
static void fault_write_idt(bool off)
{
    struct {
        uint16_t unused[3], limit;
        uintptr_t base;
    } table;
    __asm__ volatile("sidt %0" : "=m"(table.limit), "=m"(table.base));
    if (off)
        switch_off_write_protection();
    write_byte(table.base + table.limit);
}

static void fault_execute_data(bool off)
{
    static uint8_t code[sizeof answer_code];
    memcpy(code, answer_code, sizeof code);
    if (off)
        switch_off_no_execute((uintptr_t)code);
    execute((uintptr_t)code);
}

static void fault_execute_heap(bool off)
{
    uint8_t *code = heap_alloc(64);
    if (code == NULL)
        return;
    memcpy(code, answer_code, sizeof answer_code);
    if (off)
        switch_off_no_execute((uintptr_t)code);
    execute((uintptr_t)code);
}

static void fault_execute_stack(bool off)
{
    uint8_t code[sizeof answer_code];
    memcpy(code, answer_code, sizeof code);
    if (off)
        switch_off_no_execute((uintptr_t)code);
    execute((uintptr_t)code);
}

static void fault_execute_text_alias(bool off)
{
    uintptr_t alias = alias_of((uintptr_t)answer);
    if (off)
        switch_off_no_execute(alias);
    execute(alias);
}

/* What the CPU remembers of a page must be gone when its mapping changes. */
static volatile uint8_t *used_page(void)
{
    uint64_t frame;
    volatile uint8_t *page = (volatile uint8_t *)PLACE;
    if (frames_alloc(1, FRAME_SIZE, &frame) != 0 ||
        mmu_map(frame, (uintptr_t)page, FRAME_SIZE, MMU_WRITE) != 0)
        panic("no page");
    page[6] = 0;
    page[5] = page[6];
    return page;
}

static void fault_write_protected(bool off)
{
    volatile uint8_t *page = used_page();
    if (mmu_protect((uintptr_t)page, FRAME_SIZE, MMU_READ) != 0)
        return;
    if (off)
        switch_off_write_protection();
    write_byte((uintptr_t)page + 5);
}

static void fault_read_unmapped(bool off)
{
    volatile uint8_t *page = used_page();
    if (mmu_unmap((uintptr_t)page, FRAME_SIZE) != 0)
        return;
    if (off)
        (void)switch_off_hole((uintptr_t)page, MMU_READ);
    read_byte((uintptr_t)page + 5, 0);
}

/* The kernel maps no page for user mode; somebody who can write to a page table could. */
static void fault_read_user(bool off)
{
    (void)switch_off_hole(USER_PLACE, MMU_READ);
    make_user_page(USER_PLACE);
    if (off)
        switch_off_smap();
    read_byte(USER_PLACE, 0);
}

static void fault_write_user(bool off)
{
    (void)switch_off_hole(USER_PLACE, MMU_WRITE);
    make_user_page(USER_PLACE);
    if (off)
        switch_off_smap();
    write_byte(USER_PLACE);
}

static void fault_execute_user(bool off)
{
    memcpy(switch_off_hole(USER_PLACE, MMU_EXECUTE), answer_code, sizeof answer_code);
    make_user_page(USER_PLACE);
    if (off)
        switch_off_smep();
    execute(USER_PLACE);
}

static void fault_divide(bool off)
{
    (void)off;
    volatile unsigned quotient = (unsigned)opaque(1) / (unsigned)opaque(0);
    (void)quotient;
}

static void fault_invalid_opcode(bool off)
{
    (void)off;
    __asm__ volatile("ud2");
}

static void fault_not_canonical(bool off)
{
    (void)off;
    read_byte(0x0000800000000000, 0);
}

static void fault_panic(bool off)
{
    (void)off;
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

static void fault_in_report(bool off)
{
    (void)off;
    static uint8_t anything;
    if (log_add_sink(faulty_sink, &anything) == 0)
        panic("the report is going to fault");
}

static void fault_none(bool off)
{
    (void)off;
    announce("nothing", 0);
}

bool guest_fault(const char *name, size_t length, bool off)
{
    static const struct {
        const char *name;
        void (*run)(bool off);
    } faults[] = {
        {"null-read", fault_null_read},
        {"null-write", fault_null_write},
        {"null-call", fault_null_call},
        {"write-text", fault_write_text},
        {"write-text-alias", fault_write_text_alias},
        {"write-rodata", fault_write_rodata},
        {"write-rodata-address", fault_write_rodata_address},
        {"write-sealed", fault_write_sealed},
        {"write-sealed-alias", fault_write_sealed_alias},
        {"write-idt", fault_write_idt},
        {"write-protected", fault_write_protected},
        {"read-unmapped", fault_read_unmapped},
        {"execute-data", fault_execute_data},
        {"execute-heap", fault_execute_heap},
        {"execute-stack", fault_execute_stack},
        {"execute-text-alias", fault_execute_text_alias},
        {"read-user", fault_read_user},
        {"write-user", fault_write_user},
        {"execute-user", fault_execute_user},
        {"stack-overflow", fault_stack_overflow},
        {"boot-stack-overflow", fault_boot_stack_overflow},
        {"stack-clash", fault_stack_clash},
        {"interrupt-stack-overflow", fault_interrupt_stack_overflow},
        {"double-fault", fault_double_fault},
        {"smash-canary", fault_smash_canary},
        {"divide", fault_divide},
        {"invalid-opcode", fault_invalid_opcode},
        {"not-canonical", fault_not_canonical},
        {"double-free", fault_double_free},
        {"heap-overflow", fault_heap_overflow},
        {"panic", fault_panic},
        {"in-report", fault_in_report},
        {"none", fault_none},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (strlen(faults[i].name) == length && memcmp(faults[i].name, name, length) == 0) {
            faults[i].run(off);
            return true;
        }
    }
    return false;
}
