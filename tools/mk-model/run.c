/* SPDX-License-Identifier: MIT
 *
 * mk-model run: continues a prompt, and writes what a comparison with another engine needs.
 */
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transformer/generator.h"
#include "transformer/sampler.h"

static const char help[] = "Usage: mk-model run MODEL --prompt TEXT | --prompt-ids 1,2,3 [OPTION...]\n"
                           "Continues a text, without a chat template, up to the model's own end.\n"
                           "  --n N                 tokens at most (default 64)\n"
                           "  --temperature T       0 (default): always the most likely token\n"
                           "  --seed N              of the draws, where T is above 0 (default 0)\n"
                           "  --ignore-end          goes on behind the model's own end\n"
                           "  --threads N           (default 1)\n"
                           "  --batch N             tokens of the prompt at once (default 64)\n"
                           "  --cache f16|f32       numbers of the cache (default f32)\n"
                           "  --instruction-set S   sse2 or avx2 (default: the best)\n"
                           "  --ids FILE            writes the ids, one per line, the prompt's first\n"
                           "  --logits FILE         writes the logits: for each id one row of float32\n";

struct run {
    const char *prompt, *prompt_ids, *ids_path, *logits_path;
    uint64_t n, seed, threads, batch;
    float temperature;
    bool ignore_end;
    struct airt_options options;
    struct runner runner;
    uint32_t *ids; /* room for the prompt and n more */
    size_t count;
    float *logits; /* a row for each id */
};

static bool read_ids(struct run *run)
{
    const char *text = run->prompt_ids;
    size_t capacity = strlen(text) / 2 + 1;

    run->ids = calloc(capacity + run->n, sizeof(*run->ids));
    while (run->ids != NULL && *text != '\0') {
        char *end;
        unsigned long id = strtoul(text, &end, 10);

        if (*text < '0' || *text > '9' || id >= run->runner.description.vocabulary ||
            (*end != ',' && *end != '\0')) {
            complain("--prompt-ids %s: ids below %" PRIu32 ", with commas between, are needed",
                     run->prompt_ids, run->runner.description.vocabulary);
            return false;
        }
        run->ids[run->count++] = (uint32_t)id;
        text = *end == ',' ? end + 1 : end;
    }
    return run->ids != NULL;
}

static bool tokenize(struct run *run)
{
    size_t length = strlen(run->prompt);
    size_t capacity = 2 * length + 4;
    struct airt_error error;

    run->ids = calloc(capacity + run->n, sizeof(*run->ids));
    if (run->ids == NULL)
        return false;
    if (airt_tokenize(run->runner.model, run->prompt, length, true, false, run->ids, capacity, &run->count,
                      &error) == 0 &&
        run->count <= capacity)
        return true;
    complain("%s", error.text);
    return false;
}

static void print_piece(struct run *run, uint32_t id)
{
    const char *piece;
    size_t length;

    if (airt_token_piece(run->runner.model, id, &piece, &length) == 0)
        (void)fwrite(piece, 1, length, stdout);
    (void)fflush(stdout);
}

static int generate(struct run *run, struct airt_sequence *sequence, struct sampler *sampler)
{
    const struct generator *generator = (const struct generator *)run->runner.model;
    struct work work = {.hooks = &run->runner.hooks};
    uint32_t vocabulary = run->runner.description.vocabulary;
    size_t end = run->count + run->n;
    size_t fed = 0;
    struct airt_error error;

    for (;;) {
        if (airt_sequence_feed(sequence, run->ids + fed, run->count - fed, run->logits + fed * vocabulary,
                               true, &error) != 0)
            return complain("%s", error.text);
        fed = run->count;
        if (run->count == end)
            break;
        if (sampler_choose(sampler, &work, run->logits + (fed - 1) * vocabulary, &run->ids[run->count]) != 0)
            return complain("%s: no logit is a number", run->runner.description.name);
        if (!run->ignore_end && tokenizer_ends(generator->tokenizer, run->ids[run->count]))
            break;
        print_piece(run, run->ids[run->count++]);
    }
    putchar('\n');
    return 0;
}

static int write_ids(const struct run *run)
{
    FILE *file = fopen(run->ids_path, "w");
    int rc = file != NULL ? 0 : errno;

    for (size_t i = 0; rc == 0 && i < run->count; i++)
        if (fprintf(file, "%" PRIu32 "\n", run->ids[i]) < 0)
            rc = errno;
    return close_output(file, run->ids_path, rc);
}

