/* SPDX-License-Identifier: MIT
 *
 * Who a client is.
 */
#include "server_private.h"
#include "sha256.h"

_Static_assert(PRINCIPAL_SIZE == SHA256_SIZE, "a principal is kept as its hash");

/* The hash has one size whatever the embedder has, and tells nothing of it (a token, say). */
void mcp_session_identify(struct mcp_session *session, const void *principal, size_t length)
{
    struct sha256 hash;

    sha256_begin(&hash);
    sha256_add(&hash, principal, length);
    sha256_end(&hash, session->principal);
}
