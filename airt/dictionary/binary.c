/* SPDX-License-Identifier: MIT
 *
 * The binary form: [u8 length][question][u8 length][answer], repeated. Lengths are in bytes, of UTF-8 text.
 */
#include <errno.h>

#include "../message.h"
#include "dictionary.h"

struct record {
    uint64_t number; /* from 1 */
    size_t start;
};

static void place(struct dictionary *dictionary, struct scan *scan, const struct record *record)
{
    message_start(scan->error, dictionary->base.name);
    message_text(scan->error, "record ");
    message_number(scan->error, record->number);
    message_text(scan->error, " at byte ");
    message_number(scan->error, record->start);
    message_text(scan->error, ": ");
}

static int fail(struct dictionary *dictionary, struct scan *scan, const struct record *record,
                const char *what, const char *why)
{
    place(dictionary, scan, record);
    message_text(scan->error, what);
    message_text(scan->error, why);
    return -EINVAL;
}

/* Checks the field ("question" or "answer") whose length byte is at *at, and moves *at behind it. */
static int check_field(struct dictionary *dictionary, struct scan *scan, const struct record *record,
                       const char *what, size_t *at)
{
    size_t left = dictionary->size - *at;
    size_t length;
    size_t bad = 0;
    int rc;

    if (left == 0)
        return fail(dictionary, scan, record, what, " is missing");
    length = (unsigned char)dictionary->data[*at];
    if (length == 0)
        return fail(dictionary, scan, record, what, " is empty");
    if (length > left - 1) {
        place(dictionary, scan, record);
        message_text(scan->error, what);
        message_text(scan->error, " of ");
        message_number(scan->error, length);
        message_text(scan->error, " bytes, ");
        message_number(scan->error, left - 1);
        message_text(scan->error, " left");
        return -EINVAL;
    }
    rc = scan_text(dictionary, scan, *at + 1, length, &bad);
    if (rc == -EINVAL) {
        fail(dictionary, scan, record, what, " has a control character or is not UTF-8 at byte ");
        message_number(scan->error, bad);
    }
    *at += 1 + length;
    return rc;
}

int binary_scan(struct dictionary *dictionary, struct scan *scan)
{
    struct record record = {0};
    size_t at = 0;

    while (at < dictionary->size) {
        size_t question;
        int rc;

        record.number++;
        record.start = at;
        rc = check_field(dictionary, scan, &record, "question", &at);
        if (rc != 0)
            return rc;
        question = record.start + 1;
        if (words_empty(dictionary->data + question, at - question))
            return fail(dictionary, scan, &record, "question", " has no letter or digit");
        rc = scan_add(dictionary, scan, question);
        if (rc != 0)
            return rc;
        if (scan->entries != NULL)
            scan->entries[scan->count - 1].answer = (uint32_t)at + 1;
        rc = check_field(dictionary, scan, &record, "answer", &at);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* The field whose text begins at `start`. */
static struct slice field(const struct dictionary *dictionary, size_t start)
{
    size_t length = (unsigned char)dictionary->data[start - 1];

    /* Once checked, but a mapped source may have changed since. */
    if (length > dictionary->size - start)
        length = dictionary->size - start;
    return (struct slice){dictionary->data + start, length};
}

struct slice binary_question(const struct dictionary *dictionary, uint32_t entry)
{
    return field(dictionary, dictionary->entries[entry].question);
}

struct slice binary_answer(const struct dictionary *dictionary, uint32_t entry)
{
    return field(dictionary, dictionary->entries[entry].answer);
}
