/* SPDX-License-Identifier: MIT
 *
 * Doubly linked lists whose links lie in their members. A link that is in no list points to itself, so
 * removing it again does nothing.
 */
#ifndef VIRTIO_LIST_H
#define VIRTIO_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *previous;
};

/* The struct of type `type` whose member `member` is this link. */
#define LIST_MEMBER(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void list_initialise(struct list *list)
{
    list->next = list;
    list->previous = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *list, struct list *link)
{
    link->next = list;
    link->previous = list->previous;
    list->previous->next = link;
    list->previous = link;
}

static inline void list_remove(struct list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_initialise(link);
}

#endif
