/* SPDX-License-Identifier: MIT
 *
 * The words of the kernel's command line.
 *
 *   panic=exit|halt|reboot   what happens after a panic's report (default exit)
 *   log=error|warning|info|debug
 *   log=vsock:PORT           the log goes to this port of the host, too (service/log_export.h)
 *   model=NAME               the boot module to load at the start (default: the first)
 *   instructions=sse2|avx2   what inference uses of the CPU (default: the best that it has)
 *   module=NAME              what to call a boot module that came without a name
 *   policy=RULES             who may connect, and what each may do, as <service/policy.h> has it
 *   policy=share:PATH        the same, in a file of the share
 *   nokaslr                  everything stands where it is linked, or where its window begins (arch/mmu.h)
 *   virtio_mmio.device=SIZE@BASE:LINE[:ID]
 *                            a virtio device that is not on PCI, as Linux has it
 * (admin-guide/kernel-parameters): SIZE may end in K, M or G; SIZE and BASE may be hexadecimal (0x); ID is
 * not used. One word for each device; QEMU's microvm and Firecracker add them themselves.
 */
#ifndef KERNEL_OPTIONS_H
#define KERNEL_OPTIONS_H

#include <arch/boot_info.h>
#include <logging/log.h>
#include <panic.h>

#define OPTIONS_MMIO_MAX 32

struct option_mmio {
    uint64_t base, size;
    uint32_t line; /* global system interrupt */
};

/* A part of the command line. */
struct option_text {
    const char *text;
    size_t length;
};

struct options {
    enum panic_action panic;
    enum log_level log;
    uint32_t log_port;             /* 0: none given */
    char model[BOOT_NAME_MAX + 1]; /* "": none given */
    const char *instructions;      /* NULL: none given */
    struct option_text policy;     /* NULL: none given */
    size_t mmio_count;
    struct option_mmio mmio[OPTIONS_MMIO_MAX];
};

/* Reads every word; the last of a kind wins, but for virtio_mmio.device. Words that are unknown or make no
 * sense are logged and change nothing. */
void options_parse(struct boot_info *info, struct options *options);

#endif
