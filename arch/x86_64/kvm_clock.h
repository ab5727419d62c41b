/* SPDX-License-Identifier: MIT */
#ifndef KVM_CLOCK_H
#define KVM_CLOCK_H

#include <stdint.h>

/* The rate of the time stamp counter in Hz, as KVM computes its own clock from it; 0 where there is no KVM,
 * or it has no such clock. Exact, and takes microseconds. The host writes to memory of ours during the call
 * only. */
uint64_t kvm_clock_frequency(void);

#endif
