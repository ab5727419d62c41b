/* SPDX-License-Identifier: MIT */
#include <arch/interrupts.h>
#include <arch/io.h>
#include <arch/power.h>

#define DEBUG_EXIT_PORT  0xf4   /* QEMU: -device isa-debug-exit,iobase=0xf4,iosize=4 */
#define ICH9_PM1_CONTROL 0x604  /* where SeaBIOS and OVMF put it on q35 */
#define SLEEP_ENABLE_S5  0x2000 /* ACPI 6.4, 4.8.3.2.1; SLP_TYP 0 is S5 there */
#define ICH9_RESET       0xcf9

_Noreturn void power_halt(void)
{
    for (;;)
        __asm__ volatile("cli\n\thlt" : : : "memory");
}

_Noreturn void power_off(void)
{
    io_write16(ICH9_PM1_CONTROL, SLEEP_ENABLE_S5);
    power_halt();
}

_Noreturn void power_exit(uint8_t code)
{
    io_write32(DEBUG_EXIT_PORT, code);
    power_off();
}

_Noreturn void power_reboot(void)
{
    io_write8(ICH9_RESET, 0x06);
    /* No such register: an empty IDT and an exception reset any x86. */
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) nothing = {0, 0};
    __asm__ volatile("lidt %0\n\tint3" : : "m"(nothing));
    power_halt();
}
