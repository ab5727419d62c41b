/* SPDX-License-Identifier: MIT */
#include "transformer/sampler.h"

#include <errno.h>
#include <string.h>

#include "math/math.h"

#define PORTION   4096  /* numbers between two looks at the clock of others */
#define LOGIT_MAX 2e38f /* what a penalty makes of a logit, at most: finite */

int sampler_create(const struct airt_hooks *hooks, const struct airt_request *request, uint32_t vocabulary,
                   struct sampler *sampler)
{
    memset(sampler, 0, sizeof(*sampler));
    sampler->temperature = request->temperature;
    sampler->top_p = request->top_p;
    sampler->min_p = request->min_p;
    sampler->top_k = request->top_k;
    sampler->penalty = request->repeat_penalty > 0 ? request->repeat_penalty : 1;
    sampler->random.state = request->seed;
    sampler->vocabulary = vocabulary;
    sampler->weights = hooks->alloc(hooks->context, vocabulary * sizeof(*sampler->weights));
    sampler->candidates = hooks->alloc(hooks->context, vocabulary * sizeof(*sampler->candidates));
    if (sampler->weights != NULL && sampler->candidates != NULL)
        return 0;
    sampler_destroy(hooks, sampler);
    return -ENOMEM;
}

void sampler_destroy(const struct airt_hooks *hooks, struct sampler *sampler)
{
    if (sampler->weights != NULL)
        hooks->free(hooks->context, sampler->weights, sampler->vocabulary * sizeof(*sampler->weights));
    if (sampler->candidates != NULL)
        hooks->free(hooks->context, sampler->candidates, sampler->vocabulary * sizeof(*sampler->candidates));
    sampler->weights = NULL;
    sampler->candidates = NULL;
}

void sampler_see(struct sampler *sampler, uint32_t id)
{
    sampler->past[sampler->past_count++ % SAMPLER_PAST] = id;
}

/* The first of the largest; `vocabulary` where none is a finite number. */
static uint32_t largest(const float *logits, uint32_t count)
{
    uint32_t best = count;

    for (uint32_t i = 0; i < count; i++)
        if (logits[i] - logits[i] == 0 && (best == count || logits[i] > logits[best]))
            best = i;
    return best;
}

/* Logits that are infinite or no number become impossible. */
static int copy_logits(struct sampler *sampler, struct work *work, const float *logits)
{
    for (uint32_t i = 0; i < sampler->vocabulary; i++) {
        sampler->weights[i] = logits[i] - logits[i] == 0 ? logits[i] : -__builtin_inff();
        if (i % PORTION == PORTION - 1 && work_spend(work, PORTION * sizeof(*logits)) != 0)
            return -ECANCELED;
    }
    return 0;
}

/* What is finite stays so; what is impossible stays that. */
static float punished(float logit, float penalty)
{
    float changed = logit > 0 ? logit / penalty : logit * penalty;

    if (logit - logit != 0)
        return logit;
    if (changed > LOGIT_MAX)
        return LOGIT_MAX;
    return changed < -LOGIT_MAX ? -LOGIT_MAX : changed;
}

/* Each of the last tokens once. */
static void punish(struct sampler *sampler)
{
    uint32_t count = sampler->past_count < SAMPLER_PAST ? sampler->past_count : SAMPLER_PAST;

    for (uint32_t i = 0; i < count; i++) {
        float *logit = &sampler->weights[sampler->past[i]];
        bool again = false;

        for (uint32_t j = 0; j < i && !again; j++)
            again = sampler->past[j] == sampler->past[i];
        if (!again)
            *logit = punished(*logit, sampler->penalty);
    }
}

/* weights = exp((logit - most) / temperature), so that the most likely has 1. */
static int weigh(struct sampler *sampler, struct work *work, float most, float temperature)
{
    for (uint32_t at = 0; at < sampler->vocabulary; at += PORTION) {
        uint32_t count = sampler->vocabulary - at < PORTION ? sampler->vocabulary - at : PORTION;

        for (uint32_t i = at; i < at + count; i++)
            sampler->weights[i] = (sampler->weights[i] - most) / temperature;
        math_exp_floats(sampler->weights + at, count);
        if (work_spend(work, count * 4 * sizeof(float)) != 0)
            return -ECANCELED;
    }
    return 0;
}

/* ---- a heap with the most likely at its top ---- */

static bool before(struct candidate one, struct candidate other)
{
    return one.weight > other.weight || (one.weight >= other.weight && one.id < other.id);
}

static void sink(struct candidate *heap, uint32_t count, uint32_t at)
{
    struct candidate moved = heap[at];

    for (uint64_t child = 2 * (uint64_t)at + 1; child < count; child = 2 * (uint64_t)at + 1) {
        if (child + 1 < count && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], moved))
            break;
        heap[at] = heap[child];
        at = (uint32_t)child;
    }
    heap[at] = moved;
}

