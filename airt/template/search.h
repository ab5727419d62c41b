/* SPDX-License-Identifier: MIT */
#ifndef AIRT_TEMPLATE_SEARCH_H
#define AIRT_TEMPLATE_SEARCH_H

#include <stddef.h>

#include "airt/airt.h"

/* Where `wanted` (not empty) begins in `text`, from `start` on; text.length when nowhere. */
size_t template_search(struct airt_text text, size_t start, const char *wanted);

#endif
