/* SPDX-License-Identifier: MIT
 *
 * The policy that is in force.
 */
#ifndef KERNEL_SERVICE_ACCESS_H
#define KERNEL_SERVICE_ACCESS_H

#include <options.h>
#include <service/policy.h>

/* Reads the policy: the rules in `option` itself, or those in a file of the share ("share:PATH"); where none
 * is given, POLICY_DEFAULT. After devices_start. Returns 0, or a negative errno after a line in the log that
 * says what is wrong: then nobody is let in. */
int access_start(const struct option_text *option);

const struct policy *access_policy(void);

#endif
