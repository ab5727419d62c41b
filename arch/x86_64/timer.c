/* SPDX-License-Identifier: MIT */
#include <cpuid.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/interrupts.h>
#include <arch/io.h>
#include <arch/timer.h>
#include <kvm_clock.h>

/* 8254 data sheet. Channel 0 runs without a gate, which QEMU's microvm has not; its interrupt is masked. */
#define PIT_FREQUENCY   1193182u
#define PIT_CHANNEL_0   0x40
#define PIT_COMMAND     0x43
#define PIT_ONE_SHOT    0x30 /* channel 0, low then high byte, mode 0: the output rises at the end */
#define PIT_READ_STATUS 0xe2 /* read-back command: the status of channel 0 */
#define PIT_OUTPUT      0x80
#define PIT_TICKS       1193 /* one millisecond */
#define ATTEMPTS        16
#define POLLS_MAX       100000u

#define APIC_LVT_TIMER           0x320
#define APIC_TIMER_INITIAL       0x380
#define APIC_TIMER_CURRENT       0x390
#define APIC_TIMER_DIVIDE        0x3e0
#define APIC_DIVIDE_BY_16        0x3
#define APIC_LVT_MASKED          (1u << 16)
#define APIC_LVT_DEADLINE        (1u << 18) /* Intel SDM volume 3, 10.5.4.1 */
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define MSR_TSC_DEADLINE         0x6e0u

/* Rates beyond these are no time stamp counter's. */
#define FREQUENCY_MIN 1000000ull
#define FREQUENCY_MAX 1000000000000ull

static uint64_t frequency;      /* of the time stamp counter, Hz */
static uint64_t apic_frequency; /* of the alarm, after its divider, Hz */
static bool deadline_mode;      /* the alarm compares with the time stamp counter instead */
static uint64_t scale;          /* microseconds per tick, times 2^32 */
static uint64_t origin;         /* the time stamp that counts as 0 */
static const char *source = "nothing";

/* How far the counters ran while the PIT counted down once. */
struct measurement {
    uint64_t timestamp;
    uint64_t doubt;           /* by how many time stamps that may be wrong */
    uint64_t apic, apic_time; /* the alarm's ticks, and the time stamps that they took */
};

static bool pit_has_ended(void)
{
    io_write8(PIT_COMMAND, PIT_READ_STATUS);
    return (io_read8(PIT_CHANNEL_0) & PIT_OUTPUT) != 0;
}

/* Returns false when the PIT does not count. */
static bool measure(struct measurement *result)
{
    io_write8(PIT_COMMAND, PIT_ONE_SHOT);
    io_write8(PIT_CHANNEL_0, PIT_TICKS & 0xff);
    apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
    uint64_t before = cpu_timestamp();
    io_write8(PIT_CHANNEL_0, PIT_TICKS >> 8); /* it starts here, */
    uint64_t after = cpu_timestamp();

    uint32_t apic_start = apic_read(APIC_TIMER_CURRENT);
    uint64_t earliest, last = after, now = after;
    unsigned polls = 0;
    bool ended;
    do {
        earliest = last; /* it ends after the last look that did not see the end has begun, */
        last = now;
        ended = pit_has_ended();
        now = cpu_timestamp(); /* and before this */
    } while (!ended && ++polls < POLLS_MAX);
    result->apic = apic_start - apic_read(APIC_TIMER_CURRENT);
    result->apic_time = now - after;
    result->timestamp = (earliest + (now - earliest) / 2) - (before + (after - before) / 2);
    result->doubt = (after - before) / 2 + (now - earliest) / 2;
    return ended && polls > 0;
}

/* What the hypervisor says comes first: it knows whether it scales the counter. */
static uint64_t ask(void)
{
    uint32_t eax, ebx, ecx, edx;
    if (cpu_get_features()->hypervisor) {
        __cpuid_count(0x40000000u, 0, eax, ebx, ecx, edx);
        if (eax >= 0x40000010u && eax < 0x40010000u) {
            __cpuid_count(0x40000010u, 0, eax, ebx, ecx, edx);
            if (eax != 0) {
                source = "hypervisor's CPUID leaf 0x40000010";
                return (uint64_t)eax * 1000;
            }
        }
    }
    uint64_t hertz = kvm_clock_frequency();
    if (hertz != 0) {
        source = "KVM's clock";
        return hertz;
    }
    __cpuid_count(0u, 0, eax, ebx, ecx, edx);
    if (eax >= 0x15) {
        __cpuid_count(0x15u, 0, eax, ebx, ecx, edx);
        if (eax != 0 && ebx != 0 && ecx != 0) {
            source = "CPUID leaf 0x15";
            return (uint64_t)ecx * ebx / eax;
        }
    }
    return 0;
}

