/* SPDX-License-Identifier: MIT
 *
 * mk-model bench: how fast a prompt is read and an answer is written. The tokens mean nothing.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "run.h"

static const char help[] =
    "Usage: mk-model bench MODEL [OPTION...]\n"
    "Measures prefill (a prompt at once) and decode (one token after the other, from an empty text).\n"
    "  --prompt-tokens P     (default 128)\n"
    "  --tokens N            (default 128)\n"
    "  --threads T           (default 1)\n"
    "  --repeat N            the best of so many (default 3)\n"
    "  --instruction-set S   sse2 or avx2 (default: the best)\n"
    "  --json                one JSON object instead of a line for people\n";

struct bench {
    uint64_t prompt_tokens, tokens, threads, repeat;
    struct airt_options options;
    bool json;
    double prefill, decode; /* tokens per second */
};

static double per_second(uint64_t tokens, uint64_t start)
{
    uint64_t elapsed = now_us() - start;

    return (double)tokens * 1e6 / (double)(elapsed > 0 ? elapsed : 1);
}

static bool measure(struct bench *bench, struct airt_sequence *sequence, const uint32_t *ids, float *logits)
{
    struct airt_error error;
    uint64_t start = now_us();
    double speed;

    airt_sequence_cut(sequence, 0);
    if (bench->prompt_tokens > 0) {
        if (airt_sequence_feed(sequence, ids, bench->prompt_tokens, logits, false, &error) != 0)
            return false;
        speed = per_second(bench->prompt_tokens, start);
        bench->prefill = speed > bench->prefill ? speed : bench->prefill;
    }
    airt_sequence_cut(sequence, 0);
    start = now_us();
    for (uint64_t i = 0; i < bench->tokens; i++)
        if (airt_sequence_feed(sequence, ids + i, 1, logits, false, &error) != 0)
            return false;
    speed = per_second(bench->tokens, start);
    bench->decode = speed > bench->decode ? speed : bench->decode;
    return true;
}

static int run_bench(struct bench *bench, struct runner *runner)
{
    const struct airt_description *model = &runner->description;
    uint64_t most = bench->prompt_tokens > bench->tokens ? bench->prompt_tokens : bench->tokens;
    uint32_t *ids = calloc(most + 1, sizeof(*ids));
    float *logits = calloc(model->vocabulary, sizeof(*logits));
    struct airt_sequence *sequence = NULL;
    struct airt_error error = {"no memory"};
    bool done = ids != NULL && logits != NULL &&
                airt_sequence_create(runner->model, (uint32_t)most, &sequence, &error) == 0;

    for (uint64_t i = 0; done && i < most; i++)
        ids[i] = (uint32_t)(i * 7919 % model->vocabulary);
    for (uint64_t i = 0; done && i < bench->repeat; i++)
        done = measure(bench, sequence, ids, logits);
    airt_sequence_destroy(sequence);
    free(logits);
    free(ids);
    if (!done)
        return complain("%s", error.text);
    if (bench->json)
        printf("{\"quantization\":\"%s\",\"instruction_set\":\"%s\",\"threads\":%" PRIu64
               ",\"prompt_tokens\":%" PRIu64 ",\"tokens\":%" PRIu64
               ",\"prefill_tokens_per_s\":%.2f,\"decode_tokens_per_s\":%.2f}\n",
               model->quantization, model->instruction_set, bench->threads, bench->prompt_tokens,
               bench->tokens, bench->prefill, bench->decode);
    else
        printf("%s (%s), %s, %" PRIu64 " threads: prefill %.1f, decode %.1f tokens/s\n", model->name,
               model->quantization, model->instruction_set, bench->threads, bench->prefill, bench->decode);
    return 0;
}

int command_bench(int count, char **arguments)
{
    static const struct option options[] = {{"prompt-tokens", required_argument, NULL, 'p'},
                                            {"tokens", required_argument, NULL, 'n'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"repeat", required_argument, NULL, 'r'},
                                            {"instruction-set", required_argument, NULL, 'S'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct bench bench = {.prompt_tokens = 128, .tokens = 128, .threads = 1, .repeat = 3};
    struct runner runner;
    bool right = true;
    int option;
    int status;

    while (right && (option = getopt_long(count, arguments, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option == 'p')
            right = parse_number("--prompt-tokens", optarg, 0, 1u << 20, &bench.prompt_tokens);
        else if (option == 'n')
            right = parse_number("--tokens", optarg, 1, 1u << 20, &bench.tokens);
        else if (option == 't')
            right = parse_number("--threads", optarg, 1, THREADS_MAX, &bench.threads);
        else if (option == 'r')
            right = parse_number("--repeat", optarg, 1, 1000, &bench.repeat);
        else if (option == 'S')
            bench.options.instruction_set = optarg;
        else if (option == 'j')
            bench.json = true;
        else
            right = false;
    }
    if (!right || optind + 1 != count) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    if (!runner_open(&runner, arguments[optind], (uint32_t)bench.threads, &bench.options))
        return EXIT_WRONG;
    status = run_bench(&bench, &runner);
    runner_close(&runner);
    return status;
}
