/* SPDX-License-Identifier: MIT */
#include <stdarg.h>

#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/power.h>
#include <arch/serial.h>
#include <logging/log.h>
#include <panic.h>
#include <tasks/task.h>

#define BACKTRACE_MAX 32

static enum panic_action action MMU_SEALED; /* at first PANIC_EXIT */
static bool panicking;

extern const uint8_t image_start[], text_end[];

void panic_set_action(enum panic_action chosen)
{
    action = chosen;
}

static _Noreturn void finish(enum panic_code code)
{
    if (action == PANIC_REBOOT)
        power_reboot();
    if (action == PANIC_HALT)
        power_halt();
    power_exit((uint8_t)code);
}

/* A fault during the report must not start another report. */
static void begin(enum panic_code code)
{
    interrupts_disable();
    if (panicking) {
        static const char text[] = "panic: another fault during the report\n";
        serial_write(text, sizeof text - 1);
        finish(code);
    }
    panicking = true;
}

/* `behind` is 1 for a return address: the call may be the last instruction of its function, and the address
 * behind it the next one's, so the call itself is looked up. */
static void print_address(const char *label, uintptr_t address, unsigned behind)
{
    uint64_t offset;
    const char *name = symbol_find(address - behind, &offset);
    if (name != NULL)
        log_write(LOG_ERROR, "panic", "%s %016llx %s+0x%llx", label, (unsigned long long)address, name,
                  (unsigned long long)offset + behind);
    else
        log_write(LOG_ERROR, "panic", "%s %016llx", label, (unsigned long long)address);
}

/* What to take off an address to find it in the ELF file. */
static void print_distance(void)
{
    if (mmu_layout.image_distance != 0)
        log_write(LOG_ERROR, "panic", "image %016llx, moved by %llx",
                  (unsigned long long)(uintptr_t)image_start, (unsigned long long)mmu_layout.image_distance);
}

/* Follows saved frame pointers (System V ABI, 3.2.2) for as long as they point up a mapped stack. */
static void backtrace(uintptr_t frame)
{
    for (int depth = 0; depth < BACKTRACE_MAX; depth++) {
        if (frame == 0 || frame % 8 != 0 || !mmu_query(frame, NULL, NULL) ||
            !mmu_query(frame + 15, NULL, NULL))
            return;
        const uintptr_t *words = (const uintptr_t *)frame;
        if (words[1] == 0)
            return;
        print_address("  at", words[1], 1);
        if (words[0] <= frame)
            return;
        frame = words[0];
    }
}

static _Noreturn void report(enum panic_code code, uintptr_t frame, const char *format, va_list arguments)
{
    begin(code);
    char text[LOG_LINE_MAX + 1];
    (void)log_format_v(text, sizeof text, format, arguments);
    log_write(LOG_ERROR, "panic", "%s (task '%s')", text, task_name());
    print_distance();
    backtrace(frame);
    finish(code);
}

_Noreturn void panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(PANIC_CODE_BROKEN, (uintptr_t)__builtin_frame_address(0), format, arguments);
}

_Noreturn void panic_with(enum panic_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(code, (uintptr_t)__builtin_frame_address(0), format, arguments);
}

static const char *exception_name(uint64_t vector)
{
    /* Intel SDM volume 3, table 6-1 */
    static const char *const names[] = {"divide error",
                                        "debug",
                                        "NMI",
                                        "breakpoint",
                                        "overflow",
                                        "bound range",
                                        "invalid opcode",
                                        "no FPU",
                                        "double fault",
                                        "coprocessor overrun",
                                        "invalid TSS",
                                        "missing segment",
                                        "stack segment fault",
                                        "general protection",
                                        "page fault",
                                        "reserved",
                                        "x87 error",
                                        "alignment check",
                                        "machine check",
                                        "SIMD error",
                                        "virtualization",
                                        "control protection"};
    return vector < sizeof names / sizeof names[0] ? names[vector] : "exception";
}

/* What a page fault hit, in words, from its error code (Intel SDM volume 3, figure 4-12) and the guard pages.
 */
