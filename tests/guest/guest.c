/* SPDX-License-Identifier: MIT
 *
 * What the command line says, in place of the service. (The guest's own words are logged as unknown.)
 */
#include <arch/power.h>
#include <guest.h>
#include <start.h>

static enum guest_code run(const struct boot_info *boot)
{
    const char *name;
    size_t length, off_length;
    const char *off;
    unsigned failures = 0;
    if (boot_word(boot, "fault", &name, &length))
        return guest_fault(name, length, boot_word(boot, "protection", &off, &off_length) != 0)
                   ? GUEST_CODE_SURVIVED
                   : GUEST_CODE_USAGE;
    if (boot_word(boot, "check", &name, &length) && guest_check(name, length, &failures))
        return failures == 0 ? GUEST_CODE_PASSED : GUEST_CODE_FAILED;
    return GUEST_CODE_USAGE;
}

_Noreturn void kernel_main(const struct boot_info *boot, const struct options *options)
{
    (void)options;
    power_exit((uint8_t)run(boot));
}
