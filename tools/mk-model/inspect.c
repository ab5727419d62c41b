/* SPDX-License-Identifier: MIT
 *
 * mk-model inspect: keys, tensors, shape, and whether airt would load the file.
 */
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "commands.h"
#include "gguf/gguf.h"

#define ELEMENTS_SHOWN 4

static const char help[] = "Usage: mk-model inspect MODEL [--json]\n"
                           "Prints the keys and tensors of a GGUF file, and checks it as a load does.\n"
                           "  --json  one JSON object\n"
                           "Exit status: 1 when it would not load.\n";

/* A text as JSON can have it: what is not UTF-8 byte by byte, as Latin-1. */
static json_t *json_text(const char *bytes, size_t length)
{
    json_t *text = json_stringn(bytes, length);

    if (text == NULL) {
        char *latin = malloc(2 * length + 1);
        size_t used = 0;

        for (size_t i = 0; latin != NULL && i < length; i++) {
            unsigned char byte = (unsigned char)bytes[i];

            if (byte >= 0x80)
                latin[used++] = (char)(0xc0 | byte >> 6);
            latin[used++] = (char)(byte >= 0x80 ? 0x80 | (byte & 0x3f) : byte);
        }
        text = latin != NULL ? json_stringn(latin, used) : NULL;
        free(latin);
    }
    return text;
}

static json_t *json_float(double value)
{
    return isfinite(value) ? json_real(value) : json_string(isnan(value) ? "NaN" : "infinity");
}

/* One number at `at`. */
static json_t *number_value(const struct gguf_file *file, uint32_t type, uint64_t at)
{
    size_t size = gguf_type_size(type);
    uint64_t bits = 0;
    double wide;
    float narrow;

    memcpy(&bits, file->bytes + at, size);
    switch (type) {
    case GGUF_BOOL:
        return json_boolean(bits != 0);
    case GGUF_F32:
        memcpy(&narrow, file->bytes + at, sizeof(narrow));
        return json_float((double)narrow);
    case GGUF_F64:
        memcpy(&wide, file->bytes + at, sizeof(wide));
        return json_float(wide);
    case GGUF_I8:
        return json_integer((int8_t)bits);
    case GGUF_I16:
        return json_integer((int16_t)bits);
    case GGUF_I32:
        return json_integer((int32_t)bits);
    default:
        return json_integer((json_int_t)bits);
    }
}

/* Of an array its first elements only. */
static json_t *key_value(const struct gguf_file *file, const struct gguf_key *key)
{
    json_t *array;
    uint32_t at = key->value;

    if (key->type == GGUF_STRING)
        return json_text(file->bytes + key->value, key->count);
    if (key->type != GGUF_ARRAY)
        return number_value(file, key->type, key->value);
    array = json_array();
    for (uint32_t i = 0; i < key->count && i < ELEMENTS_SHOWN; i++) {
        if (key->element == GGUF_STRING) {
            struct airt_text text = gguf_string_at(file, at, &at);

            json_array_append_new(array, json_text(text.bytes, text.length));
        } else {
            json_array_append_new(array, number_value(file, key->element, at));
            at += (uint32_t)gguf_type_size(key->element);
        }
    }
    return array;
}

static json_t *describe_keys(const struct gguf_file *file)
{
    json_t *keys = json_array();

    for (uint32_t i = 0; i < file->key_count; i++) {
        const struct gguf_key *key = &file->keys[i];
        json_t *entry = json_object();

        json_object_set_new(entry, "name", json_text(file->bytes + key->name.at, key->name.length));
        json_object_set_new(entry, "type", json_string(gguf_type_name(key->type)));
        if (key->type == GGUF_ARRAY) {
            json_object_set_new(entry, "element", json_string(gguf_type_name(key->element)));
            json_object_set_new(entry, "count", json_integer(key->count));
        }
        json_object_set_new(entry, key->type == GGUF_ARRAY ? "first" : "value", key_value(file, key));
        json_array_append_new(keys, entry);
    }
    return keys;
}

static json_t *describe_tensors(const struct gguf_file *file)
{
    json_t *tensors = json_array();

    for (uint32_t i = 0; i < file->tensor_count; i++) {
        const struct gguf_tensor *tensor = &file->tensors[i];
        json_t *entry = json_object();
        json_t *shape = json_array();
        uint64_t offset = file->data_start + tensor->offset;

        for (uint32_t j = 0; j < tensor->dimensions; j++)
            json_array_append_new(shape, json_integer((json_int_t)tensor->counts[j]));
        json_object_set_new(entry, "name", json_text(file->bytes + tensor->name.at, tensor->name.length));
        json_object_set_new(entry, "type", json_string(tensor_type_info(tensor->type)->name));
        json_object_set_new(entry, "shape", shape);
        json_object_set_new(entry, "offset", json_integer((json_int_t)offset));
        json_object_set_new(entry, "bytes", json_integer((json_int_t)tensor->size));
        json_array_append_new(tensors, entry);
    }
    return tensors;
}

