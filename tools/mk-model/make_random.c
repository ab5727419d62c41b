/* SPDX-License-Identifier: MIT
 *
 * mk-model make-random: a model of any architecture and shape that computes nothing meaningful, always alike.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "random_model.h"
#include "tensor/quantize.h"

static const char help[] =
    "Usage: mk-model make-random --arch A -o OUT [OPTION]...\n"
    "Writes a GGUF model with random weights: the same for the same options.\n"
    "  --arch A           llama, qwen2, qwen3, gemma3 or phi3\n"
    "  --shape S          tiny (the default), stories15m or smollm2-135m, then changes after commas:\n"
    "                     layers, embedding, heads, kv_heads, head_length, feed, vocabulary, context,\n"
    "                     window, tied (0, 1), factors (0, 1): tiny,layers=4,window=32\n"
    "  --type T           of matrices: " MIXES "\n"
    "  --seed N           (default 1)\n"
    "  --vocabulary FILE  tokens of this GGUF file; else bytes and letters. Both are filled up to the\n"
    "                     shape's vocabulary with tokens that are not used.\n"
    "  -o OUT             the file to write\n"
    "  --json             says what was written as JSON\n"
    "Exit status: 0 written, 1 a file cannot be read or written, 2 usage.\n";

struct request {
    struct shape shape;
    struct mix mix;
    uint64_t seed;
    const char *vocabulary, *out;
    bool json;
};

static uint64_t weight_size(const struct weight *weight)
{
    return tensor_row_size(weight->type, weight->columns) * (weight->rows > 0 ? weight->rows : 1);
}

static uint64_t round_up(uint64_t size)
{
    return (size + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
}

static bool write_weight(FILE *out, const struct weight *weight, uint64_t seed, size_t number)
{
    static const char zeros[GGUF_ALIGNMENT];
    size_t row_size = tensor_row_size(weight->type, weight->columns);
    uint64_t size = weight_size(weight);
    float *row = malloc(weight->columns * sizeof(*row));
    void *encoded = malloc(row_size);
    bool good = row != NULL && encoded != NULL;

    for (uint64_t i = 0; good && (i < weight->rows || i == 0); i++) {
        random_row(weight, seed, number, i, row);
        tensor_quantize_row(weight->type, row, encoded, weight->columns);
        good = fwrite(encoded, row_size, 1, out) == 1;
    }
    if (good && round_up(size) > size)
        good = fwrite(zeros, round_up(size) - size, 1, out) == 1;
    free(row);
    free(encoded);
    return good;
}

static bool write_model(FILE *out, const struct request *request, const struct writer *head,
                        const struct weight *weights, size_t count)
{
    bool good = fwrite(head->bytes, head->size, 1, out) == 1;

    for (size_t i = 0; good && i < count; i++) {
        good = write_weight(out, &weights[i], request->seed, i);
        show_progress("make-random", i + 1, count);
    }
    return fflush(out) == 0 && good;
}

static int make(struct request *request, const struct gguf *vocabulary)
{
    struct writer head;
    struct weight *weights;
    uint64_t size = 0;
    uint64_t parameters = 0;
    size_t count;
    FILE *out;
    int status;

    writer_begin(&head);
    write_shape_keys(&head, &request->shape);
    write_vocabulary_keys(&head, &request->shape, vocabulary);
    count = list_weights(&request->shape, &request->mix, &weights);
    for (size_t i = 0; i < count; i++) {
        writer_tensor(&head, weights[i].name, weights[i].type, weights[i].columns, weights[i].rows, size);
        size += round_up(weight_size(&weights[i]));
        parameters += weights[i].columns * (weights[i].rows > 0 ? weights[i].rows : 1);
    }
    writer_end(&head, 3, GGUF_ALIGNMENT);
    size += head.size;

    out = fopen(request->out, "wb");
    status = close_output(out, request->out,
                          out != NULL && write_model(out, request, &head, weights, count) ? 0 : errno);
    if (status == 0 && request->json)
        printf("{\"tensors\": %zu, \"parameters\": %llu, \"bytes\": %llu}\n", count,
               (unsigned long long)parameters, (unsigned long long)size);
    free(weights);
    free(head.bytes);
    return status;
}

/* Returns 0 to go on, 1 when all is said, or -1 after a complaint. */
static int parse(int count, char **arguments, struct request *request)
{
    static const struct option options[] = {{"arch", required_argument, NULL, 'a'},
                                            {"shape", required_argument, NULL, 's'},
                                            {"type", required_argument, NULL, 't'},
                                            {"seed", required_argument, NULL, 'n'},
                                            {"vocabulary", required_argument, NULL, 'v'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *shape = "tiny";
    bool good = true;
    bool chosen = false;
    int option;

    while (good && (option = getopt_long(count, arguments, "o:", options, NULL)) != -1) {
        switch (option) {
        case 'a':
            good = chosen = architecture_parse(optarg, &request->shape.architecture);
            break;
        case 's':
            shape = optarg;
            break;
        case 't':
            good = mix_parse(optarg, &request->mix) || (complain("--type %s: choose " MIXES, optarg), false);
            break;
        case 'n':
            good = parse_number("--seed", optarg, 0, UINT64_MAX, &request->seed);
            break;
        case 'v':
            request->vocabulary = optarg;
            break;
        case 'o':
            request->out = optarg;
            break;
        case 'j':
            request->json = true;
            break;
        case 'h':
            fputs(help, stdout);
            return 1;
        default:
            good = false;
        }
    }
    if (good && (optind != count || !chosen || request->out == NULL)) {
        fputs(help, stderr);
        good = false;
    }
    return good && shape_parse(shape, &request->shape) ? 0 : -1;
}

int command_make_random(int count, char **arguments)
{
    struct request request = {.mix = {TENSOR_F32, false}, .seed = 1};
    struct work work = {.hooks = &host_hooks};
    struct airt_error error;
    struct model_file file;
    struct gguf *vocabulary;
    int parsed = parse(count, arguments, &request);
    int status = EXIT_WRONG;

    if (parsed != 0)
        return parsed > 0 ? 0 : EXIT_USAGE;
    if (request.vocabulary == NULL)
        return make(&request, NULL);
    if (!model_file_open(&file, request.vocabulary))
        return EXIT_WRONG;
    if (gguf_load_vocabulary(&work, &file.source, &vocabulary, &error) != 0) {
        complain("%s", error.text);
    } else {
        status = make(&request, vocabulary);
        gguf_free(&host_hooks, vocabulary);
    }
    model_file_close(&file);
    return status;
}
