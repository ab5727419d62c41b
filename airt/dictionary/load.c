/* SPDX-License-Identifier: MIT
 *
 * From a source of bytes to a dictionary: read it, walk over it twice (count and check, then note where the
 * questions are), index it.
 */
#include "dictionary.h"

#include <errno.h>
#include <string.h>

#include "../message.h"
#include "../utf8.h"

#define READ_CHUNK  (UINT32_C(8) << 20) /* a source may split it into several requests at once */
#define CHECK_CHUNK 4096

int scan_add(struct dictionary *dictionary, struct scan *scan, size_t question)
{
    if (scan->entries != NULL) {
        /* Both walks see the same, unless somebody writes to a mapped source. */
        if (scan->count == scan->capacity)
            return message_fail(scan->error, dictionary->base.name, -EINVAL, "changed while it was loaded");
        scan->entries[scan->count].question = (uint32_t)question;
        scan->entries[scan->count].answer = 0;
    }
    scan->count++;
    return work_spend(scan->work, WORK_PER_QUESTION);
}

/* A number whose top bits say which of eight bytes are not printable ASCII, as nearly all text is: those that
 * have their own top bit, are below a space (then the subtraction borrows into a top bit), or are DEL (then
 * the addition carries into its top bit). Bytes behind one of them may be marked, too. */
static uint64_t not_plain(const char *text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t bytes;

    memcpy(&bytes, text, sizeof(bytes));
    return bytes | (bytes - ones * 0x20) | (bytes + ones);
}

/* How many bytes from the start are surely printable ASCII. */
static size_t plain_length(const char *text, size_t length)
{
    const uint64_t tops = UINT64_C(0x8080808080808080);
    size_t at = 0;

    while (length - at >= 32 && ((not_plain(text + at) | not_plain(text + at + 8) |
                                  not_plain(text + at + 16) | not_plain(text + at + 24)) &
                                 tops) == 0)
        at += 32;
    while (length - at >= 8 && (not_plain(text + at) & tops) == 0)
        at += 8;
    /* The last few again, with some before them. */
    if (length - at < 8 && length >= 8 && (not_plain(text + length - 8) & tops) == 0)
        at = length;
    return at;
}

/* One character; returns its length, 0 when it is refused. */
static size_t check_character(const char *text, size_t length)
{
    uint32_t character;
    size_t bytes = utf8_decode(text, length, &character);
    bool control =
        bytes != 0 && ((character < 0x20 && character != '\t' && character != '\n' && character != '\r') ||
                       (character >= 0x7f && character < 0xa0));

    return control ? 0 : bytes;
}

int scan_text(struct dictionary *dictionary, struct scan *scan, size_t start, size_t length, size_t *bad)
{
    size_t end = start + length;

    if (scan->entries != NULL)
        return work_spend(scan->work, length); /* the first walk has checked it */
    for (size_t at = start; at < end;) {
        size_t portion = at;

        while (at < end && at - portion < CHECK_CHUNK) {
            size_t left = end - at < CHECK_CHUNK ? end - at : CHECK_CHUNK;
            size_t plain = plain_length(dictionary->data + at, left);
            size_t bytes = plain > 0 ? plain : check_character(dictionary->data + at, end - at);

            if (bytes == 0) {
                *bad = at;
                return -EINVAL;
            }
            at += bytes;
        }
        if (work_spend(scan->work, at - portion) != 0)
            return -ECANCELED;
    }
    return 0;
}

struct slice dictionary_question(const struct dictionary *dictionary, uint32_t entry)
{
    return dictionary->text ? text_question(dictionary, entry) : binary_question(dictionary, entry);
}

static void dictionary_unload(struct airt_model *model)
{
    struct dictionary *dictionary = (struct dictionary *)model;
    struct airt_hooks hooks = model->hooks;

    model_free(model, dictionary->owned, dictionary->size, 1);
    model_free(model, dictionary->entries, dictionary->entry_count, sizeof(*dictionary->entries));
    /* Allocated for all entries; equal ones have left it since. */
    model_free(model, dictionary->exact, dictionary->entry_count, sizeof(*dictionary->exact));
    model_free(model, dictionary->postings, dictionary->posting_count, sizeof(*dictionary->postings));
    model_free(model, dictionary->totals, dictionary->entry_count, sizeof(*dictionary->totals));
    hooks.free(hooks.context, dictionary, sizeof(*dictionary));
}

