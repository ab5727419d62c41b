/* SPDX-License-Identifier: MIT
 *
 * The first steps of kernel/main.c, then what the command line says in place of the service.
 */
#include <arch/cpu.h>
#include <arch/entry.h>
#include <arch/interrupts.h>
#include <arch/mmu.h>
#include <arch/power.h>
#include <arch/serial.h>
#include <arch/timer.h>
#include <guest.h>
#include <logging/log.h>
#include <memory/memory.h>
#include <options.h>
#include <panic.h>
#include <tasks/task.h>

static struct boot_info boot;
static uint64_t entry_timestamp, boot_information;
static uint32_t boot_protocol;
static uint8_t log_ring[16 * 1024];

static void serial_sink(void *context, enum log_level level, const char *line, size_t length)
{
    (void)context;
    (void)level;
    serial_write(line, length);
}

static int start_log(void)
{
    const struct log_config config = {
        .ring = log_ring, .ring_size = sizeof log_ring, .clock_us = timer_now_us, .level = LOG_INFO};
    int error = serial_initialise();
    if (error == 0)
        error = log_initialise(&config);
    return error != 0 ? error : log_add_sink(serial_sink, NULL);
}

static const void *read_boot_memory(uint64_t physical, uint64_t size)
{
    if (physical >= ENTRY_MAPPED_SIZE || size > ENTRY_MAPPED_SIZE - physical)
        return NULL;
    return mmu_direct(physical);
}

static int read_boot_information(void)
{
    return boot_protocol == BOOT_MULTIBOOT2 ? multiboot2_parse(boot_information, read_boot_memory, &boot)
                                            : pvh_parse(boot_information, read_boot_memory, &boot);
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
    struct options options;
    options_parse(&boot, &options); /* logs the guest's own word as unknown */
    panic_set_action(options.panic);
    log_set_level(options.log);
    return 0;
}

static int start_tasks(void)
{
    tasks_initialise("main");
    interrupts_enable();
    return 0;
}

static int (*const steps[])(void) = {start_log,  read_boot_information, start_memory,
                                     start_time, read_options,          start_tasks};

static enum guest_code run(void)
{
    const char *name;
    size_t length;
    unsigned failures = 0;
    if (boot_word(&boot, "fault", &name, &length))
        return guest_fault(name, length) ? GUEST_CODE_SURVIVED : GUEST_CODE_USAGE;
    if (boot_word(&boot, "check", &name, &length) && guest_check(name, length, &failures))
        return failures == 0 ? GUEST_CODE_PASSED : GUEST_CODE_FAILED;
    return GUEST_CODE_USAGE;
}

void kernel_enter(uint32_t protocol, uint64_t information, uint64_t timestamp)
{
    entry_timestamp = timestamp;
    boot_information = information;
    boot_protocol = protocol;
    cpu_initialise();
    interrupts_initialise(panic_exception);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int error = steps[i]();
        if (error != 0)
            panic_with(PANIC_CODE_BOOT, "step %zu failed with error %d", i, -error);
    }
    power_exit((uint8_t)run());
}