static json_t *describe_shape(const struct gguf *gguf)
{
    const struct plan *plan = &gguf->plan;

    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "architecture",
                     gguf->architecture, "context_length", (json_int_t)plan->context_length,
                     "embedding_length", (json_int_t)plan->embedding_length, "layers",
                     (json_int_t)plan->layer_count, "heads", (json_int_t)plan->heads, "kv_heads",
                     (json_int_t)plan->kv_heads, "head_length", (json_int_t)plan->head_length, "feed_length",
                     (json_int_t)plan->feed_length, "vocabulary", (json_int_t)plan->vocabulary,
                     "sliding_window", (json_int_t)plan->sliding_window, "cache_bytes_per_token",
                     (json_int_t)gguf->cache_bytes_per_token);
}

/* As text: the same, a line each. */
static void print_entry(const json_t *entry, const char *last)
{
    const char *type = json_string_value(json_object_get(entry, "type"));
    const json_t *element = json_object_get(entry, "element");
    char *value = json_dumps(json_object_get(entry, last), JSON_ENCODE_ANY | JSON_COMPACT);

    printf("  %-44s %-7s", json_string_value(json_object_get(entry, "name")), type);
    if (element != NULL)
        printf(" %" JSON_INTEGER_FORMAT " of %s:", json_integer_value(json_object_get(entry, "count")),
               json_string_value(element));
    if (value != NULL)
        printf(" %.200s", value);
    if (json_object_get(entry, "bytes") != NULL)
        printf(" %" JSON_INTEGER_FORMAT " bytes at %" JSON_INTEGER_FORMAT,
               json_integer_value(json_object_get(entry, "bytes")),
               json_integer_value(json_object_get(entry, "offset")));
    putchar('\n');
    free(value);
}

static void print_text(const json_t *report)
{
    static const char *const lines[] = {"format", "quantization", "parameters", "sha256"};
    const json_t *shape = json_object_get(report, "shape");
    const json_t *entry;
    const char *name;
    json_t *value;
    size_t i;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char *text = json_dumps(json_object_get(report, lines[i]), JSON_ENCODE_ANY);

        printf("%s: %s\n", lines[i], text != NULL ? text : "");
        free(text);
    }
    puts("keys:");
    json_array_foreach(json_object_get(report, "keys"), i, entry)
        print_entry(entry, json_object_get(entry, "element") != NULL ? "first" : "value");
    puts("tensors:");
    json_array_foreach(json_object_get(report, "tensors"), i, entry) print_entry(entry, "shape");
    if (shape != NULL)
        puts("shape:");
    json_object_foreach((json_t *)(uintptr_t)shape, name, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY);

        printf("  %s %s\n", name, text != NULL ? text : "");
        free(text);
    }
    printf("check: %s\n", json_is_null(json_object_get(report, "error"))
                              ? "sound"
                              : json_string_value(json_object_get(report, "error")));
}

/* Fills the report; returns the exit status. */
static int inspect(const struct airt_source *source, json_t *report)
{
    struct work work = {.hooks = &host_hooks};
    const struct airt_options options = {0};
    struct airt_error error;
    struct gguf *tables = NULL;
    struct gguf *model = NULL;
    bool vocabulary;
    int rc = gguf_load_tables(&work, source, &tables, &error);

    if (rc == 0) {
        vocabulary = tables->file.tensor_count == 0;
        json_object_set_new(report, "format", json_string(tables->format));
        json_object_set_new(report, "quantization", json_string(tables->quantization));
        json_object_set_new(report, "parameters", json_integer((json_int_t)tables->parameters));
        json_object_set_new(report, "keys", describe_keys(&tables->file));
        json_object_set_new(report, "tensors", describe_tensors(&tables->file));
        gguf_free(&host_hooks, tables);
        rc = vocabulary ? gguf_load_vocabulary(&work, source, &model, &error)
                        : gguf_load(&work, &options, source, &model, &error);
        if (rc == 0 && !vocabulary) {
            json_object_set_new(report, "sha256", json_string(model->sha256));
            json_object_set_new(report, "shape", describe_shape(model));
        }
        if (rc == 0)
            gguf_free(&host_hooks, model);
    }
    json_object_set_new(report, "error", rc == 0 ? json_null() : json_string(error.text));
    return rc == 0 ? 0 : EXIT_WRONG;
}

int command_inspect(int count, char **arguments)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct model_file file;
    bool as_json = false;
    json_t *report;
    int option;
    int status;

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
    if (optind != count - 1) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    if (!model_file_open(&file, arguments[optind]))
        return EXIT_WRONG;
    report = json_object();
    status = inspect(&file.source, report);
    if (as_json) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_text(report);
    }
    if (status != 0)
        complain("%s", json_string_value(json_object_get(report, "error")));
    json_decref(report);
    model_file_close(&file);
    return status;
}
