/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arch/cpu.h>
#include <guest.h>
#include <tasks/task.h>

extern uintptr_t __stack_chk_guard;

static uint64_t thread_word(unsigned offset)
{
    uint64_t word;
    __asm__ volatile("movq %%fs:(%1), %0" : "=r"(word) : "r"((uint64_t)offset));
    return word;
}

static bool prints(const char *expected, const char *format, double value)
{
    char text[64];
    int length = snprintf(text, sizeof text, format, value);
    return length == (int)strlen(expected) && strcmp(text, expected) == 0;
}

/* musl reaches its thread block through FS (cpu.c gives it one): the canary, errno, the locale. */
void check_libc(void)
{
    check(thread_word(0) != 0 && *(const uint64_t *)thread_word(0) == thread_word(0),
          "FS:0 points to itself");
    check(thread_word(0x28) == __stack_chk_guard, "both canaries are the same");
    check(__stack_chk_guard != 0 && (__stack_chk_guard & 0xff) == 0, "no string copy can write it");

    volatile double third = 1.0 / 3.0, tenth = 0.1, large = 1.7976931348623157e308, zero = 0.0;
    check(prints("0.333333", "%f", third), "%f");
    check(prints("0.10000000000000001", "%.17g", tenth), "%.17g");
    check(prints("1.797693e+308", "%e", large), "%e");
    check(prints("-inf", "%f", -1.0 / zero) && prints("0x1.999999999999ap-4", "%a", tenth),
          "%f of infinity, %a");
    char text[8];
    volatile size_t size = sizeof text; /* so that no compiler sees the cut coming */
    check(snprintf(text, size, "%s %d", "too long", -7) == 11 && strcmp(text, "too lon") == 0,
          "snprintf cuts");

    char *end = NULL;
    errno = 0;
    check(strtod("0.1", NULL) == tenth && strtod("1.7976931348623157e308", NULL) == large && errno == 0,
          "strtod is exact");
    check(strtod("-12.5e1xyz", &end) == -125.0 && strcmp(end, "xyz") == 0,
          "strtod stops where the number does");
    errno = 0;
    check(isinf(strtod("1e999", NULL)) && errno == ERANGE, "errno is there");
    errno = 0;
    check(strtoull("18446744073709551616", NULL, 10) == UINT64_MAX && errno == ERANGE, "strtoull");
    volatile double two = 2.0, half = 0.5;
    check(fabs(sqrt(two) - 1.4142135623730951) < 1e-15 && fabs(pow(two, half) - 1.4142135623730951) < 1e-15 &&
              fabs(sin(half) - 0.479425538604203) < 1e-15,
          "mathematical functions");
}

void check_random(void)
{
    const struct cpu_features *features = cpu_get_features();
    uint8_t bytes[32] = {0};
    check(features->nx && features->vendor[0] != '\0', "CPUID is read");
    if (!features->rdrand && !features->rdseed) {
        check(cpu_random(bytes, sizeof bytes) == -ENOSYS, "a CPU without entropy says so");
        check(__stack_chk_guard != 0, "there is a canary all the same");
        return;
    }
    uint8_t other[32] = {0};
    check(cpu_random(bytes, sizeof bytes) == 0 && cpu_random(other, sizeof other) == 0, "entropy is given");
    check(memcmp(bytes, other, sizeof bytes) != 0, "not the same twice");
    bool exact = true;
    for (size_t size = 0; size < sizeof bytes; size++) {
        memset(bytes, 0xaa, sizeof bytes);
        exact = exact && cpu_random(bytes, size) == 0;
        for (size_t i = size; i < sizeof bytes; i++)
            exact = exact && bytes[i] == 0xaa;
    }
    check(exact, "as many bytes as asked for");
    bool written = false;
    for (unsigned i = 0; i < 8; i++) {
        memset(bytes, 0, sizeof bytes);
        (void)cpu_random(bytes, 13);
        written = written || bytes[12] != 0;
    }
    check(written, "down to the last");
}

static uint32_t sums[8];
static volatile bool others_ran;

/* In all eight lanes, and leaves them in the register. */
static void add_lanes(const uint32_t *a, const uint32_t *b)
{
    __asm__ volatile("vmovdqu (%0), %%ymm7\n\t"
                     "vpaddd (%1), %%ymm7, %%ymm7"
                     :
                     : "r"(a), "r"(b)
                     : "xmm7", "memory");
}

static void store_lanes(uint32_t *out)
{
    __asm__ volatile("vmovdqu %%ymm7, (%0)\n\tvzeroupper" : : "r"(out) : "memory");
}

/* Uses the same register in a task of its own. */
static void other_task(void *argument)
{
    (void)argument;
    static const uint32_t a[8] = {8, 7, 6, 5, 4, 3, 2, 1}, b[8] = {0};
    add_lanes(a, b);
    store_lanes(sums);
    others_ran = true;
}

/* What is listed works; what the CPU has and nobody switched on is not listed. */
void check_vectors(void)
{
    const struct cpu_features *features = cpu_get_features();
    uint64_t cr4;
    uint32_t state = 0, high;
    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    bool enabled = (cr4 >> 18 & 1) != 0;
    if (enabled)
        __asm__ volatile("xgetbv" : "=a"(state), "=d"(high) : "c"(0));
    check(features->avx ? (state & 7) == 7 : !features->avx2 && !features->fma && !features->f16c,
          "AVX is listed with its registers only, and others with AVX only");
    check(!features->avx512f || (state & 0xe7) == 0xe7, "so is AVX-512");
    check(enabled == (state != 0), "no state without XCR0");
    if (!features->avx2)
        return;
    static const uint32_t a[8] = {1, 2, 3, 4, 5, 6, 7, 8}, b[8] = {10, 20, 30, 40, 50, 60, 70, UINT32_MAX};
    uint32_t out[8] = {0};
    add_lanes(a, b);
    store_lanes(out);
    bool right = true;
    for (unsigned i = 0; i < 8; i++)
        right = right && out[i] == a[i] + b[i];
    check(right, "eight lanes are added");
    check(task_create("other", other_task, NULL, (size_t)TASK_STACK_SIZE) == 0, "another task");
    task_yield();
    check(others_ran && sums[0] == 8 && sums[7] == 1, "it has vectors, too");
}
