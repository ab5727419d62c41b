/* SPDX-License-Identifier: MIT
 *
 * Which kernels this CPU can run. An instruction set counts where the CPU has it and the operating system (or
 * our own kernel) keeps its registers: Intel SDM volume 1, sections 14.3 and 14.7.1.
 */
#include "tensor/kernels.h"

#include <cpuid.h>
#include <string.h>

#define LEAF_1_C_FMA     (1u << 12)
#define LEAF_1_C_OSXSAVE (1u << 27)
#define LEAF_1_C_AVX     (1u << 28)
#define LEAF_1_C_F16C    (1u << 29)
#define LEAF_7_B_AVX2    (1u << 5)
#define XCR0_SSE_AVX     6u /* both halves of the YMM registers are kept */

static uint32_t read_xcr0(void)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static bool always(void)
{
    return true;
}

static bool has_avx2(void)
{
    const uint32_t wanted = LEAF_1_C_FMA | LEAF_1_C_OSXSAVE | LEAF_1_C_AVX | LEAF_1_C_F16C;
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & wanted) != wanted)
        return false;
    if ((read_xcr0() & XCR0_SSE_AVX) != XCR0_SSE_AVX)
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & LEAF_7_B_AVX2) != 0;
}

/* Best first. */
static const struct {
    const struct tensor_kernels *kernels;
    bool (*runs)(void);
} sets[] = {{&tensor_kernels_avx2, has_avx2}, {&tensor_kernels_sse2, always}};

const struct tensor_kernels *tensor_kernels_find(const char *name)
{
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
        if ((name == NULL || strcmp(name, sets[i].kernels->name) == 0) && sets[i].runs())
            return sets[i].kernels;
    return NULL;
}