static int build_heap(struct sampler *sampler, struct work *work, uint32_t count)
{
    for (uint32_t i = count / 2; i > 0; i--) {
        sink(sampler->candidates, count, i - 1);
        if (i % PORTION == 0 && work_spend(work, 2 * PORTION * sizeof(struct candidate)) != 0)
            return -ECANCELED;
    }
    return 0;
}

/* Moves the top to the end: the heap is one shorter, and what was taken stands behind it, last first. */
static struct candidate take_top(struct candidate *heap, uint32_t count)
{
    struct candidate top = heap[0];

    heap[0] = heap[count - 1];
    heap[count - 1] = top;
    sink(heap, count - 1, 0);
    return top;
}

/* ---- choosing ---- */

/* Leaves the candidates that the filters let through at the end of `count`, most likely last, or all of them
 * where none filters; returns how many. */
static int filter(struct sampler *sampler, struct work *work, uint32_t count, uint32_t *kept)
{
    uint32_t most = sampler->top_k > 0 && sampler->top_k < count ? sampler->top_k : count;
    double total = 0;
    double sum = 0;
    int rc;

    *kept = count;
    if (most == count && sampler->top_p >= 1)
        return 0;
    rc = build_heap(sampler, work, count);
    if (rc != 0)
        return rc;
    for (*kept = 0; *kept < most; ++*kept) {
        (void)take_top(sampler->candidates, count - *kept);
        if (work_spend(work, 32 * sizeof(struct candidate)) != 0)
            return -ECANCELED;
    }
    /* top_p is of what top_k left: the fewest that have so much of the probability. */
    for (uint32_t i = 0; i < most; i++)
        total += (double)sampler->candidates[count - 1 - i].weight;
    for (*kept = 0; *kept < most && (*kept == 0 || sum < (double)sampler->top_p * total); ++*kept)
        sum += (double)sampler->candidates[count - 1 - *kept].weight;
    return 0;
}

static uint32_t draw(struct sampler *sampler, const struct candidate *candidates, uint32_t count)
{
    double total = 0;
    double left;

    for (uint32_t i = 0; i < count; i++)
        total += (double)candidates[i].weight;
    left = random_fraction(&sampler->random) * total;
    for (uint32_t i = 0; i < count; i++) {
        left -= (double)candidates[i].weight;
        if (left < 0)
            return candidates[i].id;
    }
    return candidates[count - 1].id;
}

int sampler_choose(struct sampler *sampler, struct work *work, const float *logits, uint32_t *id)
{
    uint32_t vocabulary = sampler->vocabulary;
    uint32_t count = 0;
    uint32_t kept;
    uint32_t best;
    int rc = copy_logits(sampler, work, logits);

    if (rc != 0)
        return rc;
    if (sampler->penalty < 1 || sampler->penalty > 1)
        punish(sampler);
    best = largest(sampler->weights, vocabulary);
    if (best == vocabulary)
        return -EDOM;
    *id = best;
    if (!(sampler->temperature > 0))
        return 0;
    rc = weigh(sampler, work, sampler->weights[best], sampler->temperature);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < vocabulary; i++)
        if (sampler->weights[i] > 0 && sampler->weights[i] >= sampler->min_p)
            sampler->candidates[count++] = (struct candidate){sampler->weights[i], i};
    rc = filter(sampler, work, count, &kept);
    if (rc == 0)
        *id = draw(sampler, sampler->candidates + (count - kept), kept);
    return rc;
}

int sampler_likely(struct sampler *sampler, struct work *work, const float *logits, struct airt_token *chosen,
                   struct airt_token *likely, uint32_t count)
{
    uint32_t vocabulary = sampler->vocabulary;
    uint32_t best = largest(logits, vocabulary);
    double total = 0;
    double offset;
    int rc = copy_logits(sampler, work, logits);

    if (rc == 0)
        rc = weigh(sampler, work, logits[best], 1);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < vocabulary; i++) {
        total += (double)sampler->weights[i];
        sampler->candidates[i] = (struct candidate){logits[i] - logits[i] == 0 ? logits[i] : -3e38f, i};
    }
    offset = (double)logits[best] + math_log(total);
    chosen->logprob = (float)((double)logits[chosen->id] - offset);
    if (count == 0)
        return 0;
    rc = build_heap(sampler, work, vocabulary);
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        struct candidate top = take_top(sampler->candidates, vocabulary - i);

        likely[i] = (struct airt_token){top.id, (float)((double)top.weight - offset)};
    }
    return rc;
}
