/* SPDX-License-Identifier: MIT
 *
 * One call of the tool infer: what it asks, and the answer as it grows.
 */
#ifndef KERNEL_SERVICE_INFERENCE_H
#define KERNEL_SERVICE_INFERENCE_H

#include <airt/airt.h>
#include <mcp/call.h>

struct inference {
    struct mcp_call *call;
    struct airt_model *model; /* that answers; held */
    struct airt_request request;
    struct airt_text stop[AIRT_STOP_MAX];
    /* Messages, and the texts of these and of `stop`. */
    void *decoded;
    size_t decoded_size;
    /* The answer. */
    char *text;
    size_t length, size;
    struct mcp_json_writer logprobs;
    uint32_t pieces; /* that the client was told of */
    bool too_long;
};

/* Reads the call's arguments. Returns NULL when the call has been answered: they are wrong, or memory is
 * short. */
struct inference *inference_read(struct mcp_call *call);
void inference_free(struct inference *inference);

#endif
