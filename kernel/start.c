/* SPDX-License-Identifier: MIT
 *
 * From the boot loader to a machine that can do something. The order is data: the table at the end.
 */
#include <errno.h>

#include <arch/cpu.h>
#include <arch/entry.h>
#include <arch/interrupts.h>
#include <arch/mmu.h>
#include <arch/power.h>
#include <arch/serial.h>
#include <arch/timer.h>
#include <hooks/virtio_devices.h>
#include <logging/log.h>
#include <memory/frames.h>
#include <memory/memory.h>
#include <options.h>
#include <panic.h>
#include <start.h>
#include <tasks/task.h>

#define LOG_RING_SIZE (64 * 1024)

static struct boot_info boot MMU_SEALED;
static struct options options MMU_SEALED;
static uint64_t entry_timestamp, boot_information;
static uint32_t boot_protocol;
static uint8_t log_ring[LOG_RING_SIZE];

static void serial_sink(void *context, enum log_level level, const char *line, size_t length)
{
    (void)context;
    (void)level;
    serial_write(line, length);
}

static int start_log(void)
{
    (void)serial_initialise(); /* without a port the ring still remembers */
    const struct log_config config = {
        .ring = log_ring, .ring_size = sizeof log_ring, .clock_us = timer_now_us, .level = LOG_INFO};
    int error = log_initialise(&config);
    return error != 0 ? error : log_add_sink(serial_sink, NULL);
}

static int read_boot_information(void)
{
    return boot_protocol == BOOT_MULTIBOOT2 ? multiboot2_parse(boot_information, entry_reach, &boot)
                                            : pvh_parse(boot_information, entry_reach, &boot);
}

static int start_memory(void)
{
    return memory_initialise(&boot);
}

static int start_time(void)
{
    int error = interrupts_enable_apic();
    return error != 0 ? error : timer_initialise(entry_timestamp);
}

static int read_options(void)
{
    options_parse(&boot, &options);
    panic_set_action(options.panic);
    log_set_level(options.log);
    virtio_devices_initialise(&options);
    if (boot.dropped > 0)
        log_write(LOG_WARNING, "kernel", "%u parts of the boot information did not fit or made no sense",
                  boot.dropped);
    if (cpu_secrets_are_weak())
        log_write(
            LOG_WARNING, "kernel",
            "the CPU has neither RDSEED nor RDRAND: the stack canary can be guessed, and so can addresses");
    struct frames_statistics frames;
    frames_get_statistics(&frames);
    log_write(LOG_INFO, "kernel", "microkernelia %s by %s, %llu MiB free, TSC %llu kHz (%s)", MK_VERSION,
              boot.protocol == BOOT_MULTIBOOT2 ? "Multiboot2" : "PVH",
              (unsigned long long)(frames.free >> 20), (unsigned long long)(timer_frequency() / 1000),
              timer_source());
    return 0;
}

static int start_tasks(void)
{
    tasks_initialise("main");
    interrupts_enable();
    return 0;
}

/* Nothing of this is to change any more. */
static int seal(void)
{
    int error = mmu_seal();
    return error != 0 ? error : mmu_verify();
}

static const struct {
    const char *name;
    int (*run)(void);
} steps[] = {
    {"log", start_log},
    {"boot information", read_boot_information},
    {"memory", start_memory},
    {"time", start_time},
    {"options", read_options},
    {"tasks", start_tasks},
    {"seal", seal},
};

void kernel_enter(uint32_t protocol, uint64_t information, uint64_t timestamp)
{
    entry_timestamp = timestamp;
    boot_information = information;
    boot_protocol = protocol;
    cpu_initialise();
    interrupts_initialise(panic_exception);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int error = steps[i].run();
        if (error != 0)
            panic_with(PANIC_CODE_BOOT, "cannot start: %s failed with error %d", steps[i].name, -error);
    }
    kernel_main(&boot, &options);
}
