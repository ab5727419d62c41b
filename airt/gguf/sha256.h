/* SPDX-License-Identifier: MIT
 *
 * SHA-256 (FIPS 180-4, sections 5 and 6.2).
 */
#ifndef AIRT_GGUF_SHA256_H
#define AIRT_GGUF_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    uint8_t block[64];
};

void gguf_sha256_init(struct sha256 *sha);
void gguf_sha256_add(struct sha256 *sha, const void *bytes, size_t length);
/* The digest in hexadecimal digits, with a NUL. */
void gguf_sha256_finish(struct sha256 *sha, char digits[65]);

#endif