static int take_data(struct dictionary *dictionary, struct work *work, const struct airt_source *source,
                     struct airt_error *error)
{
    const char *name = dictionary->base.name;

    if (source->size > UINT32_MAX)
        return message_fail(error, name, -EINVAL, "a dictionary of 4 GiB or more");
    dictionary->size = (size_t)source->size;
    dictionary->data = source->mapped;
    if (source->mapped != NULL)
        return 0;

    dictionary->owned = model_alloc(&dictionary->base, source->size, 1);
    if (dictionary->owned == NULL)
        return message_fail(error, name, -ENOMEM, "no memory for the file");
    dictionary->data = dictionary->owned;
    for (size_t at = 0; at < dictionary->size;) {
        size_t length = dictionary->size - at < READ_CHUNK ? dictionary->size - at : READ_CHUNK;
        int rc = source->read(source->context, at, dictionary->owned + at, length);

        if (rc != 0)
            return message_fail(error, name, rc, "cannot be read");
        if (work_spend(work, length) != 0)
            return -ECANCELED;
        at += length;
    }
    return 0;
}

/* Somebody may well forget the first line of a text dictionary. */
static void hint_at_text(const struct dictionary *dictionary, struct airt_error *error)
{
    if (dictionary->size > 2 && (dictionary->data[0] == '#' || memcmp(dictionary->data, "Q:", 2) == 0))
        message_text(error, " (a text dictionary begins with the line \"# microkernelia dictionary\")");
}

static int walk(struct dictionary *dictionary, struct scan *scan)
{
    int rc;

    scan->count = 0;
    rc = dictionary->text ? text_scan(dictionary, scan) : binary_scan(dictionary, scan);
    if (rc == -EINVAL && !dictionary->text)
        hint_at_text(dictionary, scan->error);
    return rc;
}

static int build(struct dictionary *dictionary, struct work *work, const struct airt_source *source,
                 struct airt_error *error)
{
    struct scan scan = {.work = work, .error = error};
    int rc = take_data(dictionary, work, source, error);

    if (rc != 0)
        return rc;
    dictionary->text = text_detect(dictionary);
    rc = walk(dictionary, &scan);
    if (rc != 0)
        return rc;

    dictionary->entries = model_alloc(&dictionary->base, scan.count, sizeof(*dictionary->entries));
    if (dictionary->entries == NULL)
        return message_fail(error, dictionary->base.name, -ENOMEM, "no memory for the questions");
    dictionary->entry_count = scan.count;
    scan.entries = dictionary->entries;
    scan.capacity = scan.count;
    rc = walk(dictionary, &scan);
    if (rc != 0)
        return rc;
    if (scan.count != scan.capacity)
        return message_fail(error, dictionary->base.name, -EINVAL, "changed while it was loaded");

    rc = index_build(dictionary, work, error);
    if (rc == 0 && scan.name.length > 0)
        model_set_name(&dictionary->base, scan.name.text, scan.name.length);
    return rc;
}

static int dictionary_load(struct work *work, const struct airt_options *options,
                           const struct airt_source *source, struct airt_model **model,
                           struct airt_error *error)
{
    struct dictionary *dictionary = work->hooks->alloc(work->hooks->context, sizeof(*dictionary));
    const char *name = source->name != NULL ? source->name : "dictionary";
    int rc;

    (void)options;
    if (dictionary == NULL)
        return message_fail(error, name, -ENOMEM, "no memory for the model");
    memset(dictionary, 0, sizeof(*dictionary));
    dictionary->base.format = &dictionary_format;
    dictionary->base.hooks = *work->hooks;
    dictionary->base.bytes = sizeof(*dictionary);
    model_set_name(&dictionary->base, name, strlen(name));

    rc = build(dictionary, work, source, error);
    if (rc == -ECANCELED)
        message_fail(error, name, rc, "cancelled");
    if (rc != 0) {
        dictionary_unload(&dictionary->base);
        return rc;
    }
    *model = &dictionary->base;
    return 0;
}

static void dictionary_describe(const struct airt_model *model, struct airt_description *description)
{
    const struct dictionary *dictionary = (const struct dictionary *)model;

    description->format = dictionary->text ? "dictionary (text)" : "dictionary (binary)";
    description->quantization = "none";
    description->arch = "key/value";
    description->entries = dictionary->exact_count;
}

const struct airt_format dictionary_format = {
    .load = dictionary_load,
    .unload = dictionary_unload,
    .describe = dictionary_describe,
    .infer = dictionary_infer,
};
