/* SPDX-License-Identifier: MIT
 *
 * mk-model quantize: the same model with its matrices in another type. Keys and vectors stay as they are.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "random_model.h"
#include "tensor/quantize.h"

static const char help[] = "Usage: mk-model quantize IN OUT TYPE [--json]\n"
                           "Writes a GGUF model again, with its matrices as TYPE:\n"
                           "  " MIXES ".\n"
                           "A matrix whose rows the type's blocks do not divide gets one that fits:\n"
                           "Q5_0 for Q4_K, Q5_1 for Q5_K, Q8_0 for Q6_K, F16 for others.\n"
                           "  --json  says what was written as JSON\n"
                           "Exit status: 0 written, 1 the model or a file is wrong, 2 usage.\n";

struct job {
    const struct gguf *model;
    const char *in, *out;
    enum tensor_type *types; /* of each tensor */
    uint64_t done;           /* bytes of the input */
};

static uint64_t row_count(const struct gguf_tensor *tensor)
{
    return tensor->counts[1] * tensor->counts[2] * tensor->counts[3];
}

static uint64_t round_up(uint64_t size)
{
    return (size + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
}

static void choose_types(struct job *job, const struct mix *mix)
{
    const struct gguf_file *file = &job->model->file;
    bool tied = gguf_tensor_find(file, "output.weight", 13) == NULL;

    for (uint32_t i = 0; i < file->tensor_count; i++) {
        const struct gguf_tensor *tensor = &file->tensors[i];
        char name[GGUF_NAME_MAX + 1] = "";

        memcpy(name, file->bytes + tensor->name.at, tensor->name.length);
        job->types[i] = tensor->dimensions == 1
                            ? tensor->type
                            : mix_type(mix, name, job->model->plan.layer_count, tied, tensor->counts[0]);
    }
}

static bool is_alignment(const struct gguf_file *file, const struct gguf_key *key)
{
    return key == gguf_key_find(file, "general.alignment", 17);
}

/* File type and alignment are said anew by what is written. */
static void write_head(const struct job *job, struct writer *head)
{
    const struct gguf_file *file = &job->model->file;
    const struct gguf_key *file_type = gguf_key_find(file, "general.file_type", 17);
    uint64_t offset = 0;

    writer_begin(head);
    for (uint32_t i = 0; i < file->key_count; i++)
        if (!is_alignment(file, &file->keys[i]) && &file->keys[i] != file_type)
            write_key_of(head, file, &file->keys[i]);
    for (uint32_t i = 0; i < file->tensor_count; i++) {
        const struct gguf_tensor *tensor = &file->tensors[i];

        head->tensors++;
        writer_text(head, file->bytes + tensor->name.at, tensor->name.length);
        writer_u32(head, tensor->dimensions);
        writer_bytes(head, tensor->counts, tensor->dimensions * sizeof(tensor->counts[0]));
        writer_u32(head, job->types[i]);
        writer_u64(head, offset);
        offset += round_up(tensor_row_size(job->types[i], tensor->counts[0]) * row_count(tensor));
    }
    writer_end(head, 3, GGUF_ALIGNMENT);
}

/* Returns 0; an errno; or -1 after a complaint. */
static int write_tensor(struct job *job, const struct gguf_tensor *tensor, enum tensor_type type, FILE *out)
{
    static const char zeros[GGUF_ALIGNMENT];
    size_t columns = tensor->counts[0];
    size_t from_size = tensor_row_size(tensor->type, columns);
    size_t to_size = tensor_row_size(type, columns);
    uint64_t size = to_size * row_count(tensor);
    const char *from = tensor->data;
    float *row = malloc(columns * sizeof(*row));
    void *to = malloc(to_size);
    int rc = row != NULL && to != NULL ? 0 : ENOMEM;

    for (uint64_t i = 0; rc == 0 && i < row_count(tensor); i++, from += from_size) {
        if (type == tensor->type) {
            memcpy(to, from, to_size);
        } else {
            tensor_dequantize_row(tensor->type, from, row, columns);
            for (size_t j = 0; j < columns && rc == 0; j++)
                if (!isfinite(row[j])) {
                    complain("%s: tensor '%.*s': number %zu of row %llu is not finite", job->in,
                             (int)tensor->name.length, job->model->file.bytes + tensor->name.at, j,
                             (unsigned long long)i);
                    rc = -1;
                }
            if (rc == 0)
                tensor_quantize_row(type, row, to, columns);
        }
        if (rc == 0 && fwrite(to, to_size, 1, out) != 1)
            rc = errno;
        job->done += from_size;
        show_progress("quantize", job->done, job->model->weight_bytes);
    }
    if (rc == 0 && round_up(size) > size && fwrite(zeros, round_up(size) - size, 1, out) != 1)
        rc = errno;
    free(row);
    free(to);
    return rc;
}

static int write_model(struct job *job, const struct writer *head)
{
    const struct gguf_file *file = &job->model->file;
    FILE *out = fopen(job->out, "wb");
    int rc = out != NULL ? 0 : errno;

    if (rc == 0 && fwrite(head->bytes, head->size, 1, out) != 1)
        rc = errno;
    for (uint32_t i = 0; rc == 0 && i < file->tensor_count; i++)
        rc = write_tensor(job, &file->tensors[i], job->types[i], out);
    return close_output(out, job->out, rc);
}

static int quantize(struct job *job, const struct mix *mix, bool as_json)
{
    const struct gguf_file *file = &job->model->file;
    struct writer head;
    uint64_t before = file->data_start + file->data_size;
    uint64_t size;
    int status;

    job->types = calloc(file->tensor_count, sizeof(*job->types));
    if (job->types == NULL)
        return complain("out of memory");
    choose_types(job, mix);
    write_head(job, &head);
    status = write_model(job, &head);
    size = head.size;
    for (uint32_t i = 0; i < file->tensor_count; i++)
        size += round_up(tensor_row_size(job->types[i], file->tensors[i].counts[0]) *
                         row_count(&file->tensors[i]));
    if (status == 0 && as_json)
        printf("{\"tensors\": %u, \"bytes\": %llu, \"bytes_before\": %llu}\n", file->tensor_count,
               (unsigned long long)size, (unsigned long long)before);
    free(head.bytes);
    free(job->types);
    return status;
}

/* The input is mapped: to write over it would be to lose it. */
static bool same_file(const char *in, const char *out)
{
    struct stat one;
    struct stat other;

    return stat(in, &one) == 0 && stat(out, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

static int run(struct job *job, const struct mix *mix, bool as_json)
{
    struct work work = {.hooks = &host_hooks};
    const struct airt_options options = {0};
    struct airt_error error;
    struct model_file file;
    struct gguf *model;
    int status;

    if (same_file(job->in, job->out))
        return complain("%s: IN and OUT are the same file", job->out);
    if (!model_file_open(&file, job->in))
        return EXIT_WRONG;
    if (gguf_load(&work, &options, &file.source, &model, &error) != 0) {
        status = complain("%s", error.text);
    } else {
        job->model = model;
        status = quantize(job, mix, as_json);
        gguf_free(&host_hooks, model);
    }
    model_file_close(&file);
    return status;
}

int command_quantize(int count, char **arguments)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct job job = {.model = NULL};
    struct mix mix;
    bool as_json = false;
    int option;

    while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option != 'j') {
            fputs(help, stderr);
            return EXIT_USAGE;
        }
        as_json = true;
    }
    if (optind != count - 3) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    job.in = arguments[optind];
    job.out = arguments[optind + 1];
    if (!mix_parse(arguments[optind + 2], &mix)) {
        complain("%s: choose " MIXES, arguments[optind + 2]);
        return EXIT_USAGE;
    }
    return run(&job, &mix, as_json);
}