static int write_logits(const struct run *run)
{
    FILE *file = fopen(run->logits_path, "wb");
    size_t numbers = run->count * run->runner.description.vocabulary;
    bool whole = file != NULL && fwrite(run->logits, sizeof(float), numbers, file) == numbers;

    return close_output(file, run->logits_path, whole ? 0 : errno);
}

static int run_model(struct run *run)
{
    const struct airt_request request = {.temperature = run->temperature, .top_p = 1, .seed = run->seed};
    uint32_t vocabulary = run->runner.description.vocabulary;
    struct airt_sequence *sequence = NULL;
    struct sampler sampler = {.weights = NULL};
    struct airt_error error = {"no memory"};
    int status = EXIT_WRONG;

    if (!(run->prompt_ids != NULL ? read_ids(run) : tokenize(run)))
        return EXIT_WRONG;
    if (run->count == 0 || run->count + run->n > run->runner.description.context_length)
        return complain("%zu tokens and %" PRIu64 " more, the context has %" PRIu32, run->count, run->n,
                        run->runner.description.context_length);
    run->logits = calloc((run->count + run->n) * vocabulary + 1, sizeof(float));
    if (run->logits == NULL ||
        airt_sequence_create(run->runner.model, (uint32_t)(run->count + run->n), &sequence, &error) != 0 ||
        sampler_create(&run->runner.hooks, &request, vocabulary, &sampler) != 0)
        complain("%s", error.text);
    else
        status = generate(run, sequence, &sampler);
    sampler_destroy(&run->runner.hooks, &sampler);
    airt_sequence_destroy(sequence);
    if (status == 0 && run->ids_path != NULL)
        status = write_ids(run);
    if (status == 0 && run->logits_path != NULL)
        status = write_logits(run);
    return status;
}

static bool read_option(struct run *run, int option)
{
    char *end;

    switch (option) {
    case 'p':
        run->prompt = optarg;
        return true;
    case 'i':
        run->prompt_ids = optarg;
        return true;
    case 'n':
        return parse_number("--n", optarg, 0, 1u << 24, &run->n);
    case 'T':
        run->temperature = strtof(optarg, &end);
        return *end == '\0' && run->temperature >= 0 && run->temperature <= AIRT_TEMPERATURE_MAX;
    case 's':
        return parse_number("--seed", optarg, 0, UINT64_MAX, &run->seed);
    case 't':
        return parse_number("--threads", optarg, 1, THREADS_MAX, &run->threads);
    case 'b':
        return parse_number("--batch", optarg, 1, 65536, &run->batch);
    case 'c':
        run->options.cache_f32 = strcmp(optarg, "f32") == 0;
        return run->options.cache_f32 || strcmp(optarg, "f16") == 0;
    case 'S':
        run->options.instruction_set = optarg;
        return true;
    case 'e':
        run->ignore_end = true;
        return true;
    case 'I':
        run->ids_path = optarg;
        return true;
    case 'L':
        run->logits_path = optarg;
        return true;
    default:
        return false;
    }
}

int command_run(int count, char **arguments)
{
    static const struct option options[] = {{"prompt", required_argument, NULL, 'p'},
                                            {"prompt-ids", required_argument, NULL, 'i'},
                                            {"n", required_argument, NULL, 'n'},
                                            {"temperature", required_argument, NULL, 'T'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"batch", required_argument, NULL, 'b'},
                                            {"cache", required_argument, NULL, 'c'},
                                            {"instruction-set", required_argument, NULL, 'S'},
                                            {"ignore-end", no_argument, NULL, 'e'},
                                            {"ids", required_argument, NULL, 'I'},
                                            {"logits", required_argument, NULL, 'L'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct run run = {.n = 64, .threads = 1, .options.cache_f32 = true};
    int option;
    int status;

    while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (!read_option(&run, option)) {
            fputs(help, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind + 1 != count || (run.prompt == NULL) == (run.prompt_ids == NULL)) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    run.options.prefill_batch = (uint32_t)run.batch;
    if (!runner_open(&run.runner, arguments[optind], (uint32_t)run.threads, &run.options))
        return EXIT_WRONG;
    status = run_model(&run);
    free(run.ids);
    free(run.logits);
    runner_close(&run.runner);
    return status;
}