/* Both rates, against the PIT. */
static void measure_all(void)
{
    /* The PIT goes on counting while a host takes the CPU away: that matters only at the start or at the end,
     * and is seen there. A measurement that is good to 1 % is good enough for a clock that nobody compares.
     */
    struct measurement best = {.doubt = UINT64_MAX};
    for (int i = 0; i < ATTEMPTS && best.doubt > best.timestamp / 100; i++) {
        struct measurement one;
        if (measure(&one) && one.doubt < best.doubt)
            best = one;
    }
    if (best.doubt == UINT64_MAX || best.apic_time == 0)
        return;
    frequency = best.timestamp * PIT_FREQUENCY / PIT_TICKS;
    apic_frequency = best.apic * frequency / best.apic_time;
    source = "measured against the PIT";
}

/* The alarm's rate, against the time stamp counter for a millisecond. */
static void measure_alarm(void)
{
    apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
    uint64_t start = cpu_timestamp(), passed;
    do
        passed = cpu_timestamp() - start;
    while (passed < frequency / 1000);
    uint64_t ticks = UINT32_MAX - apic_read(APIC_TIMER_CURRENT);
    apic_frequency = ticks * frequency / passed;
}

int timer_initialise(uint64_t entry_timestamp)
{
    origin = entry_timestamp;
    uint32_t eax, ebx, ecx, edx;
    __cpuid_count(1u, 0, eax, ebx, ecx, edx);
    deadline_mode = (ecx & CPUID_1_ECX_TSC_DEADLINE) != 0;
    apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_16);
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | INTERRUPT_VECTOR_TIMER);

    frequency = ask();
    if (frequency == 0)
        measure_all();
    else if (frequency >= FREQUENCY_MIN && frequency <= FREQUENCY_MAX && !deadline_mode)
        measure_alarm();
    apic_write(APIC_TIMER_INITIAL, 0);
    if (frequency < FREQUENCY_MIN || frequency > FREQUENCY_MAX || (apic_frequency == 0 && !deadline_mode)) {
        frequency = 0;
        return -EIO;
    }
    scale = (1000000ull << 32) / frequency;
    apic_write(APIC_LVT_TIMER,
               INTERRUPT_VECTOR_TIMER | (deadline_mode ? APIC_LVT_DEADLINE : 0)); /* one-shot */
    /* The mode must have reached the APIC before its MSR is written. */
    __asm__ volatile("mfence" : : : "memory");
    return 0;
}

uint64_t timer_now_us(void)
{
    __extension__ typedef unsigned __int128 uint128;
    return (uint64_t)((uint128)(cpu_timestamp() - origin) * scale >> 32);
}

void timer_set_alarm(uint64_t deadline_us)
{
    if (frequency == 0)
        return;
    if (deadline_us == UINT64_MAX) {
        if (deadline_mode)
            msr_write(MSR_TSC_DEADLINE, 0);
        else
            apic_write(APIC_TIMER_INITIAL, 0);
        return;
    }
    uint64_t now = timer_now_us();
    uint64_t delay = deadline_us > now ? deadline_us - now : 0;
    /* At most a second ahead: whoever waits looks at the clock again. */
    if (delay > 1000000)
        delay = 1000000;
    if (deadline_mode) {
        /* One microsecond at least: the deadline 0 would be none. */
        msr_write(MSR_TSC_DEADLINE, cpu_timestamp() + (delay + 1) * frequency / 1000000);
        return;
    }
    uint64_t ticks = delay * apic_frequency / 1000000 + 1;
    apic_write(APIC_TIMER_INITIAL, ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks);
}

uint64_t timer_frequency(void)
{
    return frequency;
}

const char *timer_source(void)
{
    return source;
}
