/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: SHA-256 (FIPS 180-4) and HMAC (RFC 2104) with it.
 */
#ifndef MCP_SHA256_H
#define MCP_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE  32
#define SHA256_BLOCK 64

struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    uint8_t block[SHA256_BLOCK];
};

void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *bytes, size_t size);
void sha256_end(struct sha256 *hash, uint8_t digest[SHA256_SIZE]);

struct hmac_sha256 {
    struct sha256 inner;
    uint8_t outer_key[SHA256_BLOCK];
};

void hmac_sha256_begin(struct hmac_sha256 *mac, const uint8_t key[SHA256_SIZE]);
void hmac_sha256_end(struct hmac_sha256 *mac, uint8_t digest[SHA256_SIZE]);

/* Whether two secrets of the same size are the same, in a time that does not say where they differ. */
bool equal_in_constant_time(const void *a, const void *b, size_t size);

#endif
