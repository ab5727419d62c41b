/* SPDX-License-Identifier: MIT */
#include "transformer/engine.h"

#include <errno.h>

#define STEP        (UINT64_C(4) << 20) /* multiplications between two yields */
#define SHARE_LEAST 16384               /* multiplications: fewer are not worth a second CPU */

struct share {
    void (*work)(void *argument, uint32_t first, uint32_t end);
    void *argument;
    uint32_t first, count;
};

static void do_part(void *argument, uint32_t part, uint32_t parts)
{
    const struct share *share = argument;
    uint32_t from = (uint32_t)((uint64_t)share->count * part / parts);
    uint32_t to = (uint32_t)((uint64_t)share->count * (part + 1) / parts);

    if (from < to)
        share->work(share->argument, share->first + from, share->first + to);
}

int engine_share(const struct engine *engine, uint32_t count, uint64_t cost,
                 void (*work)(void *argument, uint32_t first, uint32_t end), void *argument)
{
    const struct airt_hooks *hooks = engine->hooks;
    uint64_t at_once = cost < STEP ? STEP / (cost + 1) : 1;

    for (uint32_t first = 0; first < count;) {
        struct share share = {work, argument, first, count - first};

        if (share.count > at_once)
            share.count = (uint32_t)at_once;
        if (hooks->parallel != NULL && share.count > 1 && share.count * cost >= SHARE_LEAST)
            hooks->parallel(hooks->context, do_part, &share);
        else
            do_part(&share, 0, 1);
        first += share.count;
        if (share.count * cost >= SHARE_LEAST && hooks->yield != NULL && hooks->yield(hooks->context) != 0)
            return -ECANCELED;
    }
    return 0;
}
