/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/mmu.h>

#define STACK_SIZE      8192
#define BOOT_STACK_SIZE 16384
#define PAGE            4096

/* Intel SDM volume 3, 2.5 */
#define CR4_UMIP    (1ull << 11)
#define CR4_OSXSAVE (1ull << 18)
#define CR4_SMEP    (1ull << 20)
#define CR4_SMAP    (1ull << 21)
#define MSR_FS_BASE 0xc0000100u

/* Intel SDM volume 1, 13.1: the parts of the vector registers that instructions may use */
#define XCR0_SSE     0x03u /* with x87 */
#define XCR0_AVX     0x04u
#define XCR0_AVX512  0xe0u
#define XSAVE_LEAF   0xdu
#define USABLE(bits) ((vector_state & (bits)) == (bits))

#define SEGMENT_NULL  0
#define SEGMENT_CODE  0x00af9b000000ffffull /* ring 0, 64-bit, accessed */
#define SEGMENT_DATA  0x00cf93000000ffffull
#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS  0x18

/* Intel SDM volume 3, figure 8-11 */
struct task_state {
    uint32_t reserved_0;
    uint64_t rsp[3];
    uint64_t reserved_1;
    uint64_t ist[7];
    uint64_t reserved_2;
    uint16_t reserved_3, io_map_base;
} __attribute__((packed));
_Static_assert(sizeof(struct task_state) == 104, "64-bit TSS");

/* The CPU reads it from `limit` on. The base is aligned, because layout.c moves aligned addresses only. */
struct table_pointer {
    uint16_t unused[3], limit;
    uint64_t base;
};
_Static_assert(offsetof(struct table_pointer, base) == offsetof(struct table_pointer, limit) + 2, "no gap");

/* Each stack grows down onto a page of its own that the MMU takes away. Page-aligned, guard first. */
struct guarded_stack {
    uint8_t guard[PAGE];
    uint8_t stack[STACK_SIZE];
} __attribute__((aligned(PAGE)));
struct guarded_boot_stack {
    uint8_t guard[PAGE];
    uint8_t stack[BOOT_STACK_SIZE];
} __attribute__((aligned(PAGE)));

static struct guarded_boot_stack boot_stack;
static struct guarded_stack interrupt_stacks[CPU_STACK_COUNT - 1];
__asm__(".globl boot_stack_top\n.hidden boot_stack_top\n.set boot_stack_top, boot_stack + 20480");
_Static_assert(sizeof boot_stack == 20480, "boot_stack_top, for entry.S");

static struct task_state task_state MMU_SEALED;
static uint64_t descriptors[5] MMU_SEALED;
static struct cpu_features features MMU_SEALED;
static struct cpu_stack stacks[CPU_STACK_COUNT] MMU_SEALED;
static uint32_t vector_state MMU_SEALED; /* what XCR0 is set to; 0: there is no XCR0 */
static bool secrets_are_weak;

/* What musl expects at FS:0: a pointer to itself, its stack canary at 0x28, errno further up. It is never
 * copied or freed. */
static struct {
    void *self;
    uint64_t reserved[4];
    uint64_t canary;
    uint8_t rest[464];
} musl_thread;

extern uintptr_t __stack_chk_guard;

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

/* Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E. */
void cpu_identify(void)
{
    struct cpuid basic = cpuid(0, 0);
    memcpy(features.vendor, &basic.ebx, 4);
    memcpy(features.vendor + 4, &basic.edx, 4);
    memcpy(features.vendor + 8, &basic.ecx, 4);

    struct cpuid one = cpuid(1, 0);
    bool xsave = one.ecx >> 26 & 1;
    if (xsave && basic.eax >= XSAVE_LEAF)
        vector_state = cpuid(XSAVE_LEAF, 0).eax & (XCR0_SSE | XCR0_AVX | XCR0_AVX512);
    /* XSETBV takes AVX-512's three together only, and with AVX. */
    if (!USABLE(XCR0_AVX | XCR0_AVX512))
        vector_state &= ~XCR0_AVX512;
    features.sse42 = one.ecx >> 20 & 1;
    features.avx = USABLE(XCR0_SSE | XCR0_AVX) && (one.ecx >> 28 & 1);
    features.fma = features.avx && (one.ecx >> 12 & 1);
    features.f16c = features.avx && (one.ecx >> 29 & 1);
    features.rdrand = one.ecx >> 30 & 1;
    features.hypervisor = one.ecx >> 31 & 1;
    if (basic.eax >= 7) {
        struct cpuid seven = cpuid(7, 0);
        features.avx2 = features.avx && (seven.ebx >> 5 & 1);
        features.smep = seven.ebx >> 7 & 1;
        features.avx512f = features.avx && USABLE(XCR0_AVX512) && (seven.ebx >> 16 & 1);
        features.rdseed = seven.ebx >> 18 & 1;
        features.smap = seven.ebx >> 20 & 1;
        features.umip = seven.ecx >> 2 & 1;
    }
    uint32_t extended = cpuid(0x80000000u, 0).eax;
    if (extended >= 0x80000001u)
        features.nx = cpuid(0x80000001u, 0).edx >> 20 & 1;
    if (extended >= 0x80000004u) {
        for (uint32_t i = 0; i < 3; i++) {
            struct cpuid part = cpuid(0x80000002u + i, 0);
            memcpy(features.brand + 16 * i, &part, 16);
        }
    }
    if (extended >= 0x80000007u)
        features.invariant_tsc = cpuid(0x80000007u, 0).edx >> 8 & 1;
}

