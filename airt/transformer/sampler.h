/* SPDX-License-Identifier: MIT
 *
 * Chooses a token from its logits: repeat penalty, temperature, min_p, top_k, top_p, in this order (each
 * of what the ones before left), then one draw of the generator. Equal logits go by id, lowest first.
 */
#ifndef AIRT_TRANSFORMER_SAMPLER_H
#define AIRT_TRANSFORMER_SAMPLER_H

#include "airt/airt.h"
#include "math/random.h"
#include "work.h"

#define SAMPLER_PAST 64 /* tokens that the penalty looks at */

struct candidate {
    float weight; /* its probability, times a constant */
    uint32_t id;
};

#define SAMPLER_TOKEN_SIZE (sizeof(float) + sizeof(struct candidate)) /* bytes for each of the vocabulary */

struct sampler {
    float temperature, top_p, min_p, penalty;
    uint32_t top_k;
    struct random random;
    uint32_t vocabulary;
    float *weights;               /* `vocabulary` */
    struct candidate *candidates; /* `vocabulary` */
    uint32_t past[SAMPLER_PAST];
    uint32_t past_count; /* of all tokens told so far */
};

/* The request is checked. -ENOMEM. */
int sampler_create(const struct airt_hooks *hooks, const struct airt_request *request, uint32_t vocabulary,
                   struct sampler *sampler);
void sampler_destroy(const struct airt_hooks *hooks, struct sampler *sampler);

/* Tells of a token of the text, of the prompt too. */
void sampler_see(struct sampler *sampler, uint32_t id);

/* Chooses. Logits that are no number count as impossible. -EDOM: there is none that is finite; -ECANCELED. */
int sampler_choose(struct sampler *sampler, struct work *work, const float *logits, uint32_t *id);

/* Fills the `count` most likely tokens, most likely first, and the logarithm of `chosen`'s probability. */
int sampler_likely(struct sampler *sampler, struct work *work, const float *logits, struct airt_token *chosen,
                   struct airt_token *likely, uint32_t count);

#endif
