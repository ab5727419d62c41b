/* SPDX-License-Identifier: MIT
 *
 * The words of the kernel's command line.
 *
 *   panic=exit|halt|reboot   what happens after a panic's report (default exit)
 *   log=error|warning|info|debug
 *   model=NAME               the boot module to load at the start (default: the first)
 *   module=NAME              what to call a boot module that came without a name
 */
#ifndef KERNEL_OPTIONS_H
#define KERNEL_OPTIONS_H

#include <arch/boot_info.h>
#include <logging/log.h>
#include <panic.h>

struct options {
    enum panic_action panic;
    enum log_level log;
    char model[BOOT_NAME_MAX + 1]; /* "": none given */
};

/* Reads every word; the last of a kind wins. Words that are unknown or make no sense are logged and change
 * nothing. */
void options_parse(struct boot_info *info, struct options *options);

#endif
