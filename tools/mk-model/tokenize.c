/* SPDX-License-Identifier: MIT
 *
 * mk-model tokenize: text to token ids. The model's vocabulary is enough.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "gguf/gguf.h"
#include "tokenizer/tokenizer.h"

static const char help[] =
    "Usage: mk-model tokenize MODEL [--whole] [--special] < TEXT\n"
    "Prints the ids of a text's tokens, on one line. MODEL may be a vocabulary alone.\n"
    "  --whole    with the tokens that the model wants around a text\n"
    "  --special  texts of control tokens become these tokens\n";

/* All of a stream; NULL, with a complaint, when it cannot be read. */
static char *read_all(FILE *stream, size_t *length)
{
    size_t capacity = 65536;
    char *text = malloc(capacity);

    *length = 0;
    while (text != NULL) {
        size_t got = fread(text + *length, 1, capacity - *length, stream);
        char *grown;

        *length += got;
        if (got == 0)
            break;
        if (*length < capacity)
            continue;
        capacity *= 2;
        grown = realloc(text, capacity);
        if (grown == NULL)
            free(text);
        text = grown;
    }
    if (text == NULL || ferror(stream)) {
        complain(text == NULL ? "no memory for the text" : "the text cannot be read");
        free(text);
        return NULL;
    }
    return text;
}

static int encode(const struct vocabulary *vocabulary, const struct tokenizer *tokenizer, struct work *work,
                  const struct airt_text *text, bool whole, bool special, struct token_list *list)
{
    int rc = 0;

    list->count = 0;
    if (whole && vocabulary->add_bos && vocabulary->bos != VOCABULARY_NONE && list->count++ < list->capacity)
        list->ids[0] = vocabulary->bos;
    rc = tokenizer_encode(tokenizer, work, text->bytes, text->length, true, special, list);
    if (whole && vocabulary->add_eos && vocabulary->eos != VOCABULARY_NONE && list->count++ < list->capacity)
        list->ids[list->count - 1] = vocabulary->eos;
    return rc;
}

static int print_ids(const struct vocabulary *vocabulary, struct work *work, bool whole, bool special)
{
    struct tokenizer *tokenizer;
    struct airt_error error;
    struct airt_text text;
    struct token_list list = {0};
    char *bytes;
    int rc;

    if (tokenizer_create(work, NULL, vocabulary, &tokenizer, &error) != 0)
        return complain("%s", error.text);
    bytes = read_all(stdin, &text.length);
    if (bytes == NULL) {
        tokenizer_destroy(&host_hooks, tokenizer);
        return EXIT_WRONG;
    }
    text.bytes = bytes;
    /* Never more ids than bytes, but for a space before the first word and the two around a text. */
    list.capacity = 2 * text.length + 4;
    list.ids = malloc(list.capacity * sizeof(*list.ids));
    rc = list.ids == NULL ? -1 : encode(vocabulary, tokenizer, work, &text, whole, special, &list);
    if (rc != 0)
        complain("no memory for the tokens");
    for (size_t i = 0; rc == 0 && i < list.count; i++)
        printf("%s%" PRIu32, i > 0 ? " " : "", list.ids[i]);
    if (rc == 0)
        putchar('\n');
    free(list.ids);
    free(bytes);
    tokenizer_destroy(&host_hooks, tokenizer);
    return rc == 0 ? 0 : EXIT_WRONG;
}

int command_tokenize(int count, char **arguments)
{
    static const struct option options[] = {{"whole", no_argument, NULL, 'w'},
                                            {"special", no_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct work work = {.hooks = &host_hooks};
    bool whole = false;
    bool special = false;
    struct model_file file;
    struct gguf *gguf;
    struct airt_error error;
    int option;
    int status;

    while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        whole = whole || option == 'w';
        special = special || option == 's';
        if (option == '?') {
            fputs(help, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind + 1 != count) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    if (!model_file_open(&file, arguments[optind]))
        return EXIT_WRONG;
    if (gguf_load_vocabulary(&work, &file.source, &gguf, &error) != 0) {
        status = complain("%s", error.text);
    } else {
        status = print_ids(&gguf->vocabulary, &work, whole, special);
        gguf_free(&host_hooks, gguf);
    }
    model_file_close(&file);
    return status;
}