static void load_descriptors(void)
{
    for (size_t i = 1; i < CPU_STACK_COUNT; i++)
        task_state.ist[i - 1] = (uintptr_t)&interrupt_stacks[i - 1] + sizeof interrupt_stacks[0];
    task_state.io_map_base = sizeof task_state;

    uint64_t base = (uintptr_t)&task_state;
    descriptors[0] = SEGMENT_NULL;
    descriptors[1] = SEGMENT_CODE;
    descriptors[2] = SEGMENT_DATA;
    /* Intel SDM volume 3, figure 8-4: available 64-bit TSS */
    descriptors[3] =
        (sizeof task_state - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    descriptors[4] = base >> 32;

    struct table_pointer pointer = {.limit = sizeof descriptors - 1, .base = (uintptr_t)descriptors};
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %2\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %3, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%ss\n\t"
                     "ltr %w4"
                     :
                     : "m"(pointer.limit), "m"(pointer.base), "i"(SELECTOR_CODE), "i"(SELECTOR_DATA),
                       "r"(SELECTOR_TSS)
                     : "rax", "memory");
}

/* The canary changes here, so no function that is on the stack at this moment may check it when it returns.
 */
__attribute__((no_stack_protector)) void cpu_initialise(void)
{
    load_descriptors();

    uint64_t cr4;
    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    if (features.smep)
        cr4 |= CR4_SMEP;
    if (features.smap)
        cr4 |= CR4_SMAP;
    if (features.umip)
        cr4 |= CR4_UMIP;
    if (vector_state != 0)
        cr4 |= CR4_OSXSAVE;
    __asm__ volatile("movq %0, %%cr4" : : "r"(cr4) : "memory");
    if (vector_state != 0)
        __asm__ volatile("xsetbv" : : "a"(vector_state), "d"(0), "c"(0));

    /* Its low byte is zero, so that no string copy writes it. */
    uint64_t canary = cpu_secret() & ~0xffull;
    __stack_chk_guard = canary;
    musl_thread.self = &musl_thread;
    musl_thread.canary = canary;
    msr_write(MSR_FS_BASE, (uintptr_t)&musl_thread);

    static const char *const names[CPU_STACK_COUNT] = {"boot",          "double fault", "NMI",
                                                       "machine check", "exception",    "interrupt"};
    stacks[0] = (struct cpu_stack){names[0], (uintptr_t)boot_stack.guard, (uintptr_t)boot_stack.stack,
                                   (uintptr_t)(&boot_stack + 1)};
    for (size_t i = 1; i < CPU_STACK_COUNT; i++) {
        struct guarded_stack *stack = &interrupt_stacks[i - 1];
        stacks[i] = (struct cpu_stack){names[i], (uintptr_t)stack->guard, (uintptr_t)stack->stack,
                                       (uintptr_t)(stack + 1)};
    }
}

const struct cpu_features *cpu_get_features(void)
{
    return &features;
}

const struct cpu_stack *cpu_stacks(void)
{
    return stacks;
}

static int random_word(uint64_t *out)
{
    for (int attempt = 0; attempt < 10; attempt++) {
        uint8_t ok = 0;
        if (features.rdseed)
            __asm__ volatile("rdseed %0\n\tsetc %1" : "=r"(*out), "=qm"(ok) : : "cc");
        if (ok)
            return 0;
        if (features.rdrand)
            __asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(*out), "=qm"(ok) : : "cc");
        if (ok)
            return 0;
    }
    return -EIO;
}

__attribute__((no_stack_protector)) int cpu_random(void *out, size_t size)
{
    if (!features.rdrand && !features.rdseed)
        return -ENOSYS;
    uint8_t *bytes = out;
    while (size > 0) {
        uint64_t word;
        int error = random_word(&word);
        if (error != 0)
            return error;
        size_t part = size < sizeof word ? size : sizeof word;
        memcpy(bytes, &word, part);
        bytes += part;
        size -= part;
    }
    return 0;
}

__attribute__((no_stack_protector)) uint64_t cpu_secret(void)
{
    static uint64_t state;
    uint64_t word;
    if (cpu_random(&word, sizeof word) == 0)
        return word;
    secrets_are_weak = true;
    /* The finalizer of MurmurHash3: every bit of the sum reaches every bit of the result. */
    state += cpu_timestamp() + 0x9e3779b97f4a7c15ull;
    word = state;
    word = (word ^ word >> 33) * 0xff51afd7ed558ccdull;
    word = (word ^ word >> 33) * 0xc4ceb9fe1a85ec53ull;
    return word ^ word >> 33;
}

bool cpu_secrets_are_weak(void)
{
    return secrets_are_weak;
}

void cpu_stack_start(void);

void *cpu_prepare_stack(void *top, void (*entry)(void *argument), void *argument)
{
    /* As cpu_switch pops it: MXCSR and x87 control word, R15, R14, R13, R12, RBX, RBP, return address. Then
     * RSP is `top`, aligned as the ABI wants it where cpu_stack_start calls. */
    uint64_t *stack = top;
    *--stack = (uintptr_t)cpu_stack_start;
    *--stack = 0;
    *--stack = (uintptr_t)entry;
    *--stack = (uintptr_t)argument;
    *--stack = 0;
    *--stack = 0;
    *--stack = 0;
    *--stack = 0x1f80 | 0x037full << 32; /* reset values, Intel SDM volume 1, 10.2.3 and 8.1.5 */
    return stack;
}