static void explain_page_fault(const struct interrupt_frame *frame, uintptr_t address)
{
    const char *owner = task_guard_owner(address);
    for (size_t i = 0; i < CPU_STACK_COUNT && owner == NULL; i++)
        if (address - cpu_stacks()[i].guard < MMU_PAGE_SIZE)
            owner = cpu_stacks()[i].name;
    unsigned flags;
    bool mapped = mmu_query(address, NULL, &flags);
    bool execute = (frame->error & 16) != 0, write = (frame->error & 2) != 0;
    const char *access = execute ? "execute" : write ? "write" : "read";
    bool allowed = mapped && (!execute || (flags & MMU_EXECUTE)) && (!write || (flags & MMU_WRITE));
    if (owner != NULL)
        log_write(LOG_ERROR, "panic", "%s of %016llx: guard page, stack overflow of '%s'", access,
                  (unsigned long long)address, owner);
    else if (!mapped)
        log_write(LOG_ERROR, "panic", "%s of %016llx: %s", access, (unsigned long long)address,
                  address < MMU_PAGE_SIZE ? "page zero (a null pointer)" : "not mapped");
    else if (allowed)
        log_write(LOG_ERROR, "panic", "%s of %016llx: a page for user mode (SMEP, SMAP)", access,
                  (unsigned long long)address);
    else
        log_write(LOG_ERROR, "panic", "%s of %016llx: mapped read%s%s only", access,
                  (unsigned long long)address, flags & MMU_WRITE ? "-write" : "",
                  flags & MMU_EXECUTE ? "-execute" : "");
}

_Noreturn void panic_exception(const struct interrupt_frame *f)
{
    begin(PANIC_CODE_EXCEPTION);
    uint64_t cr2, cr3, cr4;
    __asm__ volatile("movq %%cr2, %0\n\tmovq %%cr3, %1\n\tmovq %%cr4, %2" : "=r"(cr2), "=r"(cr3), "=r"(cr4));
    log_write(LOG_ERROR, "panic", "exception %llu (%s), error code 0x%llx (task '%s')",
              (unsigned long long)f->vector, exception_name(f->vector), (unsigned long long)f->error,
              task_name());
    if (f->vector == 14)
        explain_page_fault(f, cr2);
    const struct {
        const char *name;
        uint64_t value;
    } registers[] = {{"rax", f->rax}, {"rbx", f->rbx}, {"rcx", f->rcx}, {"rdx", f->rdx}, {"rsi", f->rsi},
                     {"rdi", f->rdi}, {"rbp", f->rbp}, {"rsp", f->rsp}, {"r8 ", f->r8},  {"r9 ", f->r9},
                     {"r10", f->r10}, {"r11", f->r11}, {"r12", f->r12}, {"r13", f->r13}, {"r14", f->r14},
                     {"r15", f->r15}, {"cr2", cr2},    {"cr3", cr3},    {"cr4", cr4},    {"flg", f->rflags}};
    for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i += 4)
        log_write(LOG_ERROR, "panic", "%s %016llx %s %016llx %s %016llx %s %016llx", registers[i].name,
                  (unsigned long long)registers[i].value, registers[i + 1].name,
                  (unsigned long long)registers[i + 1].value, registers[i + 2].name,
                  (unsigned long long)registers[i + 2].value, registers[i + 3].name,
                  (unsigned long long)registers[i + 3].value);
    print_distance();
    print_address("rip", f->rip, 0);
    /* A call of what cannot be executed has made no frame yet: its return address is the last thing pushed.
     */
    if (f->vector == 14 && (f->error & 16) != 0 && f->rsp % 8 == 0 && mmu_query(f->rsp, NULL, NULL))
        print_address("  at", *(const uintptr_t *)f->rsp, 1);
    backtrace(f->rbp);
    finish(PANIC_CODE_EXCEPTION);
}

/* The compiler's stack protector: our code compares with the first, musl's with FS:0x28; both call the
 * second. */
uintptr_t __stack_chk_guard MMU_SEALED;
_Noreturn void __stack_chk_fail(void);

_Noreturn void __stack_chk_fail(void)
{
    panic_with(PANIC_CODE_STACK_SMASHED, "stack smashed: a function's canary was overwritten");
}

/* Made from the image's own symbols when it is linked (symbols.awk): sorted by address. */
struct symbol {
    uint32_t address; /* from the image's start */
    uint32_t name;    /* offset into symbol_names */
};
extern const uint32_t symbol_count;
extern const struct symbol symbol_table[];
extern const char symbol_names[];

const char *symbol_find(uintptr_t address, uint64_t *offset)
{
    if (symbol_count == 0 || address < (uintptr_t)image_start || address >= (uintptr_t)text_end)
        return NULL;
    uint64_t wanted = address - (uintptr_t)image_start;
    uint32_t low = 0, high = symbol_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (symbol_table[middle].address <= wanted)
            low = middle;
        else
            high = middle;
    }
    if (symbol_table[low].address > wanted)
        return NULL;
    *offset = wanted - symbol_table[low].address;
    return symbol_names + symbol_table[low].name;
}
