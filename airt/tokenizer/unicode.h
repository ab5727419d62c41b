/* SPDX-License-Identifier: MIT
 *
 * What kind of character one is: as far as the pre-tokenizers ask.
 */
#ifndef AIRT_TOKENIZER_UNICODE_H
#define AIRT_TOKENIZER_UNICODE_H

#include <stdint.h>

/* By general category (UAX #44, 5.7.1), but for UNICODE_SPACE: the property White_Space. */
enum unicode_class {
    UNICODE_OTHER,
    UNICODE_UPPER,  /* Lu, Lt */
    UNICODE_LOWER,  /* Ll */
    UNICODE_LETTER, /* Lm, Lo */
    UNICODE_MARK,   /* M */
    UNICODE_NUMBER, /* N */
    UNICODE_SPACE
};

enum unicode_class unicode_class(uint32_t character);

/* Where a run of characters of one class begins: the first of them << 3 | class. In order. */
#define UNICODE_RUNS 3121
extern const uint32_t unicode_runs[UNICODE_RUNS];

#endif
