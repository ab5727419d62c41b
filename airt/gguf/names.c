/* SPDX-License-Identifier: MIT
 *
 * Names in order, so that one is found by halving, and two equal ones stand beside each other. Heapsort: no
 * choice of names makes it slow.
 */
#include <string.h>

#include "gguf/reader.h"

/* What is sorted. */
struct names {
    const char *bytes;
    const char *first; /* a struct gguf_name every `stride` bytes */
    size_t stride;
    uint32_t *order;
    size_t compared; /* bytes */
};

static struct airt_text name_of(const struct names *names, uint32_t number)
{
    struct gguf_name name;

    memcpy(&name, names->first + number * names->stride, sizeof(name));
    return (struct airt_text){names->bytes + name.at, name.length};
}

static int compare(struct airt_text left, struct airt_text right)
{
    size_t common = left.length < right.length ? left.length : right.length;
    int order = common > 0 ? memcmp(left.bytes, right.bytes, common) : 0;

    if (order != 0 || left.length == right.length)
        return order;
    return left.length < right.length ? -1 : 1;
}

static int compare_places(struct names *names, size_t left, size_t right)
{
    struct airt_text text = name_of(names, names->order[left]);

    names->compared += text.length + 16;
    return compare(text, name_of(names, names->order[right]));
}

static void swap(uint32_t *order, size_t left, size_t right)
{
    uint32_t number = order[left];

    order[left] = order[right];
    order[right] = number;
}

/* Moves the one at `root` down to where none below it in the heap is greater. */
static void sift(struct names *names, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare_places(names, child + 1, child) > 0)
            child++;
        if (compare_places(names, root, child) >= 0)
            return;
        swap(names->order, root, child);
    }
}

static int spend(struct gguf_reader *reader, struct names *names)
{
    size_t compared = names->compared;

    names->compared = 0;
    return work_spend(reader->work, compared);
}

int gguf_sort_names(struct gguf_reader *reader, const void *names, size_t stride, uint32_t count,
                    uint32_t *order, uint32_t *twice)
{
    struct names sorted = {
        .bytes = reader->gguf->file.bytes, .first = names, .stride = stride, .order = order};
    int rc = 0;

    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t root = count / 2; root-- > 0 && rc == 0;) {
        sift(&sorted, root, count);
        rc = spend(reader, &sorted);
    }
    for (size_t left = count; left-- > 1 && rc == 0;) {
        swap(order, 0, left);
        sift(&sorted, 0, left);
        rc = spend(reader, &sorted);
    }
    *twice = count;
    for (uint32_t i = 1; i < count && rc == 0; i++) {
        if (compare_places(&sorted, i - 1, i) == 0)
            *twice = order[i] > order[i - 1] ? order[i] : order[i - 1];
        rc = spend(reader, &sorted);
    }
    return rc;
}

/* The number of the name that is `wanted`, or `count`. */
static uint32_t find(const struct names *names, uint32_t count, struct airt_text wanted)
{
    uint32_t low = 0;
    uint32_t high = count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare(name_of(names, names->order[middle]), wanted);

        if (order == 0)
            return names->order[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return count;
}

const struct gguf_key *gguf_key_find(const struct gguf_file *file, const char *name, size_t length)
{
    const struct names names = {.bytes = file->bytes,
                                .first = (const char *)file->keys,
                                .stride = sizeof(*file->keys),
                                .order = file->keys_by_name};
    uint32_t number = find(&names, file->key_count, (struct airt_text){name, length});

    return number < file->key_count ? &file->keys[number] : NULL;
}

struct gguf_tensor *gguf_tensor_find(const struct gguf_file *file, const char *name, size_t length)
{
    const struct names names = {.bytes = file->bytes,
                                .first = (const char *)file->tensors,
                                .stride = sizeof(*file->tensors),
                                .order = file->tensors_by_name};
    uint32_t number = find(&names, file->tensor_count, (struct airt_text){name, length});

    return number < file->tensor_count ? &file->tensors[number] : NULL;
}
