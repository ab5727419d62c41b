/* SPDX-License-Identifier: MIT
 *
 * KVM's paravirtual clock, read once: Linux, Documentation/virt/kvm/x86/{cpuid,msr}.rst.
 */
#include <cpuid.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/mmu.h>
#include <kvm_clock.h>

#define LEAF_FIRST           0x40000000u
#define LEAF_STEP            0x100u /* KVM's leaves come second where it acts as Hyper-V, too */
#define LEAF_TRIES           2
#define LEAF_FEATURES        1
#define FEATURE_CLOCK_SOURCE (1u << 3)

#define MSR_SYSTEM_TIME     0x4b564d01u
#define SYSTEM_TIME_ENABLE  1u
#define SYSTEM_TIME_DISABLE 0u

/* struct pvclock_vcpu_time_info */
struct system_time {
    uint32_t version; /* odd while the host writes, 0 before it ever did */
    uint32_t reserved_0;
    uint64_t timestamp, nanoseconds;
    uint32_t multiplier; /* nanoseconds = (ticks << shift) * multiplier >> 32 */
    int8_t shift;
    uint8_t flags, reserved_1[2];
};
_Static_assert(sizeof(struct system_time) == 32 && offsetof(struct system_time, multiplier) == 24 &&
                   offsetof(struct system_time, shift) == 28,
               "pvclock_vcpu_time_info");

static bool has_clock(void)
{
    for (uint32_t leaf = LEAF_FIRST; leaf < LEAF_FIRST + LEAF_TRIES * LEAF_STEP; leaf += LEAF_STEP) {
        uint32_t eax, signature[3], ignored;
        __cpuid(leaf, eax, signature[0], signature[1], signature[2]);
        if (memcmp(signature, "KVMKVMKVM\0\0\0", sizeof signature) == 0) {
            __cpuid(leaf + LEAF_FEATURES, eax, ignored, ignored, ignored);
            return (eax & FEATURE_CLOCK_SOURCE) != 0;
        }
    }
    return false;
}

uint64_t kvm_clock_frequency(void)
{
    static volatile struct system_time time __attribute__((aligned(32)));

    uint64_t physical;
    if (!cpu_get_features()->hypervisor || !has_clock() || !mmu_query((uintptr_t)&time, &physical, NULL))
        return 0;
    /* KVM fills it in before the next instruction, and has let go of it after the second write. */
    msr_write(MSR_SYSTEM_TIME, physical | SYSTEM_TIME_ENABLE);
    msr_write(MSR_SYSTEM_TIME, SYSTEM_TIME_DISABLE);

    uint32_t version = time.version, multiplier = time.multiplier;
    int8_t shift = time.shift;
    if (version == 0 || (version & 1) != 0 || multiplier == 0 || shift < -31 || shift > 31)
        return 0;
    uint64_t unshifted = (1000000000ull << 32) / multiplier;
    return shift < 0 ? unshifted << -shift : unshifted >> shift;
}
